#!/bin/bash
# Tells slurmd who it is and where its controller is; all else it fetches from there.
set -euo pipefail
. "${0%/*}/common.sh"

add_user "$user"
key_of "$munge_key" | put /etc/munge/munge.key munge: 400
put /etc/default/slurmd root: 644 <<CONF
SLURMCTLD_ADDRESS=$controller_address
SLURMD_NAME=$ISTHMUS_INSTANCE
SLURMD_OPTIONS="-N $ISTHMUS_INSTANCE --conf-server $controller_address:6817"
CONF
# For join-slurm, before slurmd has fetched the real one; not named slurm.conf, lest jobs find it.
put /etc/slurm/join.conf root: 644 <<CONF
ClusterName=isthmus
SlurmctldHost=controller($controller_address)
AuthType=auth/munge
CONF
