"""Find before create: whatever dies whenever, every submission reaches the scheduler once."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.work.runner.journal import Journal
from isthmus.work.runner.locks import locked
from isthmus.work.runner.places import write_json

from .orders import Site, name, order, submit_and_die

STEPS = ["begin", "staged", "ordered", "marked", "asked", "accepted", "noted", "submitted", "answered", "sought"]


@pytest.mark.parametrize("step", [s for s in STEPS if s != "sought"])
def test_a_kill_at_a_step_loses_and_doubles_nothing(tmp_path: Path, step: str) -> None:
    """One agent dies there, the next is asked the same."""
    assert submit_and_die(tmp_path, step, [order()]) == signal.SIGKILL
    site = Site(tmp_path)
    assert site.submissions.submit([order()]) == [None]
    assert site.scheduler.accepted() == [name(1)]
    assert (tmp_path / "submissions" / name(1) / "site-id").read_text() == "1"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.lists(st.integers(1, 3), min_size=1, unique=True)), max_size=5))
def test_any_deaths_of_any_agents(deaths: list[tuple[str, list[int]]]) -> None:
    """Agents die at any steps in any order, with any submissions at hand."""
    with tempfile.TemporaryDirectory() as folder:
        for step, numbers in deaths:
            submit_and_die(Path(folder), step, [order(n) for n in numbers])
        site = Site(Path(folder))
        assert site.submissions.submit([order(n) for n in (3, 1, 2)]) == [None] * 3
        assert sorted(site.scheduler.accepted()) == [name(n) for n in (1, 2, 3)]
        assert sorted(site.submissions.standing([name(n) for n in (1, 2, 3)])) == [name(n) for n in (1, 2, 3)]


@pytest.mark.parametrize("step", ["marked", "accepted"])
def test_a_look_settles_what_an_agent_left_behind(tmp_path: Path, step: str) -> None:
    """What the scheduler has is found by name; what it never had is left out."""
    submit_and_die(tmp_path, step, [order()])
    site = Site(tmp_path, lag=10)
    looked = site.looking.look([name(1)])
    assert (name(1) in looked) == (step == "accepted")
    assert site.scheduler.accepted() == [name(1)] * (step == "accepted")


def test_two_agents_hand_over_at_once(tmp_path: Path) -> None:
    """The lock of a submission lets one of them find what the other did."""
    sites = [Site(tmp_path) for _ in range(6)]
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda s=s: answers.extend(s.submissions.submit([order(n) for n in range(1, 9)])))
        for s in sites
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [None] * 48
    assert sorted(sites[0].scheduler.accepted()) == sorted(name(n) for n in range(1, 9))


@pytest.mark.parametrize("lost", ["submitting", "site-id", "everything"])
def test_a_machine_that_loses_power_doubles_nothing(tmp_path: Path, lost: str) -> None:
    """Of what was written last all may be gone but the journal: the scheduler is asked by name."""
    submit_and_die(tmp_path, "noted", [order()])
    place = tmp_path / "submissions" / name(1)
    (place / "site-id").unlink()
    if lost != "site-id":
        (place / "submitting").unlink()
    if lost == "everything":
        shutil.rmtree(place)
    site = Site(tmp_path)
    assert site.submissions.submit([order()]) == [None]
    assert site.scheduler.accepted() == [name(1)]


def test_one_sync_for_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is staged need not last; that it may have been handed over must."""
    site = Site(tmp_path)
    site.submissions.submit([order(0)])  # makes the journal
    monkeypatch.setattr(site.scheduler, "submit", lambda orders: [{"kind": "permanent", "message": "no"}] * len(orders))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(os, "fdatasync", synced.append)
    site.submissions.submit([order(n) for n in range(1, 101)])
    assert len(synced) == 1


