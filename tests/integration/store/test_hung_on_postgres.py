"""A process that hangs in the middle of a transaction keeps nobody from going on for long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from isthmus.store import Store, database, leases
from isthmus.store.database import StoreUnavailable

from ...unit.store.rows import add, deployment, get, tell


def test_the_locks_of_a_transaction_that_hangs_are_freed(
    monkeypatch: pytest.MonkeyPatch, open_another: Callable[[], Store]
) -> None:
    other = open_another()
    add(other, deployment(1))
    monkeypatch.setattr(database, "HUNG_SECONDS", 1.0)
    hung = open_another()
    (lease,) = tell(other, lambda c: leases.claim_due(c, "hung", 10.0, 5.0, 9))

    def hang() -> None:
        with hung.write() as c:
            leases.guard(c, lease, phase="running")
            # While nothing comes of it, its lease runs out and is taken by somebody else, who waits for the row.
            tell(other, lambda c: leases.break_leases(c, ["hung"]))

    with pytest.raises(StoreUnavailable):
        hang()
    assert get(other).phase == "pending"
    hung.close()
