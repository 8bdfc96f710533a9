#!/bin/bash
# Stops HTCondor. What runs on a worker goes back to the queue; what is queued stays on the manager. At
# the next boot it waits for start.sh: the manager may have another address then.
set -euo pipefail
. "${0%/*}/common.sh"

disable
condor_off -fast -daemon startd >/dev/null 2>&1 || true # there is none on the manager
systemctl stop condor
