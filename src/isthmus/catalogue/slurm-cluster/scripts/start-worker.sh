#!/bin/bash
# Starts slurmd without waiting: it joins as soon as the controller knows this worker.
set -euo pipefail
. "${0%/*}/common.sh"

start_munge
enable slurm-hosts.path
enable slurmd.service
systemctl start slurm-hosts.path
# Jobs outlive their slurmd, so that a restart disturbs none.
if is_unread slurmd; then
    systemctl --no-block restart slurmd
else
    systemctl --no-block start slurmd
fi
note_read slurmd
