#!/bin/bash
# Writes what HTCondor needs to know on this machine, and the secrets of the pool.
#   role                          manager or worker
#   user, pool_password           the same on all machines of the pool
#   manager_address               where collector and schedd are
#   manager_name                  whose schedd a worker obeys when a job needs several workers at once
#   cpus, memory                  what each worker has
set -euo pipefail
. "${0%/*}/common.sh"

# A login user, the same number on all machines, that accepts the keys of whoever configures the machine.
# The password is `*`, which nobody can type, since sshd may refuse a locked account.
add_user() {
    if ! getent passwd "$user" >/dev/null; then
        # The number comes from the name: the same on every machine, another one for another user.
        useradd --create-home --shell /bin/bash --password '*' --uid $((20000 + $(cksum <<<"$user" | cut -d' ' -f1) % 30000)) "$user"
    fi
    local keys home
    keys=$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)/.ssh/authorized_keys
    home=$(getent passwd "$user" | cut -d: -f6)
    if [[ -r $keys && -d $home ]]; then
        install -d -o "$user" -g "$user" -m 700 "$home/.ssh"
        install -o "$user" -g "$user" -m 600 "$keys" "$home/.ssh/authorized_keys"
    fi
}

# mebibytes SIZE: a size such as "2 GiB" or "500 MB" in MiB, less a tenth, which the system keeps.
mebibytes() {
    local size=${1// /}
    size=${size^^}
    size=${size%B}
    echo $(( $(numfmt --from=auto "${size/%I/i}") * 9 / 10 / 1048576 ))
}

# Host names come from the deployment, not from a DNS that may know none of them. The machines share no
# files, hence each has a file system domain of its own.
pool_config() {
    cat <<CONF
CONDOR_HOST = $manager_address
NETWORK_HOSTNAME = $ISTHMUS_INSTANCE
TRUST_DOMAIN = isthmus
UID_DOMAIN = isthmus
TRUST_UID_DOMAIN = True
FILESYSTEM_DOMAIN = $ISTHMUS_INSTANCE

use security:recommended_v9_0
# The two sides of a job that runs on several workers know each other by the session of their match.
ALLOW_READ = *@isthmus, *@matchsession
ALLOW_WRITE = *@isthmus, *@matchsession
ALLOW_DAEMON = condor@isthmus
ALLOW_NEGOTIATOR = condor@isthmus
ALLOW_ADMINISTRATOR = condor@isthmus, root@isthmus

UPDATE_INTERVAL = 5
MASTER_UPDATE_INTERVAL = 5

# In a container neither cgroups nor the kernel are there to be changed.
BASE_CGROUP =
ENABLE_KERNEL_TUNING = False
DISCARD_SESSION_KEYRING_ON_STARTUP = False
CONF
}

manager_config() {
    cat <<CONF
DAEMON_LIST = MASTER COLLECTOR NEGOTIATOR SCHEDD
# Two matches of the same worker within a moment would lose a claim of the dedicated scheduler: its second request is
# refused, and then it knows of neither. So a cycle begins when the collector has heard of what the last one claimed.
NEGOTIATOR_INTERVAL = 3
NEGOTIATOR_MIN_INTERVAL = 3
NEGOTIATOR_CYCLE_DELAY = 3
SCHEDD_INTERVAL = 2
SCHEDD_MIN_INTERVAL = 1
JOB_START_DELAY = 0

# A job that does not say what it needs has one CPU's share of a worker's memory.
JOB_DEFAULT_REQUESTMEMORY = $(( $(mebibytes "$memory") / cpus ))
JOB_DEFAULT_REQUESTCPUS = 1

# What jobs may not do is looked at often. There are no cgroups that would hold a job to its memory.
PERIODIC_EXPR_INTERVAL = 5
SHADOW_QUEUE_UPDATE_INTERVAL = 60
SYSTEM_PERIODIC_HOLD = JobStatus == 2 && MemoryUsage > RequestMemory
SYSTEM_PERIODIC_HOLD_REASON = strcat("Job has gone over memory limit of ", RequestMemory, " megabytes. Peak usage: ", MemoryUsage, " megabytes.")
SYSTEM_PERIODIC_HOLD_SUBCODE = 34

# Workers that a job of several had are given back soon. The history of some ten thousand jobs is kept.
UNUSED_CLAIM_TIMEOUT = 5
MAX_HISTORY_LOG = 50000000
MAX_HISTORY_ROTATIONS = 4
CONF
}

worker_config() {
    cat <<CONF
DAEMON_LIST = MASTER STARTD
NUM_CPUS = $cpus
MEMORY = $(mebibytes "$memory")
use FEATURE:PartitionableSlot
MODIFY_REQUEST_EXPR_REQUESTMEMORY = RequestMemory
MODIFY_REQUEST_EXPR_REQUESTDISK = RequestDisk
use POLICY:ALWAYS_RUN_JOBS
STARTER_UPDATE_INTERVAL = 2
STARTER_INITIAL_UPDATE_INTERVAL = 2
PROCD_MAX_SNAPSHOT_INTERVAL = 2
DedicatedScheduler = "DedicatedScheduler@$manager_name"
STARTD_ATTRS = \$(STARTD_ATTRS), DedicatedScheduler
RANK = Scheduler =?= \$(DedicatedScheduler)
RunBenchmarks = 0
CONF
}

# The password signs the tokens, and the token of this machine is made with it: nothing has to be
# fetched from the manager. Neither ever stands on a command line.
write_secrets() {
    install -d -m 700 /etc/condor/passwords.d /etc/condor/tokens.d
    if [[ -s /etc/condor/tokens.d/pool ]]; then return; fi
    printf %s "$pool_password" | condor_store_cred add -c -i - >/dev/null
    condor_token_create -identity condor@isthmus >/etc/condor/tokens.d/.pool
    chmod 600 /etc/condor/tokens.d/.pool
    mv /etc/condor/tokens.d/.pool /etc/condor/tokens.d/pool
}

add_user
{ pool_config; "${role}_config"; } | put /etc/condor/config.d/50-pool.config 644
write_secrets
