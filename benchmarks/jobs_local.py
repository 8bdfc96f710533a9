"""Jobs on this machine: one ``true`` against ``docker run``, and an array of them against Parsl's HTEX.

Each through the driver as the server uses it: handed over, then asked for until it has ended. The program, the
agent and the queue process are there before. The image is busybox alone.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common import PYTHON, ROOT, Progress, Report, parse_arguments, run

from isthmus.sites.jobs import Submission
from isthmus.sites.local.driver import LocalDriver
from isthmus.sites.local.remote.door import Door
from isthmus.work.job import ENDED, Container, JobSpec, JobState

IMAGE = "localhost/isthmus-bench/busybox:1"
WORKERS = 2
NAMES = ("sh", "true")
say = Progress()
numbers = itertools.count(1)


@contextmanager
def busybox() -> Iterator[str]:
    """An image of a static busybox: this machine's, else Debian's package."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root" / "bin"
        root.mkdir(parents=True)
        shutil.copy(_program(Path(scratch)), root / "busybox")
        for name in NAMES:
            (root / name).symlink_to("busybox")
        archive = shutil.make_archive(f"{scratch}/image", "tar", root.parent)
        run("docker", "import", archive, IMAGE)
    try:
        yield IMAGE
    finally:
        run("docker", "rmi", IMAGE)


def _program(scratch: Path) -> Path:
    found = shutil.which("busybox")
    if found:
        return Path(found)
    subprocess.run(["apt-get", "download", "-q", "busybox-static"], cwd=scratch, check=True, capture_output=True)
    (package,) = scratch.glob("busybox-static*.deb")
    run("dpkg-deb", "-x", package, scratch / "package")
    return next(scratch.glob("package/**/bin/busybox"))


@contextmanager
def queue() -> Iterator[LocalDriver]:
    """A driver with a queue of its own, which ends with it."""
    with tempfile.TemporaryDirectory() as folder:
        yield LocalDriver("bench", {"jobs": {"folder": folder, "cpus": WORKERS}})
        if known := Door(Path(folder) / "queue").who():
            os.kill(known["pid"], signal.SIGTERM)
        while Door(Path(folder) / "queue").who():
            time.sleep(0.01)


async def through(driver: LocalDriver, image: str | None, tasks: int = 1) -> float:
    """Seconds until ``true`` has run so many times and is known to have succeeded."""
    array = None if tasks == 1 else tuple(range(tasks))
    spec = JobSpec((Container("main", image, ("true",)),), array=array)
    id = f"{0:012x}-{next(numbers)}"
    begun = time.perf_counter()
    (error,) = await driver.submit_jobs([Submission(id, "bench", spec, spec.indices)])
    if error is not None:
        raise SystemExit(str(error))
    while True:
        found = (await driver.look_at_jobs([id]))[id]
        if all(task.state in ENDED for task in found):
            break
        await asyncio.sleep(0.01 if tasks == 1 else 0.25)
    took = time.perf_counter() - begun
    if any(task.state != JobState.SUCCEEDED for task in found):
        raise SystemExit(f"a task failed: {next(t for t in found if t.state != JobState.SUCCEEDED)}")
    await driver.remove_jobs([id])
    return took


async def by_docker(image: str) -> float:
    """Seconds of ``docker run`` as a user types it."""
    begun = time.perf_counter()
    await asyncio.to_thread(run, "docker", "run", "--rm", image, "true")
    return time.perf_counter() - begun


async def rounds(count: int, *calls: Callable[[], Awaitable[float]]) -> list[float]:
    """The median of each call; who goes first changes from round to round."""
    took: list[list[float]] = [[] for _ in calls]
    for number in range(count + 1):
        for place in range(len(calls)):
            which = (number + place) % len(calls)
            seconds = await calls[which]()
            if number:  # the first round warms up
                took[which].append(seconds)
    return [statistics.median(times) for times in took]


async def measure(report: Report, tasks: int, count: int) -> None:
    with busybox() as image, queue() as driver:
        try:
            say(f"one `true`, {count} rounds")
            plain, contained, docker = await rounds(
                count, lambda: through(driver, None), lambda: through(driver, image), lambda: by_docker(image)
            )
            report.add("`true` in a container", contained, "s", docker, "docker run --rm", "≤ 1.5")
            report.add("`true` as a plain process", plain, "s", docker, "docker run --rm")
            say(f"{tasks} tasks, three rounds")

            async def htex() -> float:
                return float(json.loads(await asyncio.to_thread(_htex, tasks)))

            ours, theirs = await rounds(3 if count > 3 else 1, lambda: through(driver, None, tasks), htex)
            report.add(f"{tasks} × `true`, an array", tasks / ours, "tasks/s", tasks / theirs, "Parsl HTEX", "> 1")
        finally:
            await driver.close()


def _htex(tasks: int) -> str:
    script = str(ROOT / "benchmarks" / "_htex.py")
    uv = Path(PYTHON).with_name("uv")
    return run(
        uv, "run", "--isolated", "--no-project", "--python", PYTHON, "--with", "parsl", "python", script,
        str(tasks), str(WORKERS),
    )  # fmt: skip


def main() -> None:
    """Measure, and print."""
    arguments = parse_arguments(__doc__ or "")
    report = Report("jobs on this machine")
    asyncio.run(measure(report, 200 if arguments.quick else 1000, 3 if arguments.quick else 10))
    report.note(f"both run {WORKERS} tasks at once; an array's tasks each have a log, a status and a process group")
    report.show(arguments.json)


if __name__ == "__main__":
    main()
