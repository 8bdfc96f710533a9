"""Deployments as rows: what is desired, where it stands, when to look at it again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, literal, select, tuple_, union_all, update

from isthmus.store.inserting import insert_or_leave
from isthmus.store.models import bundles, deployments

d = deployments.c


@dataclass(frozen=True, slots=True)
class Deployment:
    """One row. ``instances`` maps machine nodes to indices; ``placement`` is None until a site is chosen."""

    id: str
    name: str
    owner: str
    vo: str
    template: str
    bundle: str
    inputs: Mapping[str, Any]
    pinned_site: str | None
    placement: Mapping[str, Any] | None
    instances: Mapping[str, list[int]]
    power: str
    version: int
    converged_version: int
    phase: str
    reason: str
    outputs: Mapping[str, Any]
    cancelled: bool
    attempts: int
    due: float | None
    idempotency_key: str | None
    request_digest: str | None
    created: float
    updated: float


_COLUMNS = [deployments.c[f.name] for f in fields(Deployment)]
_INSERT = insert(deployments)
_FIND_BUNDLE = select(bundles.c.digest).where(bundles.c.digest == bindparam("wanted"))
_GET = select(*_COLUMNS).where(d.id == bindparam("wanted"))
_SUMMARY = [
    d.id,
    d.name,
    d.phase,
    d.reason,
    d.template,
    d.pinned_site,
    d.placement,
    d.owner,
    d.vo,
    d.created,
    d.updated,
]


def save_bundle(c: Connection, digest: str, archive: bytes, now: float) -> None:
    """Keep a bundle once, whoever else is keeping the same."""
    if not has_bundle(c, digest):
        insert_or_leave(c, bundles, digest=digest, archive=archive, created=now)


def has_bundle(c: Connection, digest: str) -> bool:
    """Whether a bundle is kept."""
    return c.scalar(_FIND_BUNDLE, {"wanted": digest}) is not None


def load_bundle(c: Connection, digest: str) -> bytes:
    """The archive of a bundle that a deployment names."""
    return bytes(c.execute(select(bundles.c.archive).where(bundles.c.digest == digest)).scalar_one())


def add(c: Connection, row: Deployment) -> None:
    """Insert; raises IntegrityError when a live deployment has the name, or the idempotency key is taken."""
    c.execute(_INSERT, {f.name: getattr(row, f.name) for f in fields(Deployment)})


def get(c: Connection, id_: str) -> Deployment | None:
    row = c.execute(_GET, {"wanted": id_}).one_or_none()
    return Deployment(*row) if row else None


def find(c: Connection, vo: str, owner: str | None, ref: str, asker: str = "") -> list[Deployment]:
    """What ``ref`` may mean, best first: an id, the name of a live one, the one deleted last.

    ``owner`` None finds anybody's; then those of ``asker`` come first. At most two are answered.
    """
    query = _FIND_OF_ANYBODY if owner is None else _FIND_OF_OWNER
    found = c.execute(query, {"vo": vo, "ref": ref, "asker": asker, **({} if owner is None else {"owner": owner})})
    return [Deployment(*row) for row in found]


def _is_meant(vo: Any, owner: Any, ref: Any) -> ColumnElement[bool]:
    """The rows that ``ref`` fits, by id or by name. Two searches: of an OR, SQLite makes a scan of the whole VO."""
    o = deployments.alias("meant").c
    mine = [o.vo == vo, *([o.owner == owner] if owner is not None else [])]
    return d.id.in_(union_all(select(o.id).where(o.id == ref, *mine), select(o.id).where(o.name == ref, *mine)))


def _best(ref: Any) -> tuple[ColumnElement[Any], ...]:
    """The order in which rows that ``ref`` fits are meant by it."""
    return d.id != ref, d.phase == "deleted", d.created.desc()


def find_by_key(c: Connection, vo: str, owner: str, key: str) -> Deployment | None:
    """The deployment that was created with an idempotency key."""
    row = c.execute(select(*_COLUMNS).where(d.vo == vo, d.owner == owner, d.idempotency_key == key)).one_or_none()
    return Deployment(*row) if row else None


def summaries(
    c: Connection,
    vo: str,
    owner: str | None,
    *,
    after: tuple[float, str] | None,
    limit: int,
    phase: str | None,
) -> Sequence[Any]:
    """A page of live deployments (or of those in ``phase``), the youngest first."""
    where = [d.vo == vo, d.phase == phase if phase else d.phase != "deleted"]
    if owner is not None:
        where.append(d.owner == owner)
    if after is not None:
        where.append(tuple_(d.created, d.id) < tuple_(literal(after[0]), literal(after[1])))
    return c.execute(select(*_SUMMARY).where(*where).order_by(d.created.desc(), d.id.desc()).limit(limit)).all()


def _summary_query(owner: Any) -> Any:
    query = select(*_SUMMARY).where(_is_meant(bindparam("vo"), owner, bindparam("ref")))
    return query.order_by(*_best(bindparam("ref"))).limit(1)


def _find_query(owner: Any) -> Any:
    query = select(*_COLUMNS).where(_is_meant(bindparam("vo"), owner, bindparam("ref")))
    return query.order_by(*_best(bindparam("ref")), d.owner != bindparam("asker")).limit(2)


# What clients poll is asked thousands of times a second: its statements are built once.
_FIND_OF_ANYBODY = _find_query(None)
_FIND_OF_OWNER = _find_query(bindparam("owner"))
_SUMMARY_OF_ANYBODY = _summary_query(None)
_SUMMARY_OF_OWNER = _summary_query(bindparam("owner"))


def summary(c: Connection, vo: str, owner: str | None, ref: str) -> Any | None:
    """One deployment's state alone, found as by :func:`find`."""
    if owner is None:
        return c.execute(_SUMMARY_OF_ANYBODY, {"vo": vo, "ref": ref}).one_or_none()
    return c.execute(_SUMMARY_OF_OWNER, {"vo": vo, "ref": ref, "owner": owner}).one_or_none()


