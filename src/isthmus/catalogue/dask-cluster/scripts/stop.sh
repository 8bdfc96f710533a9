#!/bin/bash
# Stops scheduler or worker. A worker that is told to stop says good-bye, so its tasks run elsewhere at
# once. At the next boot it waits for start.sh: the scheduler may have another address then.
#   role    scheduler or worker
set -euo pipefail
. "${0%/*}/common.sh"

disable
systemctl stop "dask-$role"
