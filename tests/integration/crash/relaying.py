"""Two workers on PostgreSQL; whichever does the work is killed in the middle, and the other one takes over.

A program of its own, since it forks: `python -m tests.integration.crash.relaying FOLDER URL FIRST LAST`. Each round
leads one deployment through the steps of :mod:`tests.integration.crash.killing`, with one kill in each step, at
another place in each round: inside or right after a transaction, before, in the middle of or after a site call.
The one that is left waits for the lease to expire and goes on; then another is started beside it. After each
step the world is compared, by listing, with what it must be. Prints one JSON object for each kill.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from isthmus.sites.fake import Fault, Kind
from isthmus.store import Store
from isthmus.store import leases as lease_rows
from isthmus.topology import Topology
from tests.unit.engine.harness import Harness

from .killing import ID, STEPS, Outcome, Step, compare

LEASE = 0.4
PATIENCE = 120.0
COUNTDOWN: Any = multiprocessing.Value("i", 0)
"""Counts down the transactions of all workers together; who brings it to 0 dies. Negative: nobody counts."""
INSIDE: Any = multiprocessing.Value("b", False)


class RelayStore(Store):
    """A store in which the transaction that brings the countdown to its end kills its process."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with super().write() as connection:
            yield connection
            dies = self._counts(connection)
            if dies and INSIDE.value:
                os.kill(os.getpid(), signal.SIGKILL)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def _counts(connection: Connection) -> bool:
        # Only what is written while somebody holds a lease: heartbeats and looks of an idle worker are no work.
        if COUNTDOWN.value < 0 or not lease_rows.owners(connection):
            return False
        with COUNTDOWN.get_lock():
            COUNTDOWN.value -= 1
            return bool(COUNTDOWN.value == 0)


class Asked(dict[str, Topology]):
    """The topology of each deployment: that of the step that was asked for last, whoever asks, in any process."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __setitem__(self, id_: str, topology: Topology) -> None:
        place = next(n for n, step in enumerate(STEPS) if step.topology is topology)
        (self.folder / f"{id_}.new").write_text(str(place))
        (self.folder / f"{id_}.new").rename(self.folder / id_)

    def __getitem__(self, id_: str) -> Topology:
        return STEPS[int((self.folder / id_).read_text())].topology

    def __len__(self) -> int:
        return len([f for f in self.folder.iterdir() if len(f.name) == len(ID)])


class Relay:
    """The two workers, each a forked process."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.topologies = Asked(folder)
        self.workers: set[int] = set()

    def harness(self) -> Harness:
        harness = Harness(self.folder, url=self.url)
        harness.topologies = self.topologies
        return harness

    def fill_up(self) -> None:
        """Have two workers."""
        while len(self.workers) < 2:
            child = os.fork()
            if child == 0:
                with suppress(KeyboardInterrupt):
                    self._work()
                os._exit(1)
            self.workers.add(child)

    def _work(self) -> None:
        harness = Harness(self.folder, url=self.url, store=RelayStore)
        harness.topologies = self.topologies

        async def forever() -> None:
            async with harness.engine(lease_seconds=LEASE, tick_seconds=3600) as worker:
                await worker.run()

        asyncio.run(forever())

    def bury(self) -> int:
        """How many workers have died since the last time; one that ended otherwise is an error."""
        dead = 0
        for child in list(self.workers):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                self.workers.remove(child)
                assert os.WIFSIGNALED(status), f"a worker ended by itself: {status}"
                assert os.WTERMSIG(status) == signal.SIGKILL, f"a worker ended by signal {os.WTERMSIG(status)}"
                dead += 1
        return dead

    def end(self) -> None:
        for child in self.workers:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.workers.clear()


def order_kill(harness: Harness, depth: int, way: int) -> str:
    """Set the place of a kill: how deep into the step, and in which way; answers its name."""
    harness.world.clear_rules()
    COUNTDOWN.value = -1
    if way < 2:
        INSIDE.value = way == 0
        COUNTDOWN.value = 2 + 4 * depth
        return f"{'in' if way == 0 else 'after'} write {COUNTDOWN.value}"
    kind = (Kind.CRASH_BEFORE, Kind.CRASH_DURING, Kind.CRASH_AFTER)[way - 2]
    at = depth // 2 if kind is Kind.CRASH_DURING else depth + 1
    harness.world.set_fault(Fault("*", kind=kind, after=at))
    return f"{kind} call {at}"


def run_step(relay: Relay, step: Step, id_: str, depth: int, way: int) -> Outcome:
    """Ask for a step while two workers live, kill one in the middle, and wait for the other to finish."""
    harness = relay.harness()
    with harness.store.read() as c:
        assert not lease_rows.owners(c)
    relay.topologies[id_] = step.topology
    step.before(harness, id_)
    kill = order_kill(harness, depth, way)
    harness.change(id_, **step.change)
    killed, end = 0, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        killed += relay.bury()
        row = harness.row(id_)
        with harness.store.read() as c:
            busy = bool(lease_rows.owners(c))
        if row.due is None and not busy and row.version == row.converged_version:
            break
        time.sleep(0.02)
    COUNTDOWN.value = -1
    harness.world.clear_rules()
    killed += relay.bury()
    wrong = compare(harness, step, id_)
    harness.store.close()
    harness.world.close()
    return Outcome(step.name, kill, killed == 1, [*wrong, *([f"{killed} were killed"] if killed > 1 else [])])


def main(folder: Path, url: str, rounds: range) -> None:
    folder.mkdir(parents=True)
    relay = Relay(folder, url)
    first = relay.harness()
    ids = [first.create(STEPS[0].topology, f"d{n}", due=None) for n in rounds]
    first.store.close()
    first.world.close()
    try:
        for number, id_ in zip(rounds, ids, strict=True):
            for place, step in enumerate(STEPS):
                relay.fill_up()
                outcome = run_step(relay, step, id_, number, (number + place) % 5)
                print(json.dumps(asdict(outcome)), flush=True)
    finally:
        relay.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], range(int(sys.argv[3]), int(sys.argv[4]) + 1))
