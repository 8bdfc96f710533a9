#!/bin/bash
# Stops what runs on the controller; slurmctld saves the state of its jobs first. At the next boot it
# waits for start-controller.sh: the machines may have other addresses then.
set -euo pipefail
. "${0%/*}/common.sh"

# The workers stop too, maybe earlier, maybe later: what runs on them is queued again now.
if systemctl --quiet is-active slurmctld; then
    timeout 2 scontrol update nodename=ALL state=down reason='cluster stops' || true
fi
for unit in slurmrestd slurmctld slurmdbd mariadb; do
    disable "$unit.service"
    if systemctl --quiet is-active "$unit"; then systemctl stop "$unit"; fi
done