def test_the_journal_forgets_what_is_old(tmp_path: Path) -> None:
    """What is a week old is on the disk."""
    Site(tmp_path).submissions.submit([order()])
    (kept,) = (tmp_path / "handing").iterdir()
    assert Journal(tmp_path / "handing").before == {name(1)}
    kept.write_bytes(kept.read_bytes() + b"cut o\xff")
    assert Journal(tmp_path / "handing").before == {name(1)}
    os.utime(kept, (1, 1))
    assert Journal(tmp_path / "handing").before == set()
    assert not kept.exists()


def test_a_refusal_may_be_tried_again(tmp_path: Path) -> None:
    """A quota is not the end; what was refused leaves no mark that it might have run."""
    site = Site(tmp_path)
    site.scheduler.answers[name(1)] = {"kind": "quota", "message": "AssocMaxSubmitJobLimit"}
    assert site.submissions.submit([order()]) == [{"kind": "quota", "message": "AssocMaxSubmitJobLimit"}]
    assert site.looking.look([name(1)]) == {}
    site.scheduler.answers.clear()
    assert site.submissions.submit([order()]) == [None]
    assert site.scheduler.accepted() == [name(1)]


def test_what_may_be_on_its_way_is_given_time(tmp_path: Path) -> None:
    """A scheduler that timed out may have accepted: it is not asked again before it must show that."""
    site = Site(tmp_path, settle=60)
    site.scheduler.answers[name(1)] = {"kind": "temporary", "message": "Socket timed out"}
    assert site.submissions.submit([order()]) == [{"kind": "temporary", "message": "Socket timed out"}]
    site.scheduler.answers.clear()
    (told,) = site.submissions.submit([order()])
    assert told is not None
    assert told["kind"] == "temporary"
    assert 50 < told["delay"] <= 60
    assert site.scheduler.accepted() == []


def test_what_a_dead_agent_started_is_waited_for(tmp_path: Path) -> None:
    """A command of the scheduler outlives the agent that ran it, and may still hand over."""
    site = Site(tmp_path)
    submit_and_die(tmp_path, "marked", [order()])
    left = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, start_new_session=True
    )
    mark = tmp_path / "submissions" / name(1) / "submitting"
    write_json(mark, {**json.loads(mark.read_text()), "session": left.pid})
    (told,) = site.submissions.submit([order()])
    assert told is not None
    assert told["kind"] == "temporary"
    left.communicate()
    assert site.submissions.submit([order()]) == [None]


def test_one_that_ran_is_never_handed_over_again(tmp_path: Path) -> None:
    """A report says that it ran, even when the scheduler has forgotten it."""
    submit_and_die(tmp_path, "marked", [order()])
    site = Site(tmp_path)
    site.report(name(1), state="running", exit_code=None)
    assert site.submissions.submit([order()]) == [None]
    assert site.scheduler.accepted() == []
    (task,) = site.looking.look([name(1)])[name(1)]
    assert (task["state"], task["reason"]) == ("failed", "Lost")


