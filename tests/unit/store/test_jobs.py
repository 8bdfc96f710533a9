"""Jobs, their tasks and submissions as rows, and the leases of sites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from isthmus.store import LeaseLost, Store, jobs, site_leases
from isthmus.store.jobs import Job, SubmissionRow, Task

from .rows import ask, tell


def job(number: int = 1, **values: Any) -> Job:
    usual: dict[str, Any] = {
        "id": f"{number:012x}", "name": "align", "owner": "alice", "vo": "physics", "site": "hpc", "why": "",
        "spec": b"x",
        "image": "alpine", "command": ["a", "b"], "after": [], "retry": 0, "keep": 10.0, "sends": False, "grace": None,
        "state": "pending", "reason": "", "exit_code": None, "version": 1, "due": 10.0, "removed": False, "key": None,
        "request_digest": None, "created": float(number), "started": None, "ended": None,
    }  # fmt: skip
    return Job(**{**usual, **values})


def add(store: Store, row: Job, count: int = 1) -> Job:
    tell(store, lambda c: jobs.add(c, row, [Task(row.id, i, due=10.0) for i in range(count)]))
    return row


def test_a_job_comes_back_as_it_was(store: Store) -> None:
    row = add(store, job(), 3)
    assert ask(store, lambda c: jobs.get(c, row.id)) == row
    assert ask(store, lambda c: jobs.tasks_of(c, [row.id])) == {row.id: [Task(row.id, i, due=10.0) for i in range(3)]}


def test_a_name_means_the_youngest_and_an_id_itself(store: Store) -> None:
    old, young = add(store, job(1)), add(store, job(2))
    assert ask(store, lambda c: jobs.find(c, "physics", "alice", "align", "alice")) == young
    assert ask(store, lambda c: jobs.find(c, "physics", "alice", old.id, "alice")) == old
    assert ask(store, lambda c: jobs.find(c, "physics", "bob", old.id, "alice")) is None
    assert ask(store, lambda c: jobs.find(c, "biology", None, old.id, "alice")) is None


def test_a_key_makes_one_job_for_each_owner(store: Store) -> None:
    row = add(store, job(1, key="k"))
    with pytest.raises(IntegrityError):
        add(store, job(2, key="k"))
    add(store, job(3, key="k", owner="bob"))
    assert ask(store, lambda c: jobs.by_keys(c, "physics", "alice", ["k", "none"])) == {"k": row}


def test_pages_are_filtered_and_follow_each_other(store: Store) -> None:
    for number in range(1, 6):
        add(store, job(number, state="running" if number % 2 else "failed"))
    found = ask(store, lambda c: jobs.page(c, "physics", "alice", after=None, limit=2, state=None, site=None))
    assert [row.created for row in found] == [5.0, 4.0]
    after = (found[-1].created, found[-1].id)
    found = ask(store, lambda c: jobs.page(c, "physics", None, after=after, limit=9, state="running", site="hpc"))
    assert [row.created for row in found] == [3.0, 1.0]


def test_only_what_is_due_is_kept(store: Store) -> None:
    add(store, job(1, due=10.0))
    add(store, job(2, due=200.0))
    add(store, job(3, due=None))
    assert ask(store, lambda c: jobs.sites_due(c, 100.0)) == ["hpc"]
    assert [row.id for row in ask(store, lambda c: jobs.due(c, "hpc", 100.0, 10))] == [f"{1:012x}"]
    assert ask(store, lambda c: jobs.sites_due(c, 1.0)) == []


def test_a_submission_takes_its_tasks(store: Store) -> None:
    row = add(store, job(), 3)
    made = SubmissionRow(row.id, 1, [0, 2])
    tell(store, lambda c: jobs.add_submissions(c, [made]))
    tasks = ask(store, lambda c: jobs.tasks_of(c, [row.id]))[row.id]
    assert [(t.submission, t.due) for t in tasks] == [(1, None), (0, 10.0), (1, None)]
    tell(store, lambda c: jobs.mark_cancelled(c, [made], 50.0))
    assert ask(store, lambda c: jobs.submissions_of(c, [row.id]))[row.id] == [replace(made, cancelled=50.0)]
    tell(store, lambda c: jobs.mark_handed(c, [made]))
    assert ask(store, lambda c: jobs.submissions_of(c, [row.id]))[row.id] == [replace(made, handed=True)]


def test_what_is_seen_of_a_task_leaves_a_cancel_that_came_meanwhile(store: Store) -> None:
    row = add(store, job(), 2)
    tell(store, lambda c: jobs.ask_cancel(c, row.id, [1], 60.0, 3.0))
    seen = Task(row.id, 1, 1, state="running", host="n1", containers=[{"name": "main"}])
    tell(store, lambda c: jobs.put_tasks(c, [seen]))
    assert ask(store, lambda c: jobs.tasks_of(c, [row.id]))[row.id][1] == replace(seen, cancel=True)
    now = ask(store, lambda c: jobs.get(c, row.id))
    assert (now.due, now.grace, now.version) == (60.0, 3.0, 2)


def test_counts_of_tasks_by_state(store: Store) -> None:
    row = add(store, job(), 3)
    tell(store, lambda c: jobs.put_tasks(c, [Task(row.id, 1, state="running")]))
    assert ask(store, lambda c: jobs.counts(c, [row.id])) == {row.id: {"pending": 2, "running": 1}}


def test_a_job_is_forgotten_with_all_it_had(store: Store) -> None:
    row = add(store, job(), 2)
    tell(store, lambda c: jobs.add_submissions(c, [SubmissionRow(row.id, 1, [0, 1])]))
    tell(store, lambda c: jobs.remove(c, row.id))
    assert ask(store, lambda c: jobs.get(c, row.id)) is None
    assert ask(store, lambda c: jobs.tasks_of(c, [row.id])) == {row.id: []}


def test_a_site_has_one_keeper(store: Store, open_another: Callable[[], Store]) -> None:
    other = open_another()
    lease = tell(store, lambda c: site_leases.claim(c, "hpc", "a", 100.0, 10.0))
    assert tell(other, lambda c: site_leases.claim(c, "hpc", "b", 105.0, 10.0)) is None
    tell(store, lambda c: site_leases.guard(c, lease, 108.0, 10.0))
    assert tell(other, lambda c: site_leases.claim(c, "hpc", "b", 115.0, 10.0)) is None
    assert tell(other, lambda c: site_leases.claim(c, "hpc", "b", 119.0, 10.0)) is not None
    with pytest.raises(LeaseLost):
        tell(store, lambda c: site_leases.guard(c, lease, 120.0, 10.0))
    tell(store, lambda c: site_leases.release(c, lease))
    assert ask(store, site_leases.owners) == ["b"], "a lease that was lost is not given back"
    tell(store, lambda c: site_leases.break_leases(c, ["b"]))
    assert ask(store, site_leases.owners) == []