def change(c: Connection, id_: str, version: int, now: float, **values: Any) -> bool:
    """Write a new desired state and make it due; False when it is no longer at ``version``.

    Fences nobody: the worker that holds the lease sees the new version at its next heartbeat.
    """
    values |= {"version": version + 1, "updated": now, "due": now, "attempts": 0, "cancelled": False}
    return c.execute(update(deployments).where(d.id == id_, d.version == version).values(values)).rowcount == 1


def place(c: Connection, id_: str, placement: Mapping[str, Any] | None) -> None:
    """Write where a deployment stands; for use in the transaction of a change."""
    c.execute(update(deployments).where(d.id == id_).values(placement=placement))


def wake(c: Connection, ids: Sequence[str], now: float) -> list[str]:
    """Make those of the deployments due now that are at rest; answers which."""
    woken: list[str] = []
    for first in range(0, len(ids), 500):
        resting = update(deployments).where(d.id.in_(ids[first : first + 500]), d.due.is_(None))
        woken += c.scalars(resting.values(due=now).returning(d.id))
    return woken


def nudge(c: Connection, row: Deployment, now: float, **values: Any) -> bool:
    """Make a deployment due now as it is desired; False when it is no longer as ``row`` says."""
    same = (d.id == row.id, d.version == row.version, d.phase == row.phase)
    return c.execute(update(deployments).where(*same).values(due=now, updated=now, **values)).rowcount == 1


def at_rest(c: Connection, site: str) -> set[str]:
    """Ids of deployments that run on a site and that nobody works on: what a drift scan looks after."""
    chosen = d.placement["site"].as_string() == site
    return set(c.scalars(select(d.id).where(d.due.is_(None), d.phase == "running", chosen)))


def names(c: Connection, ids: Collection[str]) -> dict[str, str]:
    """The names of deployments, by id."""
    return {row.id: row.name for row in c.execute(select(d.id, d.name).where(d.id.in_(ids)))}


def deleted_among(c: Connection, ids: Sequence[str]) -> list[str]:
    """Those of ``ids`` that are deleted, and of which nothing should be left."""
    found: list[str] = []
    for first in range(0, len(ids), 500):
        query = select(d.id).where(d.id.in_(ids[first : first + 500]), d.phase == "deleted", d.due.is_(None))
        found += c.scalars(query)
    return found