def test_inputs_are_copied_with_their_modes(tmp_path: Path) -> None:
    """A program may write to its inputs: the blob is another file."""
    site = Site(tmp_path)
    digest = site.blob(b"#!/bin/sh\n")
    inputs = [{"path": "bin/run", "digest": digest, "mode": 0o755}, {"path": "data", "digest": digest, "mode": 0o640}]
    assert site.submissions.submit([order(inputs=inputs)]) == [None]
    work = tmp_path / "submissions" / name(1) / "work"
    assert stat.S_IMODE((work / "bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((work / "data").stat().st_mode) == 0o640
    (work / "data").write_bytes(b"changed")
    assert site.blobs.path(digest).read_bytes() == b"#!/bin/sh\n"
    assert (work / "bin/run").read_bytes() == b"#!/bin/sh\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "../../etc"}, "not the id"),
        ({"id": "0123456789ab-1/x"}, "not the id"),
        ({"indices": []}, "its tasks"),
        ({"indices": [1, 1]}, "its tasks"),
        ({"indices": [-1]}, "not the index"),
        ({"spec": {"inputs": [{"path": "../x", "digest": "0" * 64, "mode": 420}]}}, "not a path"),
        ({"spec": {"inputs": [{"path": "/x", "digest": "0" * 64, "mode": 420}]}}, "not a path"),
        ({"spec": {"inputs": [{"path": "x", "digest": "../x", "mode": 420}]}}, "not a digest"),
        ({"spec": {"inputs": [{"path": "x", "url": "https://x", "mode": 420}]}}, "pulled"),
        ({"spec": {"outputs": [{"path": "a/../../x"}]}}, "not a path"),
        ({"spec": None}, "not an order"),
    ],
)
def test_hostile_orders_are_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """By name, and nothing is written anywhere."""
    site = Site(tmp_path)
    (told,) = site.submissions.submit([{**order(), **change}])
    assert told is not None
    assert told["kind"] == "permanent"
    assert words in told["message"]
    assert list((tmp_path / "submissions").iterdir()) == []


def test_a_missing_blob_is_told(tmp_path: Path) -> None:
    """It may come yet."""
    inputs = [{"path": "x", "digest": "0" * 64, "mode": 0o644}]
    (told,) = Site(tmp_path).submissions.submit([order(inputs=inputs)])
    assert told is not None
    assert told["kind"] == "temporary"


def test_inputs_in_each_others_way(tmp_path: Path) -> None:
    """A file and a folder of the same name."""
    site = Site(tmp_path)
    digest = site.blob(b"x")
    inputs = [{"path": path, "digest": digest, "mode": 0o644} for path in ("a", "a/b")]
    (told,) = site.submissions.submit([order(inputs=inputs)])
    assert told is not None
    assert told["kind"] == "permanent"


def test_blobs_travel_where_files_are_not_shared(tmp_path: Path) -> None:
    """The order then names them relative to the submission."""
    site = Site(tmp_path)
    digest = site.blob(b"config")
    volumes = [{"name": "c", "files": [{"path": "x", "digest": digest}]}]
    assert site.submissions.submit([{**order(volumes=volumes), "blobs": "blobs"}]) == [None]
    place = tmp_path / "submissions" / name(1)
    assert (place / "blobs" / digest[:2] / digest).read_bytes() == b"config"
    assert json.loads((place / "order.json").read_text())["blobs"] == "blobs"


def test_secrets_are_for_their_owner_and_go_at_the_end(tmp_path: Path) -> None:
    """When all tasks have ended nobody needs them."""
    site = Site(tmp_path)
    containers = [{"name": "main", "secrets": {"TOKEN": "s3cret"}}]
    site.submissions.submit([order(indices=[0, 1], containers=containers)])
    place = tmp_path / "submissions" / name(1) / "order.json"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    site.report(name(1), 0, state="succeeded", exit_code=0)
    site.scheduler.told[name(1)] = {1: {"state": "running"}}
    site.looking.look([name(1)])
    assert "s3cret" in place.read_text()
    site.report(name(1), 1, state="succeeded", exit_code=0)
    site.looking.look([name(1)])
    assert "s3cret" not in place.read_text()
    assert json.loads(place.read_text())["name"] == "a job"


def test_volumes_of_a_supervisor_that_died_with_its_node_go_too(tmp_path: Path) -> None:
    """They have what secrets there were."""
    site = Site(tmp_path)
    files = [{"path": "token", "content": base64.b64encode(b"s3cret").decode()}]
    site.submissions.submit([order(volumes=[{"name": "v", "files": files}])])
    volume = tmp_path / "submissions" / name(1) / "tasks" / "0" / "volumes" / "v"
    volume.mkdir(parents=True)
    (volume / "token").write_text("s3cret")
    volume.chmod(0o500)
    site.report(name(1), 0, state="running")
    site.scheduler.told[name(1)] = {0: {"state": "failed", "reason": "NodeFail"}}
    assert site.looking.look([name(1)])[name(1)][0]["reason"] == "NodeFail"
    assert not volume.parent.exists()


