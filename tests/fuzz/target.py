"""What atheris runs, started by `tests.fuzz.tosca`: each document is loaded in all ways, and what breaks is kept."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["isthmus"]):
    from .findings import SLOW, keep_failure, keep_slow
    from .mutations import mutate
    from .oracle import check
    from .packing import unpack
    from .seeds import built_in, public, public_names

PATIENCE = 60
"""Seconds after which a document that is timed again is taken to have no end."""

_PARTS = [*built_in().values(), *(d for d in map(public, public_names()[::8]) if len(d) < 10_000)]


class Target:
    """Tries documents and keeps those that break something in a folder; the fuzzer goes on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, data: bytes) -> None:
        begun = time.process_time()
        try:
            check(unpack(data))
        except Exception as error:  # whatever is raised is a finding
            keep_failure(self.folder, data, error)
        if time.process_time() - begun > SLOW:
            self.confirm(data)

    def confirm(self, data: bytes) -> None:
        """Time a document again in a process of its own, where nothing counts branches."""
        again = [sys.executable, "-m", "tests.fuzz.tosca", "--replay", "-"]
        try:
            done = subprocess.run(again, input=data, capture_output=True, timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            keep_slow(self.folder, data, f"no end after {PATIENCE} s")
            return
        told = done.stdout.decode()
        if "SLOW" in told:
            keep_slow(self.folder, data, told)


def change(data: bytes, max_size: int, seed: int) -> bytes:
    """A mutation that knows TOSCA, and now and then one of libFuzzer's own."""
    random = Random(seed)
    if random.random() < 0.1:
        return bytes(atheris.Mutate(data, max_size))
    return mutate(data, random, _PARTS)[:max_size]


def main() -> None:
    folder = Path(sys.argv[1])
    atheris.Setup([sys.argv[0], *sys.argv[2:]], Target(folder), custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
