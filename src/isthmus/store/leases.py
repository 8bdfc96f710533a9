"""Leases: which worker may act on a deployment. Token, owner, expiry; kept alive by a heartbeat.

Every write of the engine goes through :func:`guard` in the same transaction, so that a worker which
lost its lease (it was paused, or cut off) can no longer write.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from isthmus.store.models import deployments as d


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act on one deployment until it expires, and what was asked when it was taken."""

    deployment: str
    token: str
    version: int
    cancelled: bool


class LeaseLost(Exception):
    """Somebody else may act on this deployment now; whatever was going to be written was not."""


_HELD = update(d).where(d.c.id == bindparam("held"), d.c.lease_token == bindparam("held_by"))


def any_due(c: Connection, now: float) -> bool:
    """Whether some deployment is due that nobody holds: a cheap look before a claim takes the write lock."""
    free = or_(d.c.lease_expiry.is_(None), d.c.lease_expiry < now)
    return c.scalar(select(d.c.id).where(and_(d.c.due <= now, free)).limit(1)) is not None


def claim_due(
    c: Connection, owner: str, now: float, seconds: float, limit: int, *, besides: Collection[str] = ()
) -> list[Lease]:
    """Lease up to ``limit`` deployments that are due and that nobody holds, the longest due first.

    Those in ``besides`` are left: a worker names what it is still at, so that it never does one thing twice at once.
    """
    free = or_(d.c.lease_expiry.is_(None), d.c.lease_expiry < now)
    due = select(d.c.id, d.c.version, d.c.cancelled).where(and_(d.c.due <= now, free, d.c.id.not_in(besides)))
    found = c.execute(due.order_by(d.c.due).limit(limit).with_for_update(skip_locked=True)).all()
    leases = [Lease(row.id, secrets.token_hex(16), row.version, row.cancelled) for row in found]
    for lease in leases:
        values = {"lease_token": lease.token, "lease_owner": owner, "lease_expiry": now + seconds}
        c.execute(update(d).where(d.c.id == lease.deployment).values(values))
    return leases


def renew(c: Connection, leases: Sequence[Lease], now: float, seconds: float) -> dict[str, tuple[int, bool]]:
    """Prolong leases; answers version and cancelled flag of each deployment still held."""
    ids, tokens = [lease.deployment for lease in leases], [lease.token for lease in leases]
    held = and_(d.c.id.in_(ids), d.c.lease_token.in_(tokens))  # by id, which has an index
    c.execute(update(d).where(held).values(lease_expiry=now + seconds))
    rows = c.execute(select(d.c.id, d.c.version, d.c.cancelled).where(held))
    return {row.id: (row.version, row.cancelled) for row in rows}


def guard(c: Connection, lease: Lease, **values: object) -> None:
    """Write ``values`` on the leased deployment; raises :class:`LeaseLost` when the lease is not ours."""
    mine = {"held": lease.deployment, "held_by": lease.token}
    if c.execute(_HELD, (values or {"lease_token": lease.token}) | mine).rowcount != 1:
        raise LeaseLost(lease.deployment)


def release(c: Connection, lease: Lease, **values: object) -> None:
    """Give a lease back, writing ``values`` with it."""
    guard(c, lease, lease_token=None, lease_owner=None, lease_expiry=None, **values)


def break_leases(c: Connection, owners: Sequence[str]) -> int:
    """Free what processes held that are known to be dead; answers how many."""
    dead = update(d).where(d.c.lease_owner.in_(owners))
    return c.execute(dead.values(lease_token=None, lease_owner=None, lease_expiry=None)).rowcount


def owners(c: Connection) -> list[str]:
    """Every owner that holds a lease, alive or not."""
    return [o for o in c.scalars(select(d.c.lease_owner).distinct()) if o is not None]
