#!/bin/bash
# Counts the primes below two million on all workers at once and checks the sum. Run it on the controller
# as the login user; it waits until the workers are there.
#   slurm-primes.sh [NODES]      default: every worker of the partition
set -euo pipefail

nodes=${1:-$(sinfo --noheader --format=%D --partition=main)}

# Each task takes its share of the range; srun gives the program to every task by standard input.
shares=$(srun --nodes="$nodes" --ntasks-per-node=1 --quiet python3 - <<'PYTHON'
import os
import socket

LIMIT = 2_000_000
rank, tasks = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
low, high = max(2, LIMIT * rank // tasks), LIMIT * (rank + 1) // tasks

root = int(LIMIT**0.5) + 1
small = [n for n in range(2, root) if all(n % d for d in range(2, int(n**0.5) + 1))]
prime = bytearray([1]) * (high - low)
for p in small:
    first = max(p * p, (low + p - 1) // p * p)
    prime[first - low :: p] = bytes(len(range(first, high, p)))
print(f"{socket.gethostname()} found {sum(prime)} primes in [{low}, {high})")
PYTHON
)

sort --version-sort <<<"$shares"
awk -v nodes="$nodes" '
    { hosts[$1] = 1; total += $3 }
    END {
        printf "%d primes below 2000000, counted on %d machines\n", total, length(hosts)
        if (total != 148933) { print "wrong: there are 148933"; exit 1 }
        if (length(hosts) != nodes) { print "wrong: not every machine took part"; exit 1 }
    }' <<<"$shares"
