"""The jobs part of the driver contract: what every site that takes batch work does the same."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from isthmus.sites.contract import lends
from isthmus.sites.errors import Permanent, SiteError, Unsupported
from isthmus.sites.htcondor.driver import HTCondorDriver
from isthmus.sites.jobs import Jobs, LogOptions, Submission
from isthmus.sites.local.driver import LocalDriver
from isthmus.sites.slurm.driver import SlurmDriver
from isthmus.work.job import ENDED, Container, Input, JobSpec, JobState, Output, Reason, Resources, TaskStatus

from ..integration.sites.batch_cluster import Cluster
from ..integration.sites.htcondor.conftest import pool as pool
from ..integration.sites.slurm.conftest import cluster as cluster

pytestmark = pytest.mark.engine
PATIENCE = 120.0
AnyDriver = LocalDriver | SlurmDriver | HTCondorDriver
Opener = Callable[[], AnyDriver]


@pytest.fixture
def local_jobs(tmp_path: Path) -> Opener:
    return lambda: LocalDriver("here", {"jobs": {"folder": str(tmp_path / "jobs")}})


@pytest.fixture
def slurm_cluster(cluster: Cluster) -> Opener:
    return lambda: SlurmDriver("cluster", cluster.options)


@pytest.fixture
def htcondor_pool(pool: Cluster) -> Opener:
    return lambda: HTCondorDriver("pool", pool.options)


@dataclass
class Desk:
    """A driver, and what one test handed over to it."""

    open: Opener
    driver: AnyDriver
    ids: list[str] = field(default_factory=list)

    def submission(self, spec: JobSpec, **blobs: Path) -> Submission:
        self.ids.append(f"{uuid.uuid4().hex[:12]}-1")
        return Submission(self.ids[-1], "a job", spec, spec.indices, blobs)

    async def hand_over(self, spec: JobSpec) -> str:
        assert await self.driver.submit_jobs([self.submission(spec)]) == [None]
        return self.ids[-1]

    async def until(self, id: str, states: Collection[JobState] = ENDED) -> Sequence[TaskStatus]:
        """All tasks, when each is in one of ``states``."""
        deadline = time.monotonic() + PATIENCE
        while True:
            tasks = (await self.driver.look_at_jobs([id])).get(id, ())
            if tasks and all(task.state in states for task in tasks):
                return tasks
            assert time.monotonic() < deadline, tasks
            await asyncio.sleep(0.1)

    async def end(self, spec: JobSpec) -> TaskStatus:
        [task] = await self.until(await self.hand_over(spec))
        return task

    async def log(self, id: str, index: int = 0, **options: object) -> bytes:
        chosen = LogOptions(**options)  # type: ignore[arg-type]
        return b"".join([part async for part in self.driver.read_log(id, index, "main", chosen)])


@pytest.fixture(params=["local_jobs", "slurm_cluster", "htcondor_pool"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    opener: Opener = request.getfixturevalue(request.param)
    made = Desk(opener, opener())
    yield made
    await made.driver.cancel_jobs(dict.fromkeys(made.ids), grace=0)
    for id in made.ids:
        if id in await made.driver.list_jobs():
            await made.until(id)
    await made.driver.remove_jobs(made.ids)
    assert not set(made.ids) & set(await made.driver.list_jobs())
    await made.driver.close()


def shell(text: str, **more: object) -> JobSpec:
    container = Container("main", command=("/bin/sh", "-c", text), env={"GREETING": 'it\'s "$(here)"\n'})
    return JobSpec((container,), **more)  # type: ignore[arg-type]


async def test_it_lends_jobs_and_says_what_it_offers(desk: Desk) -> None:
    assert lends(desk.driver, Jobs) is desk.driver
    assert (await desk.driver.status()).ready
    deadline = time.monotonic() + PATIENCE
    while "up" not in {part.state for part in (await desk.driver.facilities()).partitions}:
        assert time.monotonic() < deadline, "nodes make themselves known a moment after their scheduler"
        await asyncio.sleep(0.1)
    facilities = await desk.driver.facilities()
    assert facilities.scheduler
    assert all(part.cpus is None or part.cpus > 0 for part in facilities.partitions)


async def test_a_job_runs_and_tells_of_it(desk: Desk) -> None:
    id = await desk.hand_over(shell('printf "%s" "$GREETING"; echo "$ISTHMUS_SUBMISSION $ISTHMUS_TASK"'))
    [task] = await desk.until(id)
    assert (task.state, task.exit_code, task.reason) == (JobState.SUCCEEDED, 0, "")
    assert task.host
    assert task.started is not None
    assert task.ended is not None
    assert task.ended >= task.started
    assert [c.name for c in task.containers] == ["main"]
    assert await desk.log(id) == f'it\'s "$(here)"\n{id} 0\n'.encode()


async def test_a_failure_comes_with_its_exit_code(desk: Desk) -> None:
    task = await desk.end(shell("exit 7"))
    assert (task.state, task.exit_code, task.reason) == (JobState.FAILED, 7, Reason.ERROR)


async def test_a_program_that_is_not_there_cannot_start(desk: Desk) -> None:
    task = await desk.end(JobSpec((Container("main", command=("/nowhere/program",)),)))
    assert (task.state, task.reason) == (JobState.FAILED, Reason.START_ERROR)


async def test_what_was_handed_over_is_found_and_not_doubled(desk: Desk) -> None:
    submission = desk.submission(shell("echo once; sleep 1"))
    assert await desk.driver.submit_jobs([submission, submission][:1]) == [None]
    other = desk.open()
    assert await asyncio.gather(*(other.submit_jobs([submission]) for _ in range(3))) == [[None]] * 3
    await other.close()
    [task] = await desk.until(submission.id)
    assert task.state is JobState.SUCCEEDED
    assert await desk.log(submission.id) == b"once\n"


async def test_what_was_never_handed_over_is_left_out(desk: Desk) -> None:
    assert await desk.driver.look_at_jobs([f"{uuid.uuid4().hex[:12]}-1"]) == {}


async def test_an_array_has_a_task_for_each_index(desk: Desk) -> None:
    id = await desk.hand_over(shell('echo "task $ISTHMUS_TASK"; exit $((ISTHMUS_TASK % 2))', array=(2, 3, 7, 8)))
    tasks = {task.index: task for task in await desk.until(id)}
    assert {i: (t.state, t.exit_code) for i, t in tasks.items()} == {
        2: (JobState.SUCCEEDED, 0), 3: (JobState.FAILED, 1), 7: (JobState.FAILED, 1), 8: (JobState.SUCCEEDED, 0),
    }  # fmt: skip
    assert await desk.log(id, 7) == b"task 7\n"


async def test_a_job_over_its_time_is_ended_for_that_reason(desk: Desk) -> None:
    task = await desk.end(shell("sleep 60", resources=Resources(time=2), grace=1))
    assert (task.state, task.reason) == (JobState.FAILED, Reason.TIME_LIMIT)


async def test_a_job_over_its_memory_is_ended_for_that_reason(desk: Desk) -> None:
    program = "import time; x = bytearray(300 * 2**20); time.sleep(30)"
    spec = JobSpec((Container("main", command=("python3", "-c", program)),), resources=Resources(memory=100 * 2**20))
    task = await desk.end(spec)
    assert (task.state, task.reason) == (JobState.FAILED, Reason.OUT_OF_MEMORY)


async def test_a_running_job_is_cancelled_and_may_say_goodbye(desk: Desk) -> None:
    id = await desk.hand_over(shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done", grace=20))
    deadline = time.monotonic() + PATIENCE
    while b"up" not in await desk.log(id):
        assert time.monotonic() < deadline
        await desk.driver.look_at_jobs([id])
        await asyncio.sleep(0.1)
    await desk.driver.cancel_jobs({id: None}, grace=None)
    await desk.driver.cancel_jobs({id: None}, grace=None)
    [task] = await desk.until(id)
    assert (task.state, task.reason) == (JobState.CANCELLED, Reason.CANCELLED)
    assert b"bye" in await desk.log(id)


async def test_a_log_is_read_in_parts_and_followed_to_its_end(desk: Desk) -> None:
    id = await desk.hand_over(shell("for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done"))
    following = asyncio.ensure_future(desk.log(id, follow=True))
    await desk.until(id)  # a follower hears of the end by a look, whoever looks
    assert await asyncio.wait_for(following, PATIENCE) == b"".join(b"line %d\n" % i for i in range(1, 6))
    assert await desk.log(id, tail=2) == b"line 4\nline 5\n"
    assert await desk.log(id, limit=6) == b"line 1"
    stamped = await desk.log(id, tail=1, timestamps=True)
    assert stamped.endswith(b"Z line 5\n")
    assert await desk.log(id, since=time.time() + 3600) == b""


async def test_files_travel_by_content_and_come_back(desk: Desk, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    file, digest = tmp_path / "data", hashlib.sha256(data).hexdigest()
    file.write_bytes(data)
    spec = shell(
        "mkdir -p out; cp 'in put' 'out/$(x)'; echo kept > out/two; echo not > other",
        inputs=(Input("in put", digest),), outputs=(Output("out"),),
    )  # fmt: skip
    assert await desk.driver.submit_jobs([desk.submission(spec, **{digest: file})]) == [None]
    [task] = await desk.until(desk.ids[-1])
    assert task.state is JobState.SUCCEEDED
    files = {file.path: file for file in await desk.driver.list_files(desk.ids[-1])}
    assert sorted(files) == ["out/$(x)", "out/two"]
    assert files["out/$(x)"].digest == digest
    assert b"".join([part async for part in desk.driver.read_file(desk.ids[-1], "out/$(x)")]) == data
    for path in ("../order.json", "/etc/passwd", "out/nothing"):
        with pytest.raises(Permanent):
            [part async for part in desk.driver.read_file(desk.ids[-1], path)]


@pytest.mark.parametrize(
    "spec",
    [shell("true", options={"no-such-option": "1"}), JobSpec((Container("main", image="x", command=("true",)),),
                                                             resources=Resources(gpus=99))],
    ids=["option", "image and gpus"],
)  # fmt: skip
async def test_what_is_not_honoured_is_refused_and_leaves_nothing(desk: Desk, spec: JobSpec) -> None:
    submission = desk.submission(spec)
    [answer] = await desk.driver.submit_jobs([submission])
    assert isinstance(answer, Permanent | Unsupported), answer
    assert str(answer)
    desk.ids.clear()
    await desk.driver.remove_jobs([submission.id])


async def test_a_site_that_is_closed_opens_again(desk: Desk) -> None:
    await desk.driver.close()
    task = await desk.end(shell("echo again"))
    assert task.state is JobState.SUCCEEDED


async def test_errors_are_those_of_sites(desk: Desk) -> None:
    with pytest.raises(SiteError):
        [part async for part in desk.driver.read_file(f"{uuid.uuid4().hex[:12]}-1", "out")]
    with pytest.raises(SiteError):
        await desk.driver.look_at_jobs(["../../etc"])
