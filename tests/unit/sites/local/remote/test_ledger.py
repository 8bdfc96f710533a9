"""What the ledger of the local queue keeps, whoever writes in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.sites.local.remote.ledger import Ledger
from isthmus.sites.local.remote.want import Want

WANT = Want()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "queue" / "ledger.db", durable=False)
    yield made
    made.close()


def start(ledger: Ledger, number: int, index: int, pid: int = 7) -> None:
    ledger.start(number, index, pid, 70, "boot", 0, "[]", 2.0)


def states(ledger: Ledger, id: str) -> dict[int, str]:
    return {index: task["state"] for index, task in ledger.tell([id])[id].items()}


def test_a_submission_is_added_once(ledger: Ledger, tmp_path: Path) -> None:
    first = ledger.add("a-1", str(tmp_path), WANT, [0, 5], 1.0, "boot")
    assert ledger.add("a-1", str(tmp_path), WANT, [0, 5], 9.0, "boot") == first
    assert states(ledger, "a-1") == {0: "queued", 5: "queued"}
    assert ledger.numbers(["a-1", "a-2"]) == {"a-1": first}


def test_who_is_not_known_is_left_out_of_any_number_asked(ledger: Ledger, tmp_path: Path) -> None:
    for n in range(3):
        ledger.add(f"a-{n}", str(tmp_path), WANT, [0], 1.0, "boot")
    assert set(ledger.tell([f"a-{n}" for n in range(2000)])) == {"a-0", "a-1", "a-2"}


def test_withdrawing_leaves_what_runs(ledger: Ledger, tmp_path: Path) -> None:
    number = ledger.add("a-1", str(tmp_path), WANT, range(4), 1.0, "boot")
    start(ledger, number, 0)
    ledger.withdraw("a-1", [0, 1], 3.0)
    assert states(ledger, "a-1") == {0: "running", 1: "cancelled", 2: "queued", 3: "queued"}
    ledger.withdraw("a-1", None, 3.0)
    assert states(ledger, "a-1") == {0: "running", 1: "cancelled", 2: "cancelled", 3: "cancelled"}
    assert [row["idx"] for row in ledger.running("a-1")] == [0]


def test_the_earliest_time_to_be_ended_at_stays(ledger: Ledger, tmp_path: Path) -> None:
    number = ledger.add("a-1", str(tmp_path), WANT, [0], 1.0, "boot")
    start(ledger, number, 0)
    for at in (50.0, 40.0, 60.0):
        ledger.doom(ledger.running("a-1"), at)
    assert [row["kill_at"] for row in ledger.doomed()] == [40.0]


def test_what_waits_is_told_in_the_order_it_came_and_again_only_from_there(ledger: Ledger, tmp_path: Path) -> None:
    numbers = [ledger.add(id, str(tmp_path), WANT, range(2), 1.0, "boot") for id in ("b-1", "a-1")]
    assert [(row["id"], indices) for row, indices in ledger.waiting()] == [("b-1", [0, 1]), ("a-1", [0, 1])]
    assert [row["id"] for row, _ in ledger.waiting(numbers[0])] == ["a-1"]


def test_a_requeued_task_waits_as_if_it_had_never_run(ledger: Ledger, tmp_path: Path) -> None:
    number = ledger.add("a-1", str(tmp_path), WANT, [0], 1.0, "boot")
    start(ledger, number, 0)
    ledger.requeue(number, 0)
    assert ledger.is_queued(number, 0)
    assert ledger.tell(["a-1"])["a-1"][0]["started"] is None


def test_what_a_worker_was_given_in_advance_waits_until_it_is_at_it(ledger: Ledger, tmp_path: Path) -> None:
    number = ledger.add("a-1", str(tmp_path), WANT, range(3), 1.0, "boot")
    start(ledger, number, 1)
    ledger.start(number, 0, 7, 70, "boot", 0, "[]", None)
    assert states(ledger, "a-1") == {0: "queued", 1: "running", 2: "queued"}
    assert [row["idx"] for row in ledger.alive()] == [1, 0]
    assert (ledger.counts(), ledger.used()) == ({"queued": 2, "running": 1}, 1.0)
    assert not ledger.is_queued(number, 0)
    ledger.go_on(number, 0, 3.0)
    assert states(ledger, "a-1") == {0: "running", 1: "running", 2: "queued"}


def test_what_was_cancelled_before_it_began_has_ended_when_it_is_given_back(ledger: Ledger, tmp_path: Path) -> None:
    number = ledger.add("a-1", str(tmp_path), WANT, [0], 1.0, "boot")
    ledger.start(number, 0, 7, 70, "boot", 0, "[]", None)
    ledger.doom(ledger.running("a-1"), 50.0)
    ledger.requeue(number, 0)
    task = ledger.tell(["a-1"])["a-1"][0]
    assert (task["state"], task["reason"], task["started"]) == ("cancelled", "Cancelled", None)


def test_what_has_ended_is_forgotten_when_its_folder_is_gone(ledger: Ledger, tmp_path: Path) -> None:
    kept = ledger.add("a-1", str(tmp_path), WANT, [0], 1.0, "boot")
    gone = ledger.add("a-2", str(tmp_path / "none"), WANT, [0], 1.0, "boot")
    ledger.add("a-3", str(tmp_path / "none"), WANT, [0], 1.0, "boot")
    for number in (kept, gone):
        ledger.end(number, 0, {"state": "succeeded", "ended": 3.0})
    ledger.forget()
    assert set(ledger.tell(["a-1", "a-2", "a-3"])) == {"a-1", "a-3"}
    assert not ledger.is_idle()


def test_numbers_are_never_given_twice(ledger: Ledger, tmp_path: Path) -> None:
    first = ledger.add("a-1", str(tmp_path / "none"), WANT, [0], 1.0, "boot")
    ledger.end(first, 0, {"state": "succeeded"})
    ledger.forget()
    assert ledger.add("a-2", str(tmp_path), WANT, [0], 1.0, "boot") > first


def test_a_failed_transaction_leaves_nothing(ledger: Ledger, tmp_path: Path) -> None:
    def fail() -> None:
        with ledger.transaction():
            ledger.add("a-1", str(tmp_path), WANT, [0], 1.0, "boot")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert ledger.tell(["a-1"]) == {}


def test_a_ledger_of_another_version_is_refused_by_its_name(tmp_path: Path) -> None:
    import sqlite3

    Ledger(tmp_path / "ledger.db", durable=False).close()
    with sqlite3.connect(tmp_path / "ledger.db") as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(OSError, match=r"ledger\.db.*99"):
        Ledger(tmp_path / "ledger.db", durable=False)
