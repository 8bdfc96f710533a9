"""This machine as a batch system: what the agent asks of the queue on it. Travels as ``batch.py``."""

from __future__ import annotations

import getpass
import json
import os
import platform
import shutil
import signal
import socket
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from isthmus.work.runner.failures import Permanent, Temporary
from isthmus.work.runner.places import write_whole
from isthmus.work.runner.shapes import shapes

from . import machine
from .capacity import Capacity
from .door import Door, launch
from .ledger import Ledger
from .want import Want

_MARGIN = 15.0
"""Seconds after the grace of a cancelled task at which the queue ends what is left of it."""
_START = "import sys; sys.path.insert(0, sys.argv[1]); from {0} import keep_queue; keep_queue(*sys.argv[2:])"


class Batch:
    """The queue of one folder of jobs.

    ``config``: ``cpus`` and ``memory`` (bytes) that tasks may have together, by default all of this machine;
    ``socket`` of the container engine, if one is to be used; ``idle``, seconds after which a queue process
    without work ends.
    """

    def __init__(self, config: Dict[str, Any], root: Path) -> None:
        self._config, self._folder = config, root / "queue"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._capacity = Capacity.of(config)
        self._ledger = Ledger(self._folder / "ledger.db", durable=True)
        self._door = Door(self._folder)
        self._command = _command(self._folder, config)
        self._checked = False

    def close(self) -> None:
        """Let go of the ledger; the queue goes on."""
        self._ledger.close()

    def submit(self, orders: List[Dict[str, Any]]) -> Sequence[Optional[Dict[str, Any]]]:
        """Write each into the ledger, or say why this machine could never run it; then wake the queue."""
        answers = []  # type: List[Optional[Dict[str, Any]]]
        now, boot, numbers = time.time(), machine.boot(), []
        with self._ledger.transaction():
            for entry in orders:
                try:
                    want = self._wanted(entry["order"]["spec"])
                except Permanent as refusal:
                    answers.append(refusal.told())
                    continue
                indices = entry["order"]["indices"]
                number = self._ledger.add(entry["id"], str(entry["folder"]), want, indices, now, boot)
                numbers.append((entry["folder"], number))
                answers.append(None)
        for folder, number in numbers:
            # The ledger is what lasts: without this file the submission is found in it by its name.
            write_whole(folder / "site-id", str(number).encode(), durable=False)
        if numbers:
            self._rouse()
        return answers

    def _wanted(self, spec: Mapping[str, Any]) -> Want:
        asked = spec.get("resources") or {}
        for name in spec.get("options") or {}:
            raise Permanent("option {!r}: the queue of this machine knows no options".format(name))
        if asked.get("nodes", 1) > 1:
            raise Permanent(
                "asks {} nodes, this site is one machine; `isthmus sites` shows others".format(asked["nodes"])
            )
        if spec.get("launch", "once") == "each" and asked.get("tasks", 1) > 1:
            raise Permanent("launch: this site has no launcher for a job of several processes")
        want = Want.of(spec)
        refusal = self._capacity.refusal(want)
        if refusal is not None:
            raise Permanent(refusal)
        return want

    def find(self, ids: Sequence[str]) -> Dict[str, str]:
        """The numbers of those submissions that the ledger has."""
        return {id: str(number) for id, number in self._ledger.numbers(ids).items()}

    def query(self, site_ids: Dict[str, str]) -> Mapping[str, Mapping[int, Mapping[str, Any]]]:
        """How tasks stand, by one look into the ledger; starts the queue process if it is gone and has work."""
        told = self._ledger.tell(list(site_ids))
        if not all(task["ended"] for tasks in told.values() for task in tasks.values()):
            self._rouse()
        host = platform.node()
        return {
            id: {index: dict(task, site_id=site_ids[id], host=host) for index, task in tasks.items()}
            for id, tasks in told.items()
        }

    def cancel(
        self, tasks: Dict[str, Tuple[str, Optional[List[int]]]], grace: float, order: Dict[str, Dict[str, Any]]
    ) -> None:
        """Withdraw what waits, ask what runs to end, and have the queue see to it that it does."""
        now = time.time()
        asked = []  # type: List[Any]
        with self._ledger.transaction():
            for id, (_, indices) in tasks.items():
                self._ledger.withdraw(id, indices, now)
                running = self._ledger.running(id, indices)
                self._ledger.doom(running, now + grace + _MARGIN)
                asked += running
        for row in asked:
            if row["boot"] == machine.boot() and machine.born(row["pid"]) == row["born"]:
                try:
                    os.kill(row["pid"], signal.SIGTERM)
                except ProcessLookupError:
                    continue
        if asked:
            self._rouse()

    def facilities(self) -> Dict[str, Any]:
        """This machine, as one queue."""
        counts, used = self._ledger.counts(), self._ledger.used()
        free = max(0.0, self._capacity.cpus - used)
        gpus = {}  # type: Dict[str, int]
        for model in self._capacity.gpus.values():
            gpus[model] = gpus.get(model, 0) + 1
        queue = {
            "name": "local", "default": True, "state": "up", "nodes": 1, "cpus": int(self._capacity.cpus),
            "free_cpus": int(free), "memory": self._capacity.memory, "gpus": gpus, "time_limit": None,
            "queued": counts["queued"], "running": counts["running"],
            "wait": 0.0 if free >= 1 and not counts["queued"] else None,
            "shapes": shapes([(self._capacity.cpus, self._capacity.memory, gpus)]),
        }  # fmt: skip
        runtimes = ["engine"] if _answers(self._config.get("socket") or "") else []
        return {
            "scheduler": "local", "version": platform.release(), "partitions": [queue], "runtimes": runtimes,
            "accounts": [], "user": getpass.getuser(),
        }  # fmt: skip

    def _rouse(self) -> None:
        """Have a queue process of this program and configuration look at the ledger, now."""
        if not self._checked:
            self._checked = True
            self._relieve()
        for _ in range(3):
            if self._door.knock():
                return
            launch(self._command, self._folder / "log")
        if not self._door.knock():
            raise Temporary(
                "the queue process does not start; {} on this machine says why".format(self._folder / "log")
            )

    def _relieve(self) -> None:
        """End a queue process of another version, or with other settings: ours takes over its tasks."""
        known = self._door.who()
        if not known or known["command"] == self._command:
            return
        os.kill(known["pid"], signal.SIGTERM)
        deadline = time.monotonic() + 10
        while self._door.who() and time.monotonic() < deadline:
            time.sleep(0.01)


