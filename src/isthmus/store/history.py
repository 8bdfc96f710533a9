"""History: events and log lines, appended and read in order.

Who follows a history asks for what has a higher id than the last that was seen. So no entry of a deployment
may become visible before one with a lower id: writers of one deployment take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, func, insert, select

from isthmus.store.models import events, logs
from isthmus.views import Event, LogLine


def _take_turns(c: Connection, of: Iterable[str]) -> None:
    """Wait until nobody else is appending to these histories; SQLite has one writer at a time anyway."""
    if c.dialect.name == "postgresql":
        for deployment in sorted(of):  # in one order, so that no two wait for each other
            c.execute(select(func.pg_advisory_xact_lock(func.hashtext(deployment))))


def add_events(c: Connection, new: Sequence[Event]) -> None:
    """Append events; their ids are given by the database."""
    rows = [
        {"deployment": e.deployment, "time": e.time, "who": e.who, "kind": e.kind, "message": e.message,
         "node": e.node, "action": e.action, "outcome": e.outcome, "seconds": e.seconds}
        for e in new
    ]  # fmt: skip
    if rows:
        _take_turns(c, {e.deployment for e in new})
        c.execute(insert(events), rows)


def events_after(c: Connection, deployment: str, after: int, limit: int) -> list[Event]:
    e = events.c
    columns = [e.id, e.deployment, e.time, e.who, e.kind, e.message, e.node, e.action, e.outcome, e.seconds]
    query = select(*columns).where(e.deployment == deployment, e.id > after).order_by(e.id).limit(limit)
    return [Event(*row) for row in c.execute(query)]


def add_lines(c: Connection, new: Sequence[LogLine]) -> None:
    """Append log lines; their ids are given by the database."""
    rows = [
        {
            "deployment": n.deployment,
            "time": n.time,
            "instance": n.instance,
            "operation": n.operation,
            "text": n.text,
        }
        for n in new
    ]
    if rows:
        _take_turns(c, {n.deployment for n in new})
        c.execute(insert(logs), rows)


def lines_after(c: Connection, deployment: str, after: int, limit: int, instance: str | None) -> list[LogLine]:
    n = logs.c
    where = [n.deployment == deployment, n.id > after, *([n.instance == instance] if instance else [])]
    query = select(n.id, n.deployment, n.time, n.instance, n.operation, n.text).where(*where)
    return [LogLine(*row) for row in c.execute(query.order_by(n.id).limit(limit))]


def latest_by_action(c: Connection, deployment: str) -> dict[str, Event]:
    """The newest event of each action of a deployment."""
    e = events.c
    newest = select(func.max(e.id)).where(e.deployment == deployment, e.action.is_not(None)).group_by(e.action)
    columns = [e.id, e.deployment, e.time, e.who, e.kind, e.message, e.node, e.action, e.outcome, e.seconds]
    return {row.action: Event(*row) for row in c.execute(select(*columns).where(e.id.in_(newest)))}
