"""Looking at submissions: one query for all, reports read when they change, no word taken for another."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from isthmus.work.runner import looking, places
from isthmus.work.runner.failures import Temporary

from .orders import Site, name, order


def states(site: Site, *numbers: int) -> dict[str, list[str]]:
    return {
        id: [task["state"] for task in tasks] for id, tasks in site.looking.look([name(n) for n in numbers]).items()
    }


def test_one_query_for_all(tmp_path: Path) -> None:
    """Whatever their number; what was never handed over is left out."""
    site = Site(tmp_path)
    site.submissions.submit([order(n) for n in range(1, 51)])
    site.scheduler.told = {name(n): {0: {"state": "queued"}} for n in range(1, 51)}
    assert states(site, *range(1, 60)) == {name(n): ["queued"] for n in range(1, 51)}
    assert len(site.scheduler.queries) == 1
    assert len(site.scheduler.queries[0]) == 50


def test_what_has_ended_is_not_asked_for(tmp_path: Path) -> None:
    """And not read again either."""
    site = Site(tmp_path)
    site.submissions.submit([order()])
    site.report(name(1), state="succeeded", exit_code=0)
    assert states(site, 1) == {name(1): ["succeeded"]}
    site.scheduler.queries.clear()
    assert states(site, 1) == {name(1): ["succeeded"]}
    assert site.scheduler.queries == []


def test_a_silent_scheduler_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost is said only when it really answered."""
    site = Site(tmp_path)
    site.submissions.submit([order()])

    def silent(site_ids: Any) -> Any:
        raise Temporary("squeue: error: timed out")

    monkeypatch.setattr(site.scheduler, "query", silent)
    with pytest.raises(Temporary, match="timed out"):
        site.looking.look([name(1)])


def test_a_report_may_come_late(tmp_path: Path) -> None:
    """The scheduler knows nothing more of it, and its folder shows that a moment later."""
    site = Site(tmp_path, lag=5)
    site.submissions.submit([order()])
    assert states(site, 1) == {name(1): ["queued"]}
    site.now = 4
    assert states(site, 1) == {name(1): ["queued"]}
    site.report(name(1), state="succeeded", exit_code=0)
    site.now = 6
    assert states(site, 1) == {name(1): ["succeeded"]}


def test_lost_after_a_while(tmp_path: Path) -> None:
    """Neither knows it."""
    site = Site(tmp_path, lag=5)
    site.submissions.submit([order()])
    states(site, 1)
    site.now = 5
    (task,) = site.looking.look([name(1)])[name(1)]
    assert (task["state"], task["reason"], task["site_id"]) == ("failed", "Lost", "1")


def test_doubts_begin_anew(tmp_path: Path) -> None:
    """A scheduler that knows it again takes the doubt away."""
    site = Site(tmp_path, lag=5)
    site.submissions.submit([order()])
    states(site, 1)
    site.now = 4
    site.scheduler.told = {name(1): {0: {"state": "running"}}}
    states(site, 1)
    site.scheduler.told = {}
    site.now = 8
    assert states(site, 1) == {name(1): ["queued"]}


def test_tasks_of_an_array(tmp_path: Path) -> None:
    """In the order that was handed over, each by itself."""
    site = Site(tmp_path)
    site.submissions.submit([order(indices=[7, 3, 5])])
    site.report(name(1), 3, state="failed", exit_code=1, reason="Error")
    site.scheduler.told = {name(1): {7: {"state": "queued"}, 5: {"state": "running", "host": "n1"}}}
    tasks = site.looking.look([name(1)])[name(1)]
    assert [(t["index"], t["state"], t.get("host", "")) for t in tasks] == [
        (7, "queued", ""), (3, "failed", ""), (5, "running", "n1"),
    ]  # fmt: skip


def test_each_task_of_an_array_has_its_own_number(tmp_path: Path) -> None:
    """Whether the scheduler says it or not; the submission's is that of the whole."""
    site = Site(tmp_path)
    site.submissions.submit([order(indices=[3, 5])])
    places.write_whole(tmp_path / "submissions" / name(1) / "site-id", b"1051_*")
    site.report(name(1), 3, state="succeeded", exit_code=0)
    site.report(name(1), 5, state="running")
    site.scheduler.told = {name(1): {5: {"state": "running", "site_id": "1051_5"}}}
    assert [task["site_id"] for task in site.looking.look([name(1)])[name(1)]] == ["1051_3", "1051_5"]


