#!/bin/bash
# Starts scheduler or worker, again when the settings changed. The scheduler's start ends when it listens;
# a worker joins by itself.
#   role    scheduler or worker
set -euo pipefail
. "${0%/*}/common.sh"

await_scheduler() {
    . "$settings"
    local deadline=$((SECONDS + 60))
    until (exec 3<>"/dev/tcp/$ADDRESS/8786") 2>/dev/null; do
        if (( SECONDS > deadline )); then
            echo 'the scheduler does not answer' >&2
            journalctl --quiet --no-pager --lines=20 --unit=dask-scheduler >&2
            exit 1
        fi
        sleep 0.05
    done
}

enable
verb=start
if [[ -e $stale ]]; then verb=restart; fi
systemctl --no-block "$verb" "dask-$role"
rm -f "$stale"
if [[ $role == scheduler ]]; then await_scheduler; fi
