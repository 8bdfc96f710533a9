"""Deployments as rows: names, keys, versions, pages."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

import pytest
from sqlalchemy.exc import IntegrityError

from isthmus.store import Store, deployments
from isthmus.store.deployments import Deployment

from .rows import add, ask, deployment, get, tell


def test_what_is_kept_comes_back(store: Store) -> None:
    row = deployment(
        1, inputs={"größe": [1, 2.5, None, True, {"a": "✓"}]}, placement={"site": "s", "offers": {}},
        outputs={"x": None}, pinned_site="s", idempotency_key="k", request_digest="d", created=1_700_000_000.123456,
    )  # fmt: skip
    add(store, row)
    assert get(store) == row


def test_a_placement_that_is_not_chosen_is_null(store: Store) -> None:
    add(store, deployment())
    assert get(store).placement is None
    assert ask(store, lambda c: deployments.at_rest(c, "s")) == set()


def test_a_name_is_taken_while_its_deployment_lives(store: Store) -> None:
    add(store, deployment(1, name="mine"))
    with pytest.raises(IntegrityError):
        add(store, deployment(2, name="mine"))
    add(store, deployment(3, name="mine", owner="bob"), deployment(4, name="mine", vo="biology"))
    tell(store, lambda c: deployments.change(c, deployment(1).id, 1, 2.0, phase="deleted"))
    add(store, deployment(5, name="mine"))
    found = ask(store, lambda c: deployments.find(c, "physics", "alice", "mine")[0])
    assert found.id == deployment(5).id


def test_two_at_once_cannot_take_one_name(open_another: Callable[[], Store]) -> None:
    first, second = open_another(), open_another()
    add(first, deployment(9))
    refused: list[Exception] = []

    def take(store: Store, number: int) -> None:
        try:
            add(store, deployment(number, name="mine"))
        except IntegrityError as error:
            refused.append(error)

    threads = [Thread(target=take, args=(s, n)) for n, s in enumerate((first, second) * 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 5


def test_of_the_deleted_the_last_is_found_by_name_and_each_by_id(store: Store) -> None:
    add(store, deployment(1, name="mine", phase="deleted", created=1.0))
    add(store, deployment(2, name="mine", phase="deleted", created=2.0))
    assert ask(store, lambda c: deployments.find(c, "physics", "alice", "mine")[0]).id == deployment(2).id
    assert ask(store, lambda c: deployments.find(c, "physics", "alice", deployment(1).id)[0]).id == deployment(1).id


def test_an_id_is_found_before_a_name_that_looks_like_it(store: Store) -> None:
    add(store, deployment(1), deployment(2, name=deployment(1).id, created=5.0))
    assert ask(store, lambda c: deployments.find(c, "physics", "alice", deployment(1).id)[0]).id == deployment(1).id
    assert ask(store, lambda c: deployments.summary(c, "physics", "alice", deployment(1).id)).id == deployment(1).id


def test_others_are_not_found(store: Store) -> None:
    add(store, deployment(1, name="mine"))
    for vo, owner in (("physics", "bob"), ("biology", "alice")):
        for ref in ("mine", deployment(1).id):
            assert ask(store, lambda c, v=vo, o=owner, r=ref: deployments.find(c, v, o, r)) == []
            assert ask(store, lambda c, v=vo, o=owner, r=ref: deployments.summary(c, v, o, r)) is None
    assert ask(store, lambda c: deployments.find(c, "physics", None, "mine")[0]).owner == "alice"


def test_an_idempotency_key_is_its_owners_and_used_once(store: Store) -> None:
    add(store, deployment(1, idempotency_key="k"))
    with pytest.raises(IntegrityError):
        add(store, deployment(2, idempotency_key="k"))
    add(store, deployment(3, idempotency_key="k", owner="bob"), deployment(4), deployment(5))
    assert ask(store, lambda c: deployments.find_by_key(c, "physics", "alice", "k")).id == deployment(1).id
    assert ask(store, lambda c: deployments.find_by_key(c, "physics", "alice", "other")) is None


def test_a_change_applies_to_the_version_it_was_meant_for_and_no_other(store: Store) -> None:
    add(store, deployment(1, due=None, attempts=4, cancelled=True))
    assert tell(store, lambda c: deployments.change(c, deployment(1).id, 1, 50.0, power="stopped"))
    row = get(store)
    assert (row.version, row.power, row.due, row.attempts, row.cancelled) == (2, "stopped", 50.0, 0, False)
    assert not tell(store, lambda c: deployments.change(c, deployment(1).id, 1, 60.0, power="absent"))
    assert get(store) == row


def test_two_changes_of_one_version_at_once_cannot_both_apply(open_another: Callable[[], Store]) -> None:
    stores = [open_another(), open_another()]
    add(stores[0], deployment(1))
    applied: list[bool] = []
    threads = [
        Thread(target=lambda s=s: applied.append(tell(s, lambda c: deployments.change(c, deployment(1).id, 1, 5.0))))
        for s in stores * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [False] * 5 + [True]
    assert get(stores[0]).version == 2


@pytest.mark.parametrize("size", [1, 4, 25, 26])
def test_pages_miss_nothing_though_all_were_made_at_the_same_time(store: Store, size: int) -> None:
    add(store, *(deployment(n, created=7.25) for n in range(25)), deployment(30, owner="bob"))
    seen: list[str] = []
    after = None
    while page := ask(
        store, lambda c, a=after: deployments.summaries(c, "physics", "alice", after=a, limit=size, phase=None)
    ):
        seen += [row.id for row in page]
        after = (page[-1].created, page[-1].id)
    assert seen == [f"{n:012x}" for n in range(24, -1, -1)]


def test_lists_leave_out_the_deleted_unless_they_are_asked_for(store: Store) -> None:
    add(store, deployment(1), deployment(2, phase="deleted"), deployment(3, phase="running", created=9.0))

    def listed(phase: str | None) -> list[str]:
        rows = ask(store, lambda c: deployments.summaries(c, "physics", None, after=None, limit=9, phase=phase))
        return [row.name for row in rows]

    assert listed(None) == ["d3", "d1"]
    assert listed("deleted") == ["d2"]
    assert listed("pending") == ["d1"]


def test_a_drift_scan_sees_what_is_at_rest_on_its_site(store: Store) -> None:
    def placed(number: int, site: str, **values: object) -> Deployment:
        placement = {"site": site, "offers": {}}
        return deployment(number, **{"due": None, "phase": "running", "placement": placement, **values})

    add(store, placed(1, "s"), placed(2, "other"), placed(3, "s", due=5.0), placed(4, "s", phase="failed"),
        placed(5, "s", power="stopped", phase="stopped"))  # fmt: skip
    assert ask(store, lambda c: deployments.at_rest(c, "s")) == {deployment(1).id}


def test_only_what_is_at_rest_is_woken(store: Store) -> None:
    add(store, deployment(1, due=None), deployment(2, due=3.0))
    ids = [deployment(1).id, deployment(2).id]
    assert tell(store, lambda c: deployments.wake(c, ids, 9.0)) == ids[:1]
    assert (get(store, 1).due, get(store, 2).due) == (9.0, 3.0)


def test_of_strangers_those_that_were_deleted_are_told(store: Store) -> None:
    add(store, deployment(1, due=None), deployment(2, due=None, phase="deleted"))
    asked = [deployment(1).id, deployment(2).id, "f" * 12]
    assert ask(store, lambda c: deployments.deleted_among(c, asked)) == [deployment(2).id]


def test_a_bundle_is_kept_once(store: Store) -> None:
    for _ in range(2):
        tell(store, lambda c: deployments.save_bundle(c, "d" * 64, b"\x00zip", 1.0))
    assert ask(store, lambda c: deployments.load_bundle(c, "d" * 64)) == b"\x00zip"


def test_two_who_keep_the_same_bundle_at_once_both_succeed(open_another: Callable[[], Store]) -> None:
    stores = [open_another(), open_another()]
    failed: list[BaseException] = []

    def keep(store: Store) -> None:
        try:
            tell(store, lambda c: deployments.save_bundle(c, "d" * 64, b"zip", 1.0))
        except BaseException as error:
            failed.append(error)

    with stores[0].write() as c:
        deployments.save_bundle(c, "d" * 64, b"zip", 1.0)
        other = Thread(target=keep, args=(stores[1],))
        other.start()
        other.join(0.2)  # it waits for this transaction; whether it has begun makes no difference to what must be
    other.join()
    assert failed == []
