#!/bin/bash
# Writes what slurmctld needs to know. Safe to run while jobs run: start-controller.sh makes it known.
set -euo pipefail
. "${0%/*}/common.sh"

# mebibytes SIZE: a size such as "2 GiB" or "500 MB" in MiB, less a tenth, which the system keeps:
# a worker that reports less memory than slurm.conf promises would be taken out of service.
mebibytes() {
    local size=${1// /}
    size=${size^^}
    size=${size%B}
    echo $(( $(numfmt --from=auto "${size/%I/i}") * 9 / 10 / 1048576 ))
}

# words JSON: the elements of a JSON list of plain words.
words() { echo "${1//[][\",]/ }"; }

node_lines() {
    local -a names addresses
    local i memory
    read -r -a names <<<"$(words "$worker_names")"
    read -r -a addresses <<<"$(words "$worker_addresses")"
    memory=$(mebibytes "$worker_memory")
    for i in "${!names[@]}"; do
        echo "NodeName=${names[i]} NodeAddr=${addresses[i]} CPUs=$worker_cpus RealMemory=$memory State=UNKNOWN"
    done
    echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP DefMemPerCPU=$((memory / worker_cpus))"
}

# What programs of MPI are started with: the library comes with Open MPI, where that is asked for.
mpi() { if compgen -G '/usr/lib/*/libpmix.so.2' >/dev/null; then echo pmix; else echo none; fi; }

slurm_conf() {
    cat <<CONF
# Written by Isthmus; workers fetch it from the controller.
ClusterName=isthmus
SlurmctldHost=$HOSTNAME($address)
SlurmctldParameters=enable_configless
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
KillWait=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=$(mpi)
ReturnToService=2
SlurmdTimeout=30
PropagateResourceLimits=NONE
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
CONF
    if [[ $rest_api == true ]]; then
        echo AuthAltTypes=auth/jwt
        echo AuthAltParameters=jwt_key=/etc/slurm/jwt.key
    fi
    if [[ $accounting == true ]]; then
        echo AccountingStorageType=accounting_storage/slurmdbd
        echo "AccountingStorageHost=$HOSTNAME"
    fi
    node_lines
}

# The database knows slurmdbd by its Unix user, so that there is no password to keep.
slurmdbd_conf() {
    cat <<CONF
AuthType=auth/munge
DbdHost=$HOSTNAME
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
LogFile=/var/log/slurm/slurmdbd.log
PidFile=/var/lib/slurm/slurmdbd.pid
CONF
}

add_user "$user"
key_of "$munge_key" | put /etc/munge/munge.key munge: 400
slurm_conf | put /etc/slurm/slurm.conf root: 644
# No cgroups: they are not writable in a container, and the machines themselves are limited.
put /etc/slurm/cgroup.conf root: 644 <<<CgroupPlugin=disabled
if [[ $rest_api == true ]]; then key_of "$jwt_key" | put /etc/slurm/jwt.key slurm: 600; fi
if [[ $accounting == true ]]; then slurmdbd_conf | put /etc/slurm/slurmdbd.conf slurm: 600; fi
