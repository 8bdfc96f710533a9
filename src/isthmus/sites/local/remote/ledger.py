"""The ledger: what was handed in and how each task stands, in one SQLite file that survives everybody.

Agents add submissions and cancel what waits; the one queue process says what runs and what has ended.
A task is a row, not a file, so that an array of thousands costs one write. One that runs without having
started was given to a worker in advance, which is at another; to all others it waits.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import time
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from .want import Want

VERSION = 2
_PATIENCE = 30.0
"""Seconds that a write waits for that of somebody else."""
_AT_ONCE = 500
"""Ids in one statement; SQLite takes 999 at least."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS submissions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, folder TEXT NOT NULL, want TEXT NOT NULL,
    queued REAL NOT NULL, boot TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
    seq INTEGER NOT NULL REFERENCES submissions(seq) ON DELETE CASCADE, idx INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', words TEXT NOT NULL DEFAULT '', exit_code INTEGER,
    pid INTEGER, born INTEGER, boot TEXT, slot INTEGER, gpus TEXT, kill_at REAL,
    started REAL, ended REAL, cpu_seconds REAL, peak_memory INTEGER, report TEXT,
    PRIMARY KEY (seq, idx)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unfinished ON tasks (state) WHERE state IN ('queued', 'running');
"""
_TOLD = ("state", "reason", "words", "exit_code", "queued", "started", "ended", "cpu_seconds", "peak_memory", "report")


class Ledger:
    """One connection to the file; for one thread at a time, and never used after a fork by the child."""

    def __init__(self, file: Path, durable: bool) -> None:
        """``durable`` writes outlive a power failure; without it they outlive only the death of the process."""
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = sqlite3.connect(str(file), timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = %s" % ("FULL" if durable else "NORMAL"))
        if self._version() == 0:
            with self.transaction():
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._db.execute(statement)
                self._db.execute("PRAGMA user_version = %d" % VERSION)
        if self._version() == 1:
            with self.transaction():
                if self._version() == 1:
                    self._db.execute("ALTER TABLE tasks ADD COLUMN report TEXT")
                    self._db.execute("PRAGMA user_version = 2")
        if self._version() != VERSION:
            raise OSError("%s was made by another version of this program (%d)" % (file, self._version()))

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written in it is there at once, or not at all; others who write wait."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # What agents do.

    def add(self, id: str, folder: str, want: Want, indices: Iterable[int], now: float, boot: str) -> int:
        """The number of the submission, which is added with all its tasks unless it is there."""
        number = self.number(id)
        if number is None:
            values = (id, folder, json.dumps(dataclasses.asdict(want)), now, boot)
            cursor = self._db.execute(
                "INSERT INTO submissions (id, folder, want, queued, boot) VALUES (?,?,?,?,?)", values
            )
            number = int(cursor.lastrowid or 0)
            rows = ((number, i, "queued") for i in indices)
            self._db.executemany("INSERT INTO tasks (seq, idx, state) VALUES (?,?,?)", rows)
        return number

    def number(self, id: str) -> Optional[int]:
        """The number of a submission, if it is known."""
        found = self._db.execute("SELECT seq FROM submissions WHERE id = ?", (id,)).fetchone()
        return int(found["seq"]) if found else None

    def numbers(self, ids: Sequence[str]) -> Dict[str, int]:
        """The numbers of submissions; who is not known is left out."""
        known = ((id, self.number(id)) for id in ids)
        return {id: number for id, number in known if number is not None}

    def tell(self, ids: Sequence[str]) -> Dict[str, Dict[int, Dict[str, Any]]]:
        """How the tasks of submissions stand, by id and index; who is not known is left out."""
        told: Dict[str, Dict[int, Dict[str, Any]]] = {}
        for some in _portions(ids):
            marks = ",".join("?" * len(some))
            asked = "SELECT s.id, s.queued, t.* FROM submissions s JOIN tasks t USING (seq) WHERE s.id IN (%s)" % marks  # noqa: S608 - marks only
            for row in self._db.execute(asked, some):
                task = {name: row[name] for name in _TOLD}
                if task["state"] == "running" and task["started"] is None:
                    task["state"] = "queued"
                told.setdefault(row["id"], {})[row["idx"]] = task
        return told

    def withdraw(self, id: str, indices: Optional[Sequence[int]], now: float) -> None:
        """Cancel those tasks (None: all) that have not been started."""
        marked = "UPDATE tasks SET state='cancelled', reason='Cancelled', ended=? WHERE seq=? AND state='queued'"
        number = self.number(id)
        if indices is None:
            self._db.execute(marked, (now, number))
        else:
            self._db.executemany(marked + " AND idx=?", ((now, number, i) for i in indices))

    def running(self, id: str, indices: Optional[Sequence[int]] = None) -> List[sqlite3.Row]:
        """The tasks of a submission that workers have, of those named."""
        found = self._db.execute("SELECT * FROM tasks WHERE seq=? AND state='running'", (self.number(id),)).fetchall()
        wanted = None if indices is None else set(indices)
        return [row for row in found if wanted is None or row["idx"] in wanted]

    def doom(self, rows: Iterable[sqlite3.Row], at: float) -> None:
        """The time after which the queue process ends these tasks without asking; an earlier one stays."""
        marked = "UPDATE tasks SET kill_at=min(?, coalesce(kill_at, ?)) WHERE seq=? AND idx=? AND state='running'"
        self._db.executemany(marked, ((at, at, row["seq"], row["idx"]) for row in rows))

    def counts(self) -> Dict[str, int]:
        """How many tasks wait and run."""
        counted = "SELECT started, count(*) AS n FROM tasks WHERE state IN ('queued', 'running')"
        counted += " GROUP BY started IS NULL"
        counts = {row["started"] is None: row["n"] for row in self._db.execute(counted)}
        return {"queued": counts.get(True, 0), "running": counts.get(False, 0)}

    def used(self) -> float:
        """The processors that running tasks have."""
        asked = "SELECT want FROM tasks JOIN submissions USING (seq) WHERE state='running' AND started IS NOT NULL"
        return sum(float(json.loads(row["want"])["cpus"]) for row in self._db.execute(asked))

    def is_idle(self) -> bool:
        """Whether nothing waits or runs."""
        found = self._db.execute("SELECT 1 FROM tasks WHERE state IN ('queued', 'running') LIMIT 1")
        return found.fetchone() is None

    # What the queue process does.

    def waiting(self, after: int = 0) -> List[Tuple[sqlite3.Row, List[int]]]:
        """Submissions numbered above ``after`` that have tasks to start, in the order they came."""
        found: Dict[int, Tuple[sqlite3.Row, List[int]]] = {}
        asked = "SELECT s.*, t.idx FROM tasks t JOIN submissions s USING (seq) WHERE t.state='queued' AND t.seq > ?"
        for row in self._db.execute(asked + " ORDER BY t.seq, t.idx", (after,)):
            found.setdefault(row["seq"], (row, []))[1].append(row["idx"])
        return list(found.values())

    def alive(self) -> List[sqlite3.Row]:
        """Every task that a worker is said to have, with its submission; what it is at before what it was given."""
        return self._db.execute(
            "SELECT * FROM tasks t JOIN submissions s USING (seq) WHERE t.state='running'"
            " ORDER BY t.started IS NULL, t.seq, t.idx"
        ).fetchall()

    def is_queued(self, seq: int, index: int) -> bool:
        """Whether a task still waits to be started: it may have been cancelled."""
        found = self._db.execute("SELECT state FROM tasks WHERE seq=? AND idx=?", (seq, index)).fetchone()
        return found is not None and found["state"] == "queued"

    def start(
        self, seq: int, index: int, pid: int, born: int, boot: str, slot: int, gpus: str, now: Optional[float]
    ) -> None:
        """Say that a task runs; with None for ``now``, that a worker has it to begin after others."""
        values = (pid, born, boot, slot, gpus, now, seq, index)
        marked = "UPDATE tasks SET state='running', pid=?, born=?, boot=?, slot=?, gpus=?, started=?"
        self._db.execute(marked + " WHERE seq=? AND idx=?", values)

    def go_on(self, seq: int, index: int, now: float) -> None:
        """Say that a worker is at a task that it had been given in advance."""
        self._db.execute("UPDATE tasks SET started=? WHERE seq=? AND idx=? AND state='running'", (now, seq, index))

    def requeue(self, seq: int, index: int) -> None:
        """Say that a task was never begun; if it was cancelled meanwhile it has ended."""
        cleared = "UPDATE tasks SET state='queued', pid=NULL, born=NULL, slot=NULL, started=NULL"
        self._db.execute(cleared + " WHERE seq=? AND idx=? AND state='running'", (seq, index))
        cancelled = "UPDATE tasks SET state='cancelled', reason='Cancelled', ended=? WHERE seq=? AND idx=?"
        self._db.execute(cancelled + " AND state='queued' AND kill_at IS NOT NULL", (time.time(), seq, index))

    def end(self, seq: int, index: int, told: Dict[str, Any]) -> None:
        """Say how a task ended."""
        names = ("state", "reason", "words", "exit_code", "ended", "cpu_seconds", "peak_memory", "report")
        marked = "UPDATE tasks SET %s WHERE seq=? AND idx=?" % ",".join("%s=?" % name for name in names)  # noqa: S608 - our names
        self._db.execute(
            marked, (*(told.get(name, "" if name in ("reason", "words") else None) for name in names), seq, index)
        )

    def doomed(self) -> List[sqlite3.Row]:
        """Running tasks that have a time to be ended at."""
        return self._db.execute("SELECT * FROM tasks WHERE state='running' AND kill_at IS NOT NULL").fetchall()

    def forget(self) -> None:
        """Drop submissions that have ended and whose folders somebody removed."""
        asked = (
            "SELECT seq, folder FROM submissions s WHERE NOT EXISTS"
            " (SELECT 1 FROM tasks t WHERE t.seq = s.seq AND t.state IN ('queued', 'running'))"
        )
        gone = [(row["seq"],) for row in self._db.execute(asked).fetchall() if not Path(row["folder"]).is_dir()]
        self._db.executemany("DELETE FROM submissions WHERE seq = ?", gone)


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[i : i + _AT_ONCE] for i in range(0, len(ids), _AT_ONCE))
