#!/bin/bash
# Starts slurmctld, or lets a running one read its configuration again, which disturbs no job.
# Ends when slurmctld answers.
set -euo pipefail
. "${0%/*}/common.sh"

# await WHAT COMMAND...: until the command succeeds, half a minute at most.
await() {
    local what=$1 deadline=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        if (( SECONDS > deadline )); then
            echo "$what does not answer" >&2
            journalctl --quiet --no-pager --lines=20 --unit="$what" >&2
            exit 1
        fi
        sleep 0.05
    done
}

start_accounting() {
    enable mariadb.service
    enable slurmdbd.service
    systemctl start mariadb
    mariadb <<'SQL'
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED VIA unix_socket;
GRANT ALL ON slurm_acct_db.* TO slurm@localhost;
SQL
    systemctl start slurmdbd
    await slurmdbd sacctmgr --noheader show cluster
    sacctmgr --immediate --quiet add cluster isthmus >/dev/null || true # it is there already
}

start_controller() {
    enable slurmctld.service
    if ! systemctl --quiet is-active slurmctld; then
        systemctl start slurmctld
    elif is_unread slurm.conf || is_unread cgroup.conf; then
        scontrol reconfigure
    fi
    await slurmctld scontrol ping
    note_read slurm.conf
    note_read cgroup.conf
}

# A moment for workers that start at the same time: a job that comes before them waits for the next
# round of the scheduler, a second later. A worker that takes longer joins when it can.
greet_workers() {
    local try
    for try in {1..40}; do
        if ! sinfo --noheader --states=unknown,down --Format=nodelist | grep -q .; then return; fi
        sleep 0.025
    done
    echo 'not all workers have joined yet'
}

/usr/local/sbin/slurm-hosts
start_munge
enable slurm-hosts.path
systemctl start slurm-hosts.path
if [[ $accounting == true ]]; then start_accounting; fi
start_controller
greet_workers
if [[ $rest_api == true ]]; then
    enable slurmrestd.service
    systemctl start slurmrestd
fi
