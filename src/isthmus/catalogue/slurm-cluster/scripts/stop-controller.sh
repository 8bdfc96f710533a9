#!/bin/bash
# Stops what runs on the controller; slurmctld saves the state of its jobs first. At the next boot it
# waits for start-controller.sh: the machines may have other addresses then.
set -euo pipefail
. "${0%/*}/common.sh"

for unit in slurmrestd slurmctld slurmdbd mariadb; do
    disable "$unit.service"
    if systemctl --quiet is-active "$unit"; then systemctl stop "$unit"; fi
done
