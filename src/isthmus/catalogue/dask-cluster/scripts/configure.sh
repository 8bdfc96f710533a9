#!/bin/bash
# Writes the settings of scheduler or worker, and tells the versions that clients must match.
#   role                          scheduler or worker
#   address, scheduler_address    of this machine and of the scheduler
#   cpus, memory                  what a worker offers
set -euo pipefail
. "${0%/*}/common.sh"

# mebibytes SIZE: a size such as "2 GiB" or "500 MB" in MiB, less a tenth, which the system keeps.
mebibytes() {
    local size=${1// /}
    size=${size^^}
    size=${size%B}
    echo $(( $(numfmt --from=auto "${size/%I/i}") * 9 / 10 / 1048576 ))
}

wanted="ADDRESS=$address
SCHEDULER_ADDRESS=$scheduler_address
NAME=$ISTHMUS_INSTANCE
THREADS=$cpus
MEMORY=$(mebibytes "$memory")MiB"
if [[ ! -e $settings || $wanted != "$(<"$settings")" ]]; then
    touch "$stale"
    printf '%s\n' "$wanted" >"$settings"
fi

version=$(dpkg-query --show --showformat='${Version}' python3-distributed)
python=$(readlink /usr/bin/python3)
printf 'dask_version=%s\npython_version=%s\n' "${version%%[+-]*}" "${python#python}" >>"$ISTHMUS_OUTPUTS"
