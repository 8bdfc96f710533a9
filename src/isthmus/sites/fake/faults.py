"""Faults and operation rules: what shall go wrong in a fake world, for which call, how often."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

VERBS = (
    "status",
    "prepare",
    "offers",
    *(f"{verb}_{noun}" for noun in ("machine", "network", "volume", "image") for verb in ("find", "delete")),
    *(f"list_{noun}s" for noun in ("machine", "network", "volume", "image")),
    "create_machine",
    "create_network",
    "create_volume",
    "create_shared_volume",
    "save_image",
    "start_machine",
    "stop_machine",
    "run",
)
HALVED = ("create_machine", "run", "save_image")
"""The verbs that leave something half made when they are cut off in the middle."""


class Kind(StrEnum):
    """How a call goes wrong."""

    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    QUOTA = "quota"
    UNREACHABLE = "unreachable"
    """Nothing is done, and the caller hears nothing."""
    TIMEOUT = "timeout"
    """All is done, and the caller hears nothing."""
    CRASH_BEFORE = "crash_before"
    """Our own process is killed before the effect."""
    CRASH_DURING = "crash_during"
    """Our own process is killed when the thing is half made."""
    CRASH_AFTER = "crash_after"
    """Our own process is killed when the effect is durable and nobody knows yet."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to go wrong: the ``times`` calls that follow the first ``after`` matching ones.

    ``verb`` and ``node`` are patterns (``create_*``, ``*``), ``index`` and ``site`` None for any,
    ``times`` None for ever. ``delay`` is what a temporary error asks the caller to wait, in seconds.
    """

    verb: str
    kind: Kind
    node: str = "*"
    index: int | None = None
    site: str | None = None
    times: int | None = 1
    after: int = 0
    message: str = ""
    delay: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.kind))
        check_verb(self.verb)
        if self.kind is Kind.CRASH_DURING and not any(fnmatchcase(verb, self.verb) for verb in HALVED):
            raise ValueError(f"{self.verb} is never half done; crash_during is for {', '.join(HALVED)}")

    def fits(self, site: str, verb: str, node: str, index: int) -> bool:
        """Whether the fault is meant for this call."""
        return (
            fnmatchcase(verb, self.verb)
            and fnmatchcase(node, self.node)
            and self.index in (None, index)
            and self.site in (None, site)
            and (self.kind is not Kind.CRASH_DURING or verb in HALVED)
        )


@dataclass(frozen=True, slots=True)
class OperationRule:
    """How an operation whose label fits ``label`` (a pattern) ends, and what it prints and writes.

    ``node``, ``index``, ``site``, ``times`` and ``after`` mean what they do for a :class:`Fault`.
    """

    label: str
    code: int = 0
    lines: tuple[str, ...] = ()
    outputs: Mapping[str, object] = field(default_factory=dict)
    message: str = ""
    node: str = "*"
    index: int | None = None
    site: str | None = None
    times: int | None = None
    after: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(self.lines))

    def fits(self, site: str, label: str, node: str, index: int) -> bool:
        """Whether the rule is meant for this operation."""
        return (
            fnmatchcase(label, self.label)
            and fnmatchcase(node, self.node)
            and self.index in (None, index)
            and self.site in (None, site)
        )


def check_verb(pattern: str) -> None:
    """Raise ValueError when no verb fits ``pattern``."""
    if not any(fnmatchcase(verb, pattern) for verb in VERBS):
        raise ValueError(f"no verb fits {pattern!r}; the verbs are {', '.join(VERBS)}")


def add(db: sqlite3.Connection, rule: Fault | OperationRule, once: bool = False) -> int:
    """Keep a rule and give its number; with ``once`` an equal one that was ever set stays as it is."""
    body = json.dumps(asdict(rule), sort_keys=True)
    table = type(rule).__name__
    if once:
        found = db.execute("SELECT id FROM rule WHERE type = ? AND body = ? AND once", (table, body)).fetchone()
        if found:
            return int(found[0])
    added = db.execute("INSERT INTO rule (type, body, once) VALUES (?, ?, ?)", (table, body, once))
    return int(added.lastrowid or 0)


def take(db: sqlite3.Connection, site: str, verb: str, node: str, index: int) -> Fault | None:
    """The fault that this call meets; it is used up by that, and durably, before anything happens."""
    for number, body, seen in _live(db, "Fault"):
        fault = Fault(**json.loads(body))
        if fault.fits(site, verb, node, index) and _count(db, number, seen, fault.after, fault.times):
            return fault
    return None


def take_rule(db: sqlite3.Connection, site: str, label: str, node: str, index: int) -> OperationRule | None:
    """The rule that this run of an operation meets; it is used up by that."""
    for number, body, seen in _live(db, "OperationRule"):
        rule = OperationRule(**json.loads(body))
        if rule.fits(site, label, node, index) and _count(db, number, seen, rule.after, rule.times):
            return rule
    return None


def live(db: sqlite3.Connection) -> list[tuple[int, Fault | OperationRule, int]]:
    """The rules that may still apply: number, rule, and how many calls each has seen."""
    found: list[tuple[int, Fault | OperationRule, int]] = [
        (number, Fault(**json.loads(body)), seen) for number, body, seen in _live(db, "Fault")
    ]
    return found + [
        (number, OperationRule(**json.loads(body)), seen) for number, body, seen in _live(db, "OperationRule")
    ]


def any_live(db: sqlite3.Connection) -> bool:
    """Whether any rule may still apply: asked before each call, so it must be cheap."""
    return db.execute("SELECT 1 FROM rule WHERE NOT spent LIMIT 1").fetchone() is not None


def _live(db: sqlite3.Connection, table: str) -> list[tuple[int, str, int]]:
    return db.execute("SELECT id, body, seen FROM rule WHERE type = ? AND NOT spent ORDER BY id", (table,)).fetchall()


def _count(db: sqlite3.Connection, number: int, seen: int, after: int, times: int | None) -> bool:
    spent = times is not None and seen + 1 >= after + times
    db.execute("UPDATE rule SET seen = seen + 1, spent = ? WHERE id = ?", (spent, number))
    return seen >= after and (times is None or seen < after + times)
