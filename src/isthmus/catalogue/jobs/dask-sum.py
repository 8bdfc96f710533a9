"""Sums square roots on every worker of a Dask cluster and checks the sum.

    python3 dask-sum.py tcp://ADDRESS:8786 [WORKERS]

The functions are those of libraries, so that a client with another version of Python can send them too.
"""

# mypy: ignore-errors
# It runs where Dask is, which Isthmus itself does not need.

import math
import sys

from distributed import Client

address = sys.argv[1]
workers = int(sys.argv[2]) if len(sys.argv) > 2 else 1

with Client(address, timeout=30) as client:
    client.wait_for_workers(workers, timeout=60)
    roots = client.map(math.isqrt, range(1000))
    total = client.submit(sum, roots).result(timeout=60)
    names = {worker["id"] for worker in client.scheduler_info()["workers"].values()}
    busy = {address for holders in client.who_has(roots).values() for address in holders}
    print(f"workers: {' '.join(sorted(names))}")
    print(f"sum of the integer square roots below 1000: {total}, from {len(busy)} workers")
    if total != sum(math.isqrt(n) for n in range(1000)):
        sys.exit("wrong sum")
    if len(busy) < workers:
        sys.exit("not every worker took part")