def test_what_timed_out_has_its_time_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from when it began: the scheduler may take it as late as that."""
    site = Site(tmp_path, settle=60)
    began = time.time()
    monkeypatch.setattr(time, "time", lambda: began)
    site.scheduler.answers[name(1)] = {"kind": "temporary", "message": "sbatch: no answer in 300 s"}
    site.submissions._step = lambda step: monkeypatch.setattr(
        time, "time", lambda: began + 300 * (step in ("submitted", "answered"))
    )
    site.submissions.submit([order()])
    site.scheduler.answers.clear()
    (told,) = site.submissions.submit([order()])
    assert told is not None
    assert (told["kind"], told["delay"]) == ("temporary", 60.0)
    assert site.scheduler.accepted() == []


def test_removal(tmp_path: Path) -> None:
    """All of it goes, also what a job made read-only; links are not followed; gone stays gone."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    site = Site(tmp_path / "root")
    site.submissions.submit([order(1), order(2)])
    work = tmp_path / "root" / "submissions" / name(1) / "work"
    work.mkdir()
    (work / "link").symlink_to(outside)
    (work / "closed").mkdir()
    (work / "closed" / "file").touch()
    (work / "closed").chmod(0o500)
    site.submissions.remove([name(1), name(9)])
    site.submissions.remove([name(1)])
    assert [p.name for p in (tmp_path / "root" / "submissions").iterdir()] == [name(2)]
    assert (outside / "kept").exists()
    assert site.places.all() == [name(2)]


def test_removal_while_another_waits(tmp_path: Path) -> None:
    """Who waited for the lock of what is gone makes it anew."""
    site, other = Site(tmp_path), Site(tmp_path)
    site.submissions.submit([order()])
    answers: list[Any] = []
    place = tmp_path / "submissions" / name(1)
    with locked(place):
        waiting = threading.Thread(target=lambda: answers.extend(other.submissions.submit([order()])))
        waiting.start()
        place.rename(tmp_path / "gone")
    waiting.join()
    assert answers == [None]
    assert site.scheduler.accepted() == [name(1)] * 2


def test_what_fails_under_the_lock_is_told_though_the_folder_is_gone(tmp_path: Path) -> None:
    site = Site(tmp_path)
    place = tmp_path / "submissions" / name(1)

    def fail() -> None:
        with site.submissions._lock(place):
            shutil.rmtree(place)
            raise FileNotFoundError("its own")

    with pytest.raises(FileNotFoundError, match="its own"):
        fail()


def test_removal_as_the_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was told that the folder is there, and finds it gone, makes it anew."""
    site = Site(tmp_path)
    place, gone = tmp_path / "submissions" / name(1), tmp_path / "gone"
    place.mkdir(parents=True)
    make = os.mkdir

    def mkdir(path: Any, *args: Any, **options: Any) -> None:
        try:
            make(path, *args, **options)
        except FileExistsError:
            place.rename(gone)
            raise

    monkeypatch.setattr(os, "mkdir", mkdir)
    assert site.submissions.submit([order()]) == [None]
    assert gone.exists()
    assert site.scheduler.accepted() == [name(1)]


def test_sweeping(tmp_path: Path) -> None:
    """A blob goes when no submission names it and nobody asked for it in a while."""
    site = Site(tmp_path)
    used, fresh, old = (site.blob(data) for data in (b"used", b"fresh", b"old"))
    site.submissions.submit([order(inputs=[{"path": "x", "digest": used, "mode": 0o644}])])
    for digest in (used, old):
        os.utime(site.blobs.path(digest), (1, 1))
    assert site.submissions.sweep(3600) == 1
    assert site.blobs.missing([used, fresh, old]) == [old]
