"""A fake world: the resources of fake sites in one SQLite file, shared by processes, or in memory.

Each change is one transaction, durable at once: a SIGKILL between any two leaves a consistent world.
``synchronous=OFF`` is enough for that, since what was written survives the process (not the machine).
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from isthmus.sites.contract import Ref, State
from isthmus.sites.fake import faults
from isthmus.sites.fake.faults import Fault, OperationRule
from isthmus.sites.fake.records import Draft, Effect, Resource, Run, read_effect, read_resource, read_run

BUSY = 10.0
"""Seconds that a process waits for another one's transaction."""
_FIND = "SELECT * FROM resource WHERE site = ? AND kind = ? AND deployment = ? AND node = ? AND idx = ?"


class World:
    """The world in the file ``path``, or one of its own in memory. Safe to use from several threads.

    ``clock`` gives seconds since the epoch. Any method may raise :class:`sqlite3.Error`.
    """

    def __init__(self, path: str | Path | None = None, clock: Callable[[], float] = time.time):
        self.path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path or ":memory:", timeout=BUSY, isolation_level=None, check_same_thread=False)
        _persist(self._db)
        with self.change():
            for statement in _statements():
                self._db.execute(statement)

    def close(self) -> None:
        """Let go of the file. A world in memory ends."""
        self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction: everything inside it happens, or nothing. May be nested."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:  # a cancelled or interrupted change must not stay open
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    # -- resources ---------------------------------------------------------------------------------

    def find(self, site: str, kind: str, ref: Ref) -> Resource | None:
        """The resource of ``kind`` (machine, network, volume, image) that ``ref`` names."""
        found = self._rows(_FIND, *_key(site, kind, ref))
        return read_resource(found[0]) if found else None

    def resources(
        self, site: str | None = None, kind: str | None = None, deployment: str | None = None
    ) -> list[Resource]:
        """All resources, oldest first, or those of one site, kind, deployment."""
        if deployment is None:
            rows = self._rows("SELECT * FROM resource ORDER BY seq")
        else:
            rows = self._rows("SELECT * FROM resource WHERE deployment = ? ORDER BY seq", deployment)
        return [read_resource(row) for row in rows if site in (None, row[1]) and kind in (None, row[2])]

    def find_id(self, site: str, id: str) -> Resource | None:
        """The resource with this id, unless it was deleted."""
        seq = id.rpartition("-")[2]
        found = self._rows("SELECT * FROM resource WHERE seq = ?", int(seq) if seq.isdecimal() else 0)
        resource = read_resource(found[0]) if found else None
        return resource if resource and (resource.site, resource.id) == (site, id) else None

    def make(self, site: str, kind: str, ref: Ref, draft: Draft, state: State, owner: str) -> Resource:
        """Put a resource into the world, or find the one that is there and log that it was found."""
        with self.change():
            if found := self.find(site, kind, ref):
                self._log("found", found, owner)
                return found
            values = (
                *_key(site, kind, ref), state, owner, self._clock(),
                draft.cpus, draft.size, draft.image, draft.flavour, draft.authorized_key,
                json.dumps(dict(draft.tags)), json.dumps(list(draft.uses)), json.dumps(list(draft.labels)),
            )  # fmt: skip
            self._db.execute(
                "INSERT INTO resource (site, kind, deployment, node, idx, state, owner, created,"
                " cpus, size, image, flavour, authorized_key, tags, uses, labels)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            made = self.find(site, kind, ref)
            assert made is not None
            self._log("created", made, owner)
            return made

    def set_state(
        self, site: str, kind: str, ref: Ref, state: State, owner: str = "outside", reason: str = ""
    ) -> Resource | None:
        """Change the state of a resource: what a driver does, or what happens behind its back."""
        with self.change():
            found = self.find(site, kind, ref)
            if found and (found.state, found.reason) != (state, reason):
                self._db.execute("UPDATE resource SET state = ?, reason = ? WHERE seq = ?", (state, reason, found.seq))
                self._log(_EFFECTS[state], found, owner)
            return self.find(site, kind, ref)

    def remove(self, site: str, kind: str, ref: Ref, owner: str = "outside", what: str = "deleted") -> bool:
        """Take a resource out of the world; false when it was not there."""
        with self.change():
            found = self.find(site, kind, ref)
            if found is None:
                return False
            self._db.execute("DELETE FROM resource WHERE seq = ?", (found.seq,))
            self._log(what, found, owner)
            return True

    def note(self, what: str, of: Resource, owner: str) -> None:
        """Add a line to the log of effects."""
        with self.change():
            self._log(what, of, owner)

    def vanish(self, site: str, kind: str, ref: Ref) -> bool:
        """Lose a resource behind everybody's back."""
        return self.remove(site, kind, ref, what="vanished")

    def users(self, of: Resource) -> list[Resource]:
        """The machines that need this network or volume."""
        machines = self.resources(of.site, "machine", of.ref.deployment)
        return [machine for machine in machines if of.id in machine.draft.uses]

    def usage(self, site: str) -> tuple[int, float, int]:
        """The machines of a site and the sums of their cpus and memory (bytes)."""
        found = self._rows("SELECT machines, cpus, memory FROM usage WHERE site = ?", site)
        return tuple(found[0]) if found else (0, 0.0, 0)

    # -- operations --------------------------------------------------------------------------------

    def begin_run(self, machine: Resource, label: str, env: Sequence[str], digest: str, owner: str) -> Run:
        """Record that an operation begins on a machine."""
        with self.change():
            ran = self._rows("SELECT count(*) FROM run WHERE machine = ? AND label = ?", machine.id, label)
            ref = machine.ref
            begun = self._db.execute(
                "INSERT INTO run (machine, site, deployment, node, idx,"
                " label, env, digest, count, owner, began) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (machine.id, machine.site, ref.deployment, ref.node, ref.index, label,
                 json.dumps(sorted(env)), digest, ran[0][0] + 1, owner, self._clock()),
            )  # fmt: skip
            return read_run(self._rows("SELECT * FROM run WHERE seq = ?", begun.lastrowid)[0])

    def end_run(self, run: Run, code: int) -> None:
        """Record how an operation ended; the machine remembers the labels of those that ended well."""
        with self.change():
            self._db.execute("UPDATE run SET ended = ?, code = ? WHERE seq = ?", (self._clock(), code, run.seq))
            machine = self.find_id(run.site, run.machine)
            if machine and code == 0 and run.label not in machine.draft.labels:
                labels = json.dumps([*machine.draft.labels, run.label])
                self._db.execute("UPDATE resource SET labels = ? WHERE seq = ?", (labels, machine.seq))

    def runs(self, deployment: str | None = None, label: str | None = None) -> list[Run]:
        """The runs of operations, in the order in which they began."""
        rows = self._rows(
            "SELECT * FROM run WHERE (?1 IS NULL OR deployment = ?1) AND (?2 IS NULL OR label = ?2)"
            " ORDER BY seq",
            deployment, label,
        )  # fmt: skip
        return [read_run(row) for row in rows]

    def effects(self, deployment: str | None = None, what: str | None = None) -> list[Effect]:
        """The log of all that ever happened to resources, in order."""
        rows = self._rows(
            "SELECT * FROM effect WHERE (?1 IS NULL OR deployment = ?1) AND (?2 IS NULL OR what = ?2)"
            " ORDER BY seq",
            deployment, what,
        )  # fmt: skip
        return [read_effect(row) for row in rows]

    # -- rules -------------------------------------------------------------------------------------

    def set_fault(self, fault: Fault, once: bool = False) -> int:
        """Let something go wrong from now on; ``once``: not again when the world has ever had it."""
        with self.change():
            return faults.add(self._db, fault, once)

    def set_operation(self, rule: OperationRule) -> int:
        """Say how operations end from now on; the first rule that fits counts."""
        with self.change():
            return faults.add(self._db, rule)

    def fail_operation(self, label: str, code: int = 1, lines: Sequence[str] = (), **match: Any) -> int:
        """Let operations fail; ``match`` is the rest of an :class:`OperationRule`."""
        return self.set_operation(OperationRule(label, code, tuple(lines), **match))

    def clear_rules(self, number: int | None = None) -> None:
        """End one fault or operation rule, or all."""
        with self.change():
            self._db.execute("UPDATE rule SET spent = 1 WHERE ?1 IS NULL OR id = ?1", (number,))

    def rules(self) -> list[tuple[int, Fault | OperationRule, int]]:
        """The rules that may still apply: number, rule, and how many calls it has seen."""
        return faults.live(self._db)

    def take_fault(self, site: str, verb: str, node: str, index: int) -> Fault | None:
        """The fault that a call meets now; it is used up by that, durably."""
        if not faults.any_live(self._db):
            return None
        with self.change():
            return faults.take(self._db, site, verb, node, index)

    def take_operation(self, site: str, label: str, ref: Ref) -> OperationRule | None:
        """The rule that a run meets now; it is used up by that, durably."""
        if not faults.any_live(self._db):
            return None
        with self.change():
            return faults.take_rule(self._db, site, label, ref.node, ref.index)

    # ----------------------------------------------------------------------------------------------

    def _rows(self, sql: str, *values: object) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _log(self, what: str, of: Resource, owner: str) -> None:
        self._db.execute(
            "INSERT INTO effect (time, site, what, kind, id, deployment, node, idx, owner)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._clock(),
                of.site,
                what,
                of.kind,
                of.id,
                of.ref.deployment,
                of.ref.node,
                of.ref.index,
                owner,
            ),
        )


_EFFECTS = {
    State.RUNNING: "started",
    State.STOPPED: "stopped",
    State.ERROR: "broken",
    State.PENDING: "pending",
}


def _persist(db: sqlite3.Connection) -> None:
    """Set the journal; of several processes that open a new file at once, one does and the others wait."""
    db.execute("PRAGMA synchronous = OFF")
    until = time.monotonic() + BUSY
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:  # this pragma does not heed the busy timeout
            if time.monotonic() > until:
                raise
            time.sleep(0.005)


def _statements() -> Iterator[str]:
    script = files("isthmus.sites.fake").joinpath("schema.sql").read_text("utf-8")
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _key(site: str, kind: str, ref: Ref) -> tuple[str, str, str, str, int]:
    return site, kind, ref.deployment, ref.node, ref.index
