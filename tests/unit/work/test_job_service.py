"""What users ask of jobs: made once, seen by those who may, cancelled, forgotten."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.engine.pulse import Pulse
from isthmus.errors import Busy, Invalid, NotFound, TooLarge
from isthmus.identity import Principal
from isthmus.job_service import JobRequest, JobService
from isthmus.sites.errors import Permanent
from isthmus.sites.jobs import LogOptions
from isthmus.store.blobs import Blobs
from isthmus.work.job import Container, File, Input, JobSpec, JobState, Mount, Resources, Volume

from .toy import Desk, Toy

ALICE, BOB, ROOT = Principal("alice", "physics"), Principal("bob", "physics"), Principal("root", "physics", admin=True)
TRUE = JobSpec((Container("main", command=("true",)),))


class Places:
    """The toy as the only site, or as one of several."""

    def __init__(self, toy: Toy, *more: str):
        self.toys = dict.fromkeys(("toy", *more), toy)
        self.sites = SimpleNamespace(get=self._driver)

    def names(self) -> tuple[str, ...]:
        return tuple(self.toys)

    def _driver(self, name: str) -> Toy:
        if name not in self.toys:
            raise Permanent("none")
        return self.toys[name]

    async def get(self, name: str) -> tuple[Toy, Toy]:
        return self._driver(name), self._driver(name)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def service(desk: Desk, tmp_path: Path) -> JobService:
    places: Any = Places(desk.toy)
    return JobService(desk.store, places, Blobs(tmp_path / "blobs"), Pulse(), lambda site: None)


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for one in data:
        yield one


async def test_a_key_makes_one_job(service: JobService) -> None:
    first, new = await service.create(ALICE, JobRequest(TRUE, key="k"))
    again, new_again = await service.create(ALICE, JobRequest(TRUE, key="k"))
    assert (new, new_again, again.id) == (True, False, first.id)
    with pytest.raises(Invalid, match="idempotency key"):
        await service.create(ALICE, JobRequest(TRUE, key="k", retry=3))
    _, new = await service.create(BOB, JobRequest(TRUE, key="k"))
    assert new


async def test_two_requests_at_once_with_one_key_make_one_job(service: JobService) -> None:
    made = await asyncio.gather(*(service.create(ALICE, JobRequest(TRUE, key="k")) for _ in range(5)))
    assert len({view.id for view, _ in made}) == 1
    assert sum(new for _, new in made) == 1


async def test_nobody_else_sees_a_job(service: JobService) -> None:
    view, _ = await service.create(ALICE, JobRequest(TRUE, name="mine"))
    for ref in ("mine", view.id):
        with pytest.raises(NotFound):
            await service.get(BOB, ref)
        assert (await service.get(ROOT, ref)).id == view.id
    assert (await service.list(BOB)).items == []


async def test_a_name_means_ones_own_job_first(service: JobService, desk: Desk) -> None:
    mine, _ = await service.create(ROOT, JobRequest(TRUE, name="same"))
    desk.time += 1
    other, _ = await service.create(ALICE, JobRequest(TRUE, name="same"))
    assert (await service.get(ROOT, "same")).id == mine.id
    assert (await service.get(ROOT, other.id)).owner == "alice"


async def test_secrets_are_neither_shown_nor_kept_in_clear(service: JobService, desk: Desk, tmp_path: Path) -> None:
    volume = Volume("v", (File("f", "aHVudGVyMg=="),))
    container = Container(
        "main", command=("true",), env={"A": "1"}, secrets={"P": "hunter2"}, mounts=(Mount("v", "/v"),)
    )
    view, _ = await service.create(ALICE, JobRequest(JobSpec((container,), volumes=(volume,))))
    assert "hunter2" not in str(view)
    assert "aHVudGVyMg" not in str(view)
    assert view.spec["containers"][0]["env"] == {"A": "1"}
    kept = b"".join(p.read_bytes() for p in tmp_path.glob("jobs.db*"))  # noqa: ASYNC240
    assert b"hunter2" not in kept
    assert b"aHVudGVyMg" not in kept


async def test_files_are_handed_over_once_and_for_their_owner_alone(service: JobService) -> None:
    data = b"reads" * 1000
    digest = hashlib.sha256(data).hexdigest()
    assert await service.missing_blobs(ALICE, [digest]) == [digest]
    await service.put_blob(ALICE, digest, chunks(data[:7], data[7:]))
    assert await service.missing_blobs(ALICE, [digest]) == []
    assert await service.missing_blobs(BOB, [digest]) == [digest]
    spec = JobSpec(TRUE.containers, inputs=(Input("reads.fq", digest),))
    await service.create(ALICE, JobRequest(spec))
    with pytest.raises(Invalid, match="not handed over"):
        await service.create(BOB, JobRequest(spec))


async def test_a_file_with_other_bytes_is_not_kept(service: JobService, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="not the bytes"):
        await service.put_blob(ALICE, "0" * 64, chunks(b"other"))
    assert not [p for p in (tmp_path / "blobs").rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    "spec",
    [
        JobSpec(()),
        JobSpec((Container("main"),)),
        JobSpec((Container("UPPER", command=("a",)),)),
        JobSpec((Container("a", command=("a",)), Container("a", command=("a",)))),
        JobSpec((Container("main", command=("a\0b",)),)),
        JobSpec((Container("main", command=("a",), env={"A=B": "c"}),)),
        JobSpec((Container("main", command=("a",), mounts=(Mount("v", "/v"),)),)),
        JobSpec((Container("main", command=("a",), mounts=(Mount("v", "/v", "../etc"),)),), volumes=(Volume("v"),)),
        JobSpec((Container("main", command=("a",), mounts=(Mount("v", "rel"),)),), volumes=(Volume("v"),)),
        JobSpec(TRUE.containers, inputs=(Input("../up", "0" * 64),)),
        JobSpec(TRUE.containers, volumes=(Volume("v", (File("/etc/passwd", "YQ=="),)),)),
        JobSpec(TRUE.containers, volumes=(Volume("v", (File("f"),)),)),
        JobSpec(TRUE.containers, array=()),
        JobSpec(TRUE.containers, array=(1, 1)),
        JobSpec(TRUE.containers, array=(-1,)),
        JobSpec(TRUE.containers, array=tuple(range(20_000))),
        JobSpec(TRUE.containers, resources=Resources(cpus=0)),
        JobSpec(TRUE.containers, resources=Resources(nodes=2, tasks=1)),
        JobSpec(TRUE.containers, resources=Resources(time=-1)),
    ],
)  # fmt: skip
async def test_what_no_site_could_run_is_refused_at_once(service: JobService, spec: JobSpec) -> None:
    with pytest.raises(Invalid):
        await service.create(ALICE, JobRequest(spec))


async def test_what_is_too_large_is_refused(service: JobService) -> None:
    spec = JobSpec((Container("main", command=("a", "x" * 9_000_000)),))
    with pytest.raises(TooLarge):
        await service.create(ALICE, JobRequest(spec))


@pytest.mark.parametrize(
    ("request_", "match"),
    [
        (JobRequest(TRUE, site="nowhere"), "no site nowhere"),
        (JobRequest(TRUE, name="-x"), "no name"),
        (JobRequest(TRUE, needs=["teleport"]), "teleport"),
        (JobRequest(TRUE, needs=["gpu"]), "no GPU"),
        (JobRequest(TRUE, retry=-1), "retry"),
    ],
)
async def test_requests_that_cannot_be_met_say_why(service: JobService, request_: JobRequest, match: str) -> None:
    with pytest.raises(Invalid, match=match):
        await service.create(ALICE, request_)


async def test_a_job_that_follows_names_one_that_exists(service: JobService) -> None:
    first, _ = await service.create(ALICE, JobRequest(TRUE, name="first"))
    second, _ = await service.create(ALICE, JobRequest(TRUE, after=["first"]))
    assert second.after == [first.id]
    with pytest.raises(NotFound):
        await service.create(BOB, JobRequest(TRUE, after=[first.id]))


async def test_waiting_ends_when_the_job_changes(service: JobService, desk: Desk) -> None:
    view, _ = await service.create(ALICE, JobRequest(TRUE))
    waiting = asyncio.create_task(service.wait(ALICE, view.id, version="1", seconds=20))
    await desk.keep()
    assert (await waiting).state == "queued"
    assert (await service.wait(ALICE, view.id, version="0", seconds=20)).state == "queued"


async def test_a_job_that_is_deleted_is_ended_removed_and_forgotten(service: JobService, desk: Desk) -> None:
    view, _ = await service.create(ALICE, JobRequest(TRUE))
    await desk.keep()
    await service.delete(ALICE, view.id)
    with pytest.raises(NotFound):
        await service.get(ALICE, view.id)
    await desk.keep()
    assert desk.toy.told == [(f"{view.id}-1", None, None)]
    desk.toy.say(f"{view.id}-1", JobState.CANCELLED, ended=desk.time)
    await desk.keep()
    await desk.keep()
    assert desk.toy.removed == [f"{view.id}-1"]
    assert await service.of_keys(ALICE, [view.id]) == {}


async def test_a_job_that_is_being_deleted_is_seen_by_nobody(service: JobService, desk: Desk) -> None:
    older, _ = await service.create(ALICE, JobRequest(TRUE, name="twice"))
    desk.time += 1
    younger, _ = await service.create(ALICE, JobRequest(TRUE, name="twice", key="k"))
    await desk.keep()
    await service.delete(ALICE, "twice")
    assert [job.id for job in (await service.list(ALICE)).items] == [older.id]
    assert (await service.get(ALICE, "twice")).id == older.id
    with pytest.raises(NotFound):
        await service.get(ALICE, younger.id)
    with pytest.raises(Busy, match="being deleted"):
        await service.create(ALICE, JobRequest(TRUE, name="twice", key="k"))


async def test_a_cancel_of_tasks_that_are_not_there_is_refused(service: JobService, desk: Desk) -> None:
    view, _ = await service.create(ALICE, JobRequest(JobSpec(TRUE.containers, array=(1, 2, 3))))
    with pytest.raises(NotFound, match="no task 9"):
        await service.cancel(ALICE, view.id, [2, 9])
    assert not any(task.cancel for task in desk.tasks(view.id))


async def test_a_cancel_that_comes_when_the_job_has_just_ended_changes_nothing(service: JobService, desk: Desk) -> None:
    view, _ = await service.create(ALICE, JobRequest(TRUE))
    await desk.keep()
    desk.toy.say(f"{view.id}-1", JobState.SUCCEEDED, exit_code=0, ended=desk.time)
    await desk.keep()
    ended = desk.job(view.id)
    desk.cancel(view.id)
    assert desk.job(view.id) == ended, "it is looked at again only when it is to be cleared away"


async def test_logs_and_files_come_from_the_last_try(service: JobService, desk: Desk) -> None:
    view, _ = await service.create(ALICE, JobRequest(TRUE, retry=1))
    await desk.keep()
    log = await service.output.log(ALICE, view.id, index=0, container=None, options=LogOptions())
    assert b"".join([chunk async for chunk in log]) == f"log of {view.id}-1\n".encode()
    with pytest.raises(NotFound, match="no container other"):
        await service.output.log(ALICE, view.id, index=0, container="other", options=LogOptions())
    with pytest.raises(NotFound, match="no task 9"):
        await service.output.log(ALICE, view.id, index=9, container=None, options=LogOptions())
    assert [file.path for file in await service.output.files(ALICE, view.id)] == ["out"]
    assert b"".join([c async for c in await service.output.read_file(ALICE, view.id, "out")]) == b"ok"


async def test_nothing_is_fetched_of_what_was_removed(service: JobService, desk: Desk) -> None:
    view, _ = await service.create(ALICE, JobRequest(TRUE, keep=0))
    await desk.keep()
    desk.toy.say(f"{view.id}-1", JobState.SUCCEEDED, ended=desk.time)
    await desk.keep()
    await desk.keep()
    assert (await service.get(ALICE, view.id)).removed
    with pytest.raises(NotFound, match="removed"):
        await service.output.files(ALICE, view.id)
