"""A batch system in memory, whose every word a test decides, and jobs in a store to be kept on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from isthmus.engine.journal import Journal
from isthmus.engine.pulse import Pulse
from isthmus.sites.errors import SiteError
from isthmus.sites.jobs import Facilities, LogOptions, SandboxFile, Submission
from isthmus.store import Store, jobs, site_leases
from isthmus.store.jobs import FORGET, Job, Task
from isthmus.work import sealing
from isthmus.work.job import Container, Input, JobSpec, JobState, Output, TaskStatus
from isthmus.work.round import Round


@dataclass
class Toy:
    """Takes what it is given, and tells of it what the test says."""

    name: str = "toy"
    kind: str = "toy"
    look_seconds: float = 0.0
    held: dict[str, dict[int, TaskStatus]] = field(default_factory=dict)
    refusals: list[SiteError] = field(default_factory=list)
    """Answers to the next submissions; when there are none left, all are taken."""
    away: SiteError | None = None
    """What every call raises."""
    handed: list[str] = field(default_factory=list)
    told: list[tuple[str, tuple[int, ...] | None, float | None]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    sent: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    send_errors: list[SiteError] = field(default_factory=list)
    looks: int = 0
    stuck: asyncio.Event | None = None
    """What every look waits for."""
    slow: asyncio.Event | None = None
    """What a submission with files waits for."""

    def _answer(self) -> None:
        if self.away is not None:
            raise self.away

    async def submit_jobs(self, submissions: Sequence[Submission]) -> Sequence[SiteError | None]:
        self._answer()
        answers: list[SiteError | None] = []
        for one in submissions:
            if one.spec.inputs and self.slow is not None:
                await self.slow.wait()
            refusal = self.refusals.pop(0) if self.refusals else None
            answers.append(refusal)
            if refusal is None and one.id not in self.held:
                self.handed.append(one.id)
                self.held[one.id] = {i: TaskStatus(i, JobState.QUEUED, site_id="77") for i in one.indices}
        return answers

    async def look_at_jobs(self, ids: Collection[str]) -> Mapping[str, Sequence[TaskStatus]]:
        self._answer()
        self.looks += 1
        if self.stuck is not None:
            await self.stuck.wait()
        return {id: tuple(self.held[id].values()) for id in ids if id in self.held}

    async def cancel_jobs(self, submissions: Mapping[str, Collection[int] | None], *, grace: float | None) -> None:
        self._answer()
        for id, indices in submissions.items():
            self.told.append((id, None if indices is None else tuple(indices), grace))

    async def read_log(self, id: str, index: int, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        yield f"log of {id}\n".encode()

    async def list_files(self, id: str) -> Sequence[SandboxFile]:
        return [SandboxFile("out", 2, 0o644, "0" * 64)]

    async def read_file(self, id: str, path: str) -> AsyncIterator[bytes]:
        yield b"ok"

    async def send_files(self, id: str, targets: Mapping[str, str]) -> None:
        self._answer()
        self.sent.append((id, dict(targets)))
        if self.send_errors:
            raise self.send_errors.pop(0)

    async def remove_jobs(self, ids: Collection[str]) -> None:
        self._answer()
        self.removed += ids

    async def list_jobs(self) -> Sequence[str]:
        return list(self.held)

    async def facilities(self) -> Facilities:
        return Facilities("toy", "1", ())

    def say(self, id: str, state: JobState, index: int = 0, **values: object) -> None:
        """Let the site show a task in a state."""
        self.held[id][index] = replace(self.held[id][index], state=state, **values)  # type: ignore[arg-type]


class OneSite:
    """Stands for the sites of a server: the toy alone."""

    def __init__(self, toy: Toy):
        self.toy = toy
        self.error: SiteError | None = None

    async def get(self, site: str) -> tuple[Toy, Toy]:
        if self.error:
            raise self.error
        return self.toy, self.toy


class Desk:
    """A store with jobs for the toy, a clock that stands until it is set, and rounds to keep them."""

    def __init__(self, folder: Path):
        self.time = 1000.0
        self.folder = folder
        self.store = Store(f"sqlite:///{folder / 'jobs.db'}", folder / "key", clock=lambda: self.time)
        self.journal = Journal(self.store, Pulse())
        self.toy = Toy()
        self.sites = OneSite(self.toy)
        self.meanwhile: Callable[[], None] = _nothing
        self.begin()

    def begin(self) -> None:
        """A new process: whatever was in memory is gone, and the lease of the one before is broken."""
        self.free()
        with self.store.write() as c:
            lease = site_leases.claim(c, "toy", "me", self.time, 10)
        assert lease is not None
        self.round = Round("toy", lease, 10, self.journal, self.sites, self._blob, lambda: None)  # type: ignore[arg-type]

    def free(self) -> None:
        """Nobody keeps the site."""
        with self.store.write() as c:
            site_leases.break_leases(c, site_leases.owners(c))

    def _blob(self, owner: str, digest: str) -> Path:
        return self.folder / owner / digest

    def add(
        self, number: int = 1, *, array: tuple[int, ...] | None = None, inputs: tuple[Input, ...] = (),
        outputs: tuple[Output, ...] = (), **values: object,
    ) -> str:  # fmt: skip
        """A job due now; answers its id."""
        spec = JobSpec((Container("main", command=("true",)),), array=array, inputs=inputs, outputs=outputs)
        usual: dict[str, object] = {
            "id": f"{number:012x}", "name": f"j{number}", "owner": "alice", "vo": "physics", "site": "toy", "why": "",
            "spec": sealing.seal(self.store.vault, spec), "image": None, "command": ["true"], "after": [],
            "retry": None, "keep": 100.0, "sends": False, "grace": None, "state": "pending", "reason": "",
            "exit_code": None, "version": 1,
            "due": self.time, "removed": False, "key": None, "request_digest": None, "created": self.time,
            "started": None, "ended": None,
        }  # fmt: skip
        row = Job(**{**usual, **values})  # type: ignore[arg-type]
        with self.store.write() as c:
            jobs.add(c, row, [Task(row.id, i, due=self.time) for i in spec.indices])
        return row.id

    async def keep(self) -> float:
        """One round; ``meanwhile`` is called once, when it has read what it works on."""
        with self.store.read() as c:
            due = jobs.due(c, "toy", self.time, 1000)
        self.meanwhile()
        self.meanwhile = _nothing
        return await self.round(due)

    def forget(self, id: str) -> None:
        """As a user deletes a job."""
        with self.store.write() as c:
            jobs.put_jobs(c, {id: {"keep": FORGET, "due": self.time}})

    def job(self, id: str) -> Job:
        with self.store.read() as c:
            row = jobs.get(c, id)
        assert row is not None
        return row

    def tasks(self, id: str) -> list[Task]:
        with self.store.read() as c:
            return jobs.tasks_of(c, [id])[id]

    def task(self, id: str, index: int = 0) -> Task:
        return next(t for t in self.tasks(id) if t.index == index)

    def cancel(self, id: str, indices: Collection[int] | None = None, grace: float | None = None) -> None:
        with self.store.write() as c:
            jobs.ask_cancel(c, id, indices, self.time, grace)


def _nothing() -> None:
    return
