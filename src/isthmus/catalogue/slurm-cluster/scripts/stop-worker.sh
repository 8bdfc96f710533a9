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
# A slurmd that has just ended a job and cannot tell a controller that stops as well waits until systemd
# kills it, for a minute and a half. What it must wait for is KillWait, after which no job lives.
end() {
    local child
    for child in $(pgrep -P "$1"); do end "$child"; done
    kill -KILL "$1" 2>/dev/null || true
}

systemctl stop --no-block slurmd
for _ in {1..60}; do
    if [[ $(systemctl is-active slurmd) != @(active|deactivating) ]] || ! pidof slurmstepd >/dev/null; then break; fi
    sleep 0.1
done
systemctl kill --signal=KILL slurmd 2>/dev/null || true
for step in $(pidof slurmstepd); do end "$step"; done
