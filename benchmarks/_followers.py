"""Followers of one log: 100 of a job's by the API, and as many sessions of ``ssh`` with ``tail --follow``.

Each line is the moment at which it was written; a follower notes how long after that it has the line. Nothing is
written before all of them follow.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from _cluster import USER, Cluster
from common import cpu_seconds

PAUSE = 0.1
"""Seconds between two lines."""
AT_ONCE = 8
"""Sessions of ssh that begin at the same time: sshd turns away more than ten."""
GO = f"/home/{USER}/go"
OUTPUT = f"/home/{USER}/speaker.out"
_LINE = re.compile(rb"([0-9]{10}\.[0-9]{9})\r?\n")
Ready = Callable[[], None]


def speaker(lines: int) -> str:
    """A script that says the time ``lines`` times, once it may."""
    wait = f"while [ ! -e {GO} ]; do sleep 0.05; done"
    return f"{wait}; i=0; while [ $i -lt {lines} ]; do date +%s.%N; sleep {PAUSE}; i=$((i+1)); done"


@dataclass(frozen=True, slots=True)
class Heard:
    """How late each line was at each follower, and the seconds of CPU that serving them took."""

    delays: Sequence[float]
    cpu: float


def by_api(place: Cluster, job: str, followers: int, lines: int) -> Heard:
    """Followers of a job's log by ``GET /v1/jobs/J/log?follow=true``."""
    url, token = urlsplit(place.server.url), place.server.token
    head = f"GET /v1/jobs/{job}/log?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    async def follow(ready: Ready) -> list[float]:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        try:
            writer.write(head)
            status = await reader.readline()
            if b" 200 " not in status:
                raise SystemExit(f"the log: {status.decode()}")
            ready()
            return await hear(reader, lines)
        finally:
            writer.close()

    begun = 0.0

    def go() -> None:
        nonlocal begun
        begun = cpu_seconds(place.server.pid)
        place.user(f"touch {GO}")

    delays = asyncio.run(_all(follow, followers, go))
    return Heard(delays, cpu_seconds(place.server.pid) - begun)


def by_ssh(place: Cluster, followers: int, lines: int) -> Heard:
    """Followers by ``ssh CONTROLLER tail --follow`` of a bare job's output; the CPU is that of the ssh processes."""
    used = 0.0
    with tempfile.TemporaryDirectory() as folder:
        login = place.login(Path(folder) / "key")
        tail = f"echo ready; exec tail --follow --sleep-interval=0.2 --lines=+1 {OUTPUT} 2>/dev/null"

        async def follow(ready: Ready) -> list[float]:
            nonlocal used
            async with turns:
                process = await asyncio.create_subprocess_exec(
                    *login, tail, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
                )
                if process.stdout is None or await process.stdout.readline() != b"ready\n":
                    raise SystemExit("ssh does not come through")
            before = cpu_seconds(process.pid)
            ready()
            try:
                return await hear(process.stdout, lines)
            finally:
                used += cpu_seconds(process.pid) - before
                process.terminate()
                await process.wait()

        async def all_of_them() -> list[float]:
            return await _all(follow, followers, lambda: place.user(f"touch {GO}"))

        turns = asyncio.Semaphore(AT_ONCE)
        delays = asyncio.run(all_of_them())
    return Heard(delays, used)


async def _all(
    follow: Callable[[Ready], Awaitable[list[float]]], followers: int, go: Callable[[], object]
) -> list[float]:
    """Let all begin, give the sign, and answer every delay."""
    waiting, all_ready = followers, asyncio.Event()

    def ready() -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting:
            all_ready.set()

    tasks = [asyncio.ensure_future(follow(ready)) for _ in range(followers)]
    sign = asyncio.ensure_future(all_ready.wait())
    await asyncio.wait([sign, *tasks], return_when=asyncio.FIRST_COMPLETED)
    sign.cancel()
    if all_ready.is_set():
        await asyncio.to_thread(go)
    return [delay for delays in await asyncio.gather(*tasks) for delay in delays]


async def hear(reader: asyncio.StreamReader, lines: int) -> list[float]:
    """How late each line is."""
    delays: list[float] = []
    rest = b""
    while len(delays) < lines:
        data = await reader.read(65536)
        now = time.time()
        if not data:
            raise SystemExit(f"a follower had {len(delays)} lines of {lines}")
        rest += data
        found = list(_LINE.finditer(rest))
        delays += [now - float(line[1]) for line in found]
        rest = rest[found[-1].end() :] if found else rest
    return delays
