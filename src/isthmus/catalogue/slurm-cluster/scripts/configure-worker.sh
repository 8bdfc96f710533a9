#!/bin/bash
# Tells slurmd who it is and where its controller is; all else it fetches from there.
set -euo pipefail
. "${0%/*}/common.sh"

add_user "$user"
key_of "$munge_key" | put /etc/munge/munge.key munge: 400
put /etc/default/slurmd root: 644 <<CONF
SLURMCTLD_ADDRESS=$controller_address
SLURMD_OPTIONS="-N $ISTHMUS_INSTANCE --conf-server $controller_address:6817"
CONF
