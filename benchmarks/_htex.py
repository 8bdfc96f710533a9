"""Tasks of ``true`` by Parsl's HighThroughputExecutor: run by jobs_local.py in an environment that has Parsl.

Prints the seconds from the first call to the last result; starting the executor and a first task are not in it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider


@parsl.bash_app
def true() -> str:
    """One task."""
    return "true"


def main(tasks: int, workers: int) -> float:
    """Seconds that so many tasks take."""
    executor = HighThroughputExecutor(
        label="htex", max_workers_per_node=workers, encrypted=False, address="127.0.0.1",
        provider=LocalProvider(init_blocks=1, max_blocks=1),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, parsl.load(_config(executor, folder)):
        true().result()
        begun = time.perf_counter()
        for future in [true() for _ in range(tasks)]:
            future.result()
        return time.perf_counter() - begun


def _config(executor: HighThroughputExecutor, folder: str) -> Config:
    return Config(executors=[executor], run_dir=folder, initialize_logging=False)


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
