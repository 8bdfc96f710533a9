"""Resources as rows: one for each real thing, written before it is made and removed after it is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from isthmus.store.models import resources

r = resources.c


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """What is known of one resource. ``done`` maps ``NODE|OPERATION`` to how it ran."""

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


_NAMES = [f.name for f in fields(ResourceRow)]
_COLUMNS = [resources.c[name] for name in _NAMES]
# Every action of the engine runs these: to build a statement costs several times what it takes to run it.
_OWN = (r.deployment == bindparam("of"), r.node == bindparam("on"), r.index == bindparam("at"))
_OF_DEPLOYMENT = select(*_COLUMNS).where(r.deployment == bindparam("of")).order_by(r.node, r.index)
_GET = select(*_COLUMNS).where(*_OWN)
_INSERT = insert(resources)
_UPDATE = update(resources).where(*_OWN)


def of_deployment(c: Connection, deployment: str) -> list[ResourceRow]:
    return [ResourceRow(*row) for row in c.execute(_OF_DEPLOYMENT, {"of": deployment})]


def get(c: Connection, deployment: str, node: str, index: int) -> ResourceRow | None:
    row = c.execute(_GET, {"of": deployment, "on": node, "at": index}).one_or_none()
    return ResourceRow(*row) if row else None


def put(c: Connection, row: ResourceRow) -> None:
    """Insert or replace a row."""
    values = {name: getattr(row, name) for name in _NAMES}
    own = {"of": row.deployment, "on": row.node, "at": row.index}
    if c.execute(_UPDATE, values | own).rowcount == 0:
        c.execute(_INSERT, values)


def remove(c: Connection, deployment: str, node: str, index: int) -> None:
    c.execute(delete(resources).where(r.deployment == deployment, r.node == node, r.index == index))


def on_site(c: Connection, site: str) -> Sequence[Any]:
    """Deployment, node, index, kind and site id of everything on a site: what a drift scan compares."""
    query = select(r.deployment, r.node, r.index, r.kind, r.site_id)
    return c.execute(query.where(r.site == site)).all()


def count_machines(c: Connection) -> dict[str, int]:
    """How many machines each site has."""
    query = select(r.site, func.count()).where(r.kind == "machine").group_by(r.site)
    return {row[0]: row[1] for row in c.execute(query)}