def test_who_asked_is_looked_up_before_the_scheduler_says_the_end(tmp_path: Path) -> None:
    """A task that was cancelled is over at once; one that somebody else ended waits for why."""
    site = Site(tmp_path)
    site.submissions.submit([order(1), order(2)])
    for n in (1, 2):
        site.report(name(n), state="cancelled", reason="Cancelled", exit_code=143)
    (tmp_path / "submissions" / name(1) / "tasks" / "0" / "cancel").touch()
    site.scheduler.told = {name(n): {0: {"state": "running", "reason": ""}} for n in (1, 2)}
    assert states(site, 1, 2) == {name(1): ["cancelled"], name(2): ["running"]}
    site.scheduler.told = {name(2): {0: {"state": "failed", "reason": "Preempted"}}}
    (task,) = site.looking.look([name(2)])[name(2)]
    assert (task["state"], task["reason"]) == ("failed", "Preempted")


def test_reports_are_read_when_they_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stat is all it takes otherwise."""
    site = Site(tmp_path)
    site.submissions.submit([order()])
    site.scheduler.told = {name(1): {0: {"state": "running"}}}
    site.report(name(1), state="running", host="a")
    site.looking.look([name(1)])
    read = places.read_small
    opened: list[str] = []

    def counting(base: Path, names: Any, *more: Any) -> bytes:
        opened.append(names[-1])
        return read(base, names, *more)

    monkeypatch.setattr(looking, "read_small", counting)
    site.looking.look([name(1)])
    assert opened == []
    site.report(name(1), state="running", host="b")
    (task,) = site.looking.look([name(1)])[name(1)]
    assert (opened, task["host"]) == (["status.json"], "b")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "huge", "deep", "linked folder", "garbage", "gone"])
def test_hostile_reports(tmp_path: Path, kind: str) -> None:
    """Whatever lies where the report should: the scheduler's word is taken."""
    site = Site(tmp_path)
    site.submissions.submit([order()])
    task = tmp_path / "submissions" / name(1) / "tasks" / "0"
    good = tmp_path / "elsewhere"
    good.mkdir()
    (good / "status.json").write_text(json.dumps({"state": "succeeded", "exit_code": 0}))
    if kind == "linked folder":
        task.parent.mkdir()
        task.symlink_to(good)
    else:
        task.mkdir(parents=True)
        place = task / "status.json"
        match kind:
            case "link":
                place.symlink_to(good / "status.json")
            case "pipe":
                os.mkfifo(place)
            case "folder":
                place.mkdir()
            case "huge":
                place.write_text(json.dumps({"state": "succeeded", "x": "x" * 2_000_000}))
            case "deep":
                place.write_text("[" * 100_000)
            case "garbage":
                place.write_bytes(b"\xff\x00{")
    site.scheduler.told = {name(1): {0: {"state": "running"}}}
    assert states(site, 1) == {name(1): ["running"]}


def test_what_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look at running submissions opens no file but of the one that said something new."""
    site = Site(tmp_path)
    numbers = range(1, 21)
    site.submissions.submit([order(n) for n in numbers])
    running = {"state": "running", "host": "n1", "containers": [{"name": "main", "phase": "running"}]}
    for n in numbers:
        site.report(name(n), **running)
    site.scheduler.told = {name(n): {0: {"state": "running"}} for n in numbers}
    states(site, *numbers)
    opened: list[str] = []
    really = os.open

    def opens(path: Any, *args: Any, **options: Any) -> int:
        opened.append(os.fspath(path))
        return really(path, *args, **options)

    site.report(name(7), **running, cpu_seconds=1.0)
    monkeypatch.setattr(os, "open", opens)
    site.looking.look([name(n) for n in numbers])
    assert opened == [str(tmp_path / "submissions" / name(7)), "tasks", "0", "status.json"]
