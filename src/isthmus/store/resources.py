"""Resources as rows: one for each real thing, written before it is made and removed after it is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from isthmus.store.models import resources

r = resources.c


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """What is known of one resource. ``done`` maps ``SOFTWARE/OPERATION`` to how it ran."""

    deployment: str
    node: str
    index: int
    kind: str
    site: str
    site_id: str | None
    state: str
    reason: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    done: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None
    created: float = 0.0
    updated: float = 0.0


_COLUMNS = [resources.c[f.name] for f in fields(ResourceRow)]


def of_deployment(c: Connection, deployment: str) -> list[ResourceRow]:
    query = select(*_COLUMNS).where(r.deployment == deployment).order_by(r.node, r.index)
    return [ResourceRow(*row) for row in c.execute(query)]


def put(c: Connection, row: ResourceRow) -> None:
    """Insert or replace a row."""
    values = {f.name: getattr(row, f.name) for f in fields(ResourceRow)}
    own = (r.deployment == row.deployment, r.node == row.node, r.index == row.index)
    if c.execute(update(resources).where(*own).values(values)).rowcount == 0:
        c.execute(insert(resources).values(values))


def remove(c: Connection, deployment: str, node: str, index: int) -> None:
    c.execute(delete(resources).where(r.deployment == deployment, r.node == node, r.index == index))


def machines_on(c: Connection, site: str) -> Sequence[Any]:
    """Deployment, node, index, site id and state of every machine on a site: what a drift scan compares."""
    query = select(r.deployment, r.node, r.index, r.site_id, r.state)
    return c.execute(query.where(r.site == site, r.kind == "machine")).all()


def count_machines(c: Connection) -> dict[str, int]:
    """How many machines each site has."""
    query = select(r.site, func.count()).where(r.kind == "machine").group_by(r.site)
    return {row[0]: row[1] for row in c.execute(query)}
