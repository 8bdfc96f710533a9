"""Tasks for tests: an order is written, the supervisor started as a scheduler would, and its words are read."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from isthmus.work.job import Container, JobSpec

ID = "0123456789ab-1"
SOURCES = str(Path(__file__).parents[3] / "src")


def sh(script: str, name: str = "main", **more: Any) -> Container:
    """A plain process that runs ``script`` in a shell."""
    return Container(name, command=("sh", "-c", script), **more)


class Supervised:
    """One task of a submission in ``folder``."""

    def __init__(self, folder: Path, spec: JobSpec, index: int = 0, id: str = ID, stream: bool = False, **runtime: Any):
        self.folder = folder
        self.index = index
        self.place = folder / "tasks" / str(index)
        runtime = {"kind": "process", "restart_delay": 0.05, **runtime}
        order = {"id": id, "name": "a job", "indices": [index], "spec": asdict(spec), "runtime": runtime}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "order.json").write_text(json.dumps({**order, "stream": stream}))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        run = ["run", "--submission", str(self.folder), "--index", str(self.index)]
        return [sys.executable, "-m", "isthmus.work.runner", *run]

    def run(self, timeout: float = 60, **env: str) -> int:
        """Run it to its end; the exit code."""
        self.start(**env)
        return self.wait(timeout)

    def start(self, stdout: int | None = None, **env: str) -> None:
        env = {**os.environ, "PYTHONPATH": SOURCES, **env}
        self.process = subprocess.Popen(self.command, env=env, stdout=stdout)

    def wait(self, timeout: float = 60) -> int:
        assert self.process is not None
        return self.process.wait(timeout)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads((self.place / "status.json").read_text())
        return status

    def container(self, name: str = "main") -> dict[str, Any]:
        return next(c for c in self.status["containers"] if c["name"] == name)

    def log(self, container: str = "main", run: int = 0, stream: str | None = None) -> str:
        """What a container wrote, put together again."""
        return read_log(self.place / "log" / f"{container}.{run}.log", stream).decode()

    def until(self, what: Callable[[], Any], timeout: float = 60) -> None:
        """Wait until something is so of a task that may not have told anything yet."""
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(FileNotFoundError, StopIteration):
                if what():
                    return
            assert time.monotonic() < deadline, "it did not become so in time"
            time.sleep(0.01)


def read_log(path: Path, stream: str | None = None) -> bytes:
    """What a program wrote, put together again from a log: all of it, or one of its streams."""
    text: list[bytes] = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        _, name, tag, words = line.split(b" ", 3)
        if stream is None or name.decode() == stream:
            text += (words, b"\n" if tag == b"F" else b"")
    return b"".join(text)


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextlib.contextmanager
def supervised(*arguments: Any, **options: Any) -> Iterator[Supervised]:
    task = Supervised(*arguments, **options)
    try:
        yield task
    finally:
        task.stop()
