#!/bin/bash
# Counts the primes below 200,000 in twenty jobs and checks the sum. Run it on the manager as the user.
#   condor-primes.sh [JOBS]
set -euo pipefail

jobs=${1:-20}
folder=$(mktemp -d "$HOME/primes.XXXXXX")
cd "$folder"

cat >count.py <<'PYTHON'
import socket
import sys

LIMIT = 200_000
job, jobs = int(sys.argv[1]), int(sys.argv[2])
low, high = max(2, LIMIT * job // jobs), LIMIT * (job + 1) // jobs
found = sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(low, high))
print(f"{socket.gethostname()} found {found} primes in [{low}, {high})")
PYTHON

cat >primes.sub <<SUB
executable              = /usr/bin/python3
transfer_executable     = False
arguments               = count.py \$(Process) $jobs
transfer_input_files    = count.py
should_transfer_files   = YES
when_to_transfer_output = ON_EXIT
output                  = out.\$(Process)
error                   = err.\$(Process)
log                     = primes.log
request_cpus            = 1
request_memory          = 64M
request_disk            = 16M
queue $jobs
SUB

condor_submit -terse primes.sub
condor_wait -wait 300 primes.log
cat err.*
cat out.* | sort --version-sort --key=6
awk -v jobs="$jobs" '
    { hosts[$1] = 1; total += $3 }
    END {
        printf "%d primes below 200000, counted by %d jobs on %d machines\n", total, NR, length(hosts)
        if (total != 17984) { print "wrong: there are 17984"; exit 1 }
        if (NR != jobs) { print "wrong: not every job told its share"; exit 1 }
    }' out.*
