"""Leases on sites: which worker keeps the jobs of a site, so that a scheduler is asked once, not once by each."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from isthmus.store.inserting import insert_or_leave
from isthmus.store.leases import LeaseLost
from isthmus.store.models import site_leases

s = site_leases.c


@dataclass(frozen=True, slots=True)
class SiteLease:
    """The right to act on the jobs of one site until it expires."""

    site: str
    token: str


def claim(c: Connection, site: str, owner: str, now: float, seconds: float) -> SiteLease | None:
    """Lease a site; None when somebody else has it."""
    token = secrets.token_hex(16)
    values = {"token": token, "owner": owner, "expiry": now + seconds}
    if insert_or_leave(c, site_leases, site=site, **values):
        return SiteLease(site, token)
    took = c.execute(update(site_leases).where(s.site == site, s.expiry < now).values(values)).rowcount == 1
    return SiteLease(site, token) if took else None


def guard(c: Connection, lease: SiteLease, now: float, seconds: float) -> None:
    """Prolong a lease in the transaction of a write; raises :class:`LeaseLost` when it is not ours any more."""
    mine = update(site_leases).where(s.site == lease.site, s.token == lease.token)
    if c.execute(mine.values(expiry=now + seconds)).rowcount != 1:
        raise LeaseLost(lease.site)


def release(c: Connection, lease: SiteLease) -> None:
    """Give a lease back; one that was lost stays with whoever has it."""
    c.execute(delete(site_leases).where(s.site == lease.site, s.token == lease.token))


def owners(c: Connection) -> list[str]:
    """Every owner of a lease, alive or not."""
    return list(c.scalars(select(s.owner).distinct()))


def break_leases(c: Connection, owners: Sequence[str]) -> None:
    """Free what processes held that are known to be dead."""
    c.execute(delete(site_leases).where(s.owner.in_(owners)))