def keep_queue(folder: str, config: str) -> None:
    """What a queue process does. All that a task needs is loaded now, so that its worker has not to load it."""
    import subprocess  # noqa: F401

    import isthmus.work.runner.runtimes.engine
    import isthmus.work.runner.runtimes.process
    import isthmus.work.runner.task  # noqa: F401
    from isthmus.work.runner import runtimes, supervisor
    from isthmus.work.runner.order import Order

    from . import process
    from .worker import RUN, Keep

    def perform(what: str, task: str, index: int, keep: Keep) -> int:
        if what == RUN:
            return supervisor.run(task, index, keep)
        runtimes.sweep(Order(task, index))
        return 0

    settings = json.loads(config)
    process.main(Path(folder), settings, _command(Path(folder), settings), perform)


def _command(folder: Path, config: Mapping[str, Any]) -> List[str]:
    top = _unpacked(Path(__file__).parents[__package__.count(".") + 1])
    kept = {name: config[name] for name in ("cpus", "memory", "idle") if config.get(name) is not None}
    start = _START.format(__package__ + ".batch")
    return [sys.executable, "-I", "-S", "-c", start, str(top), str(folder), json.dumps(kept, sort_keys=True)]


def _unpacked(top: Path) -> Path:
    """The folder of our sources: beside the program if that is an archive, of which Python keeps nothing compiled."""
    if top.is_dir():
        return top
    place = top.with_suffix("")
    if not place.is_dir():
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=str(top.parent)))
        with zipfile.ZipFile(str(top)) as archive:
            archive.extractall(str(new))
        try:
            new.rename(place)
        except OSError:  # somebody else was quicker
            shutil.rmtree(str(new))
    return place


def _answers(url: str) -> bool:
    if not url.startswith("unix://"):
        return False
    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.settimeout(1)
        try:
            knocking.connect(url[len("unix://") :])
        except OSError:
            return False
    return True
