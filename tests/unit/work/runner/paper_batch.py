"""A batch system whose nodes meet by files in a folder, for tests of what spans nodes."""

from __future__ import annotations

import os
import time
from pathlib import Path


class Meeting:
    def __init__(self) -> None:
        self.rank, self.size = int(os.environ["RANK"]), int(os.environ["SIZE"])
        self._folder = Path(os.environ["PAPER"])

    def post(self, name: str, value: str) -> None:
        new = self._folder / (name + ".new")
        new.write_text(value)
        new.rename(self._folder / name)

    def read(self, name: str, patience: float) -> str:
        until = time.monotonic() + patience
        while not (self._folder / name).exists():
            if time.monotonic() > until:
                raise TimeoutError(name)
            time.sleep(0.01)
        return (self._folder / name).read_text()
