"""Leases: who may act on a deployment, and that whoever may not cannot write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from isthmus.store import Lease, LeaseLost, Store, deployments, leases

from .rows import add, ask, deployment, get, tell


def claim(store: Store, owner: str = "w1", now: float = 10.0, seconds: float = 5.0, limit: int = 99) -> list[Lease]:
    found: list[Lease] = tell(store, lambda c: leases.claim_due(c, owner, now, seconds, limit))
    return found


def test_what_is_due_is_claimed_once(store: Store) -> None:
    add(store, deployment())
    assert [lease.deployment for lease in claim(store)] == [deployment().id]
    assert claim(store, "w2") == []
    assert claim(store, "w1") == []


def test_what_is_not_due_is_left(store: Store) -> None:
    add(store, deployment(1, due=11.0), deployment(2, due=None))
    assert not ask(store, lambda c: leases.any_due(c, 10.0))
    assert claim(store) == []
    assert ask(store, lambda c: leases.any_due(c, 11.0))


def test_the_longest_due_are_claimed_first_and_no_more_than_asked(store: Store) -> None:
    add(store, deployment(1, due=9.0), deployment(2, due=7.0), deployment(3, due=8.0))
    assert [lease.deployment[-1] for lease in claim(store, limit=2)] == ["2", "3"]


def test_a_lease_that_expired_goes_to_another_and_its_first_holder_can_no_longer_write(store: Store) -> None:
    add(store, deployment())
    (old,) = claim(store, now=10.0, seconds=5.0)
    assert claim(store, "w2", now=14.9) == []
    (new,) = claim(store, "w2", now=15.1)
    with pytest.raises(LeaseLost):
        tell(store, lambda c: leases.guard(c, old, phase="running"))
    with pytest.raises(LeaseLost):
        tell(store, lambda c: leases.release(c, old))
    tell(store, lambda c: leases.guard(c, new, phase="deploying"))
    assert get(store).phase == "deploying"


def test_nothing_is_written_of_a_transaction_whose_guard_fails(store: Store) -> None:
    add(store, deployment(1), deployment(2))
    (old,) = claim(store, limit=1)
    claim(store, "w2", now=20.0)

    def change(c: object) -> None:
        deployments.nudge(c, get(store, 2), 3.0)  # type: ignore[arg-type]
        leases.guard(c, old)  # type: ignore[arg-type]

    with pytest.raises(LeaseLost):
        tell(store, change)
    assert get(store, 2).due == 10.0


def test_a_renewed_lease_stays_and_tells_what_has_changed(store: Store) -> None:
    add(store, deployment(1), deployment(2))
    one, two = claim(store)
    assert tell(store, lambda c: leases.renew(c, [one, two], 14.0, 5.0)) == {
        one.deployment: (1, False),
        two.deployment: (1, False),
    }
    assert claim(store, "w2", now=18.0) == []
    tell(store, lambda c: deployments.change(c, one.deployment, 1, 15.0, power="absent"))
    tell(store, lambda c: deployments.nudge(c, get(store, 2), 15.0, cancelled=True))
    assert tell(store, lambda c: leases.renew(c, [one, two], 18.0, 5.0)) == {
        one.deployment: (2, False),
        two.deployment: (1, True),
    }


def test_renewing_says_nothing_of_a_lease_that_is_lost(store: Store) -> None:
    add(store, deployment())
    (old,) = claim(store)
    claim(store, "w2", now=20.0)
    assert tell(store, lambda c: leases.renew(c, [old], 20.0, 5.0)) == {}


def test_a_claim_says_what_it_was_taken_at(store: Store) -> None:
    add(store, deployment(1, version=7), deployment(2, cancelled=True))
    assert {(lease.version, lease.cancelled) for lease in claim(store)} == {(7, False), (1, True)}


def test_what_is_given_back_may_be_claimed_at_once(store: Store) -> None:
    add(store, deployment())
    (one,) = claim(store)
    tell(store, lambda c: leases.release(c, one, phase="degraded", due=12.0))
    assert get(store).phase == "degraded"
    assert claim(store, now=11.0) == []
    assert len(claim(store, "w2", now=12.0)) == 1


def test_leases_of_the_dead_are_broken_and_no_others(store: Store) -> None:
    add(store, deployment(1), deployment(2))
    (dead,) = claim(store, "dead", limit=1)
    (alive,) = claim(store, "alive")
    assert set(ask(store, leases.owners)) == {"dead", "alive"}
    assert tell(store, lambda c: leases.break_leases(c, ["dead", "gone"])) == 1
    assert ask(store, leases.owners) == ["alive"]
    with pytest.raises(LeaseLost):
        tell(store, lambda c: leases.guard(c, dead))
    tell(store, lambda c: leases.guard(c, alive))
    assert [lease.deployment for lease in claim(store, "next")] == [dead.deployment]


def test_claimers_at_once_never_get_the_same(open_another: Callable[[], Store]) -> None:
    stores = [open_another(), open_another()]
    add(stores[0], *(deployment(n) for n in range(60)))
    together = Barrier(6)

    def claim_all(number: int) -> list[str]:
        store, got = stores[number % 2], []
        together.wait()
        while found := claim(store, f"w{number}", limit=3):
            got += [lease.deployment for lease in found]
        return got

    with ThreadPoolExecutor(6) as threads:
        got = Counter(id_ for ids in threads.map(claim_all, range(6)) for id_ in ids)
    # A claim may find all that is left being claimed by others, so that one more may be needed.
    got.update(lease.deployment for lease in claim(stores[0], "last"))
    assert len(got) == 60
    assert set(got.values()) == {1}
