"""What the benchmarks share: arguments, tables of ratios, servers of their own, and a clock."""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
ISTHMUS = Path(sys.executable).with_name("isthmus")
PATIENCE = 600
"""Seconds after which a program is taken to hang."""


def parse_arguments(about: str, *more: Callable[[argparse.ArgumentParser], object]) -> argparse.Namespace:
    """The arguments that every benchmark takes, and what ``more`` adds."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="less of everything, to see that it works")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    for add in more:
        add(parser)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is cleaned up
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside what it is set against; ``baseline`` None when it stands alone."""

    what: str
    value: float
    unit: str
    baseline: float | None = None
    against: str = ""
    goal: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.baseline if self.baseline else None


@dataclass(slots=True)
class Report:
    """What one benchmark found, printed at its end."""

    name: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self, what: str, value: float, unit: str = "s", baseline: float | None = None, against: str = "",
        goal: str = "",
    ) -> None:  # fmt: skip
        self.rows.append(Row(what, value, unit, baseline, against, goal))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def show(self, as_json: bool) -> None:
        """Print everything, with the load of the machine, which decides how far to believe it."""
        load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
        if as_json:
            rows = [{f: getattr(r, f) for f in (*Row.__slots__, "ratio")} for r in self.rows]
            answer = {"name": self.name, "rows": rows, "notes": self.notes, "load": load, "cpus": os.cpu_count()}
            print(json.dumps(answer, indent=1))
            return
        head = ("", "isthmus", "baseline", "ratio", "against", "goal")
        lines = [head, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        print(f"\n{self.name}: {os.cpu_count()} cpus, load {load}")
        for line in lines:
            aligned = [
                c.ljust(w) if i in (0, 4, 5) else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))
            ]
            print("  ".join(aligned).rstrip())
        for text in self.notes:
            print(f"  {text}")


def _cells(row: Row) -> tuple[str, ...]:
    baseline = "" if row.baseline is None else _number(row.baseline, row.unit)
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return (row.what, _number(row.value, row.unit), baseline, ratio, row.against, row.goal)


def _number(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return f"{text} {unit}"


class Progress:
    """Tells on stderr what goes on, so that stdout holds the result alone."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()

    def __call__(self, text: str) -> None:
        print(f"[{time.perf_counter() - self._begun:6.1f} s] {text}", file=sys.stderr, flush=True)


@contextmanager
def timed(times: dict[str, float], phase: str) -> Iterator[None]:
    """Add what the body takes to ``times[phase]``, in seconds."""
    begun = time.perf_counter()
    yield
    times[phase] = times.get(phase, 0.0) + time.perf_counter() - begun


def best_of(runs: int, call: Callable[[], T]) -> tuple[float, T]:
    """The shortest time of several calls, and what the last one answered."""
    best = float("inf")
    gc.collect()
    gc.disable()  # as timeit does: a collection would be counted to whatever runs at that moment
    try:
        for _ in range(runs):
            begun = time.perf_counter()
            answer = call()
            best = min(best, time.perf_counter() - begun)
    finally:
        gc.enable()
    return best, answer


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def run(*command: str | Path, stdin: str | None = None, **environment: str) -> str:
    """Run a program and answer what it printed; stops the benchmark with its words when it fails or hangs."""
    try:
        done = subprocess.run(
            [str(c) for c in command], input=stdin, capture_output=True, text=True, check=False,
            env={**os.environ, **environment}, timeout=PATIENCE,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{' '.join(map(str, command))[:200]}: no end after {PATIENCE} s") from None
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))[:200]}: {done.stderr.strip()[-2000:] or done.stdout[-2000:]}")
    return done.stdout


def at_once(call: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    """Call for all items at the same time; answers in their order."""
    with ThreadPoolExecutor(max(1, len(items))) as threads:
        return list(threads.map(call, items))


@dataclass(frozen=True, slots=True)
class Isthmus:
    """A server of the benchmark's own, in a home that goes away with it."""

    home: Path

    def __call__(self, *args: str) -> str:
        """Run an ``isthmus`` command."""
        return run(ISTHMUS, *args, ISTHMUS_HOME=str(self.home))

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which ``isthmus`` commands reach this server."""
        return {**os.environ, "ISTHMUS_HOME": str(self.home)}

    def ask(self, *args: str) -> Any:
        """What a command answers with ``--json``; of several lines the last one."""
        out = self(*args, "--json")
        try:
            return json.loads(out)
        except json.JSONDecodeError:
            return json.loads(out.splitlines()[-1])

    def get(self, path: str, method: str = "GET") -> Any:
        """What the API answers below ``/v1``; None for nothing."""
        asked = Request(f"{self.url}/v1{path}", headers={"Authorization": f"Bearer {self.token}"}, method=method)
        with urlopen(asked, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or "null")

    def delete_all(self) -> None:
        """Delete every deployment."""
        for deployment in self.ask("list"):
            self("delete", deployment["name"], "--yes")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The history of a deployment."""
        return [json.loads(line) for line in self("events", name, "--json").splitlines()]

    @property
    def url(self) -> str:
        return str(json.loads((self.home / "server.json").read_text())["url"])

    @property
    def pid(self) -> int:
        return int(json.loads((self.home / "server.json").read_text())["pid"])

    @property
    def token(self) -> str:
        return (self.home / "token").read_text().strip()


@contextmanager
def isthmus(config: str = "") -> Iterator[Isthmus]:
    """A running server with ``config`` as its config.yaml; its deployments are deleted at the end."""
    home = Path(tempfile.mkdtemp(prefix="isthmus-bench-"))
    (home / "config.yaml").write_text(config)
    server = Isthmus(home)
    try:
        server("server", "start")
        yield server
    finally:
        try:
            if "kind: fake" not in config:
                server.delete_all()
            server("server", "stop")
        finally:
            shutil.rmtree(home, ignore_errors=True)


def memory_and_threads(pid: int) -> tuple[float, int]:
    """Resident memory in MB, and the number of threads of a process (proc(5))."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) * 1024 / 1e6, int(status["Threads"])


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far, its threads included (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
