#!/bin/bash
# Starts HTCondor, or starts it again when its configuration changed. The manager's start ends when its
# schedd is known; a worker joins by itself.
#   role    manager or worker
set -euo pipefail
. "${0%/*}/common.sh"

await_schedd() {
    local deadline=$((SECONDS + 30))
    until [[ -n $(condor_status -schedd -autoformat Name 2>/dev/null) ]]; do
        if (( SECONDS > deadline )); then
            echo 'the schedd does not answer' >&2
            tail --lines=20 /var/log/condor/MasterLog /var/log/condor/SchedLog >&2
            exit 1
        fi
        sleep 0.1
    done
}

enable
verb=start
if [[ -e $stale ]]; then verb=restart; fi
systemctl --no-block "$verb" condor
rm -f "$stale"
if [[ $role == manager ]]; then await_schedd; fi
