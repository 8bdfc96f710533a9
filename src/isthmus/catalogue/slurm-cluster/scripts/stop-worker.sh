#!/bin/bash
# Takes the worker out of the cluster: its jobs are queued again elsewhere. Quick, controller or not.
# At the next boot slurmd waits for start-worker.sh: the controller may have another address then.
set -euo pipefail
. "${0%/*}/common.sh"

answers() { timeout 0.5 bash -c "exec 3<>/dev/tcp/$1/6817" 2>/dev/null; }

disable slurmd.service
. /etc/default/slurmd
if ! answers "$SLURMCTLD_ADDRESS"; then
    echo 'the controller does not answer; leaving without a word'
elif ! timeout 2 scontrol update "nodename=$ISTHMUS_INSTANCE" state=down reason='machine stops'; then
    echo 'the controller does not know this worker'
fi
systemctl stop slurmd
