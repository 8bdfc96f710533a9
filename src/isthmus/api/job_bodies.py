"""Jobs as clients write them: request bodies as Pydantic models, and what they mean to the service layer.

The command line checks job files by :class:`JobBody` too, so that this module imports no framework.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import ConfigDict, Field, model_validator

from isthmus.api.container_bodies import ContainerBody, VolumeBody
from isthmus.api.job_fields import (
    AbsolutePath,
    Array,
    Body,
    Count,
    Cpus,
    Digest,
    Duration,
    EnvName,
    Gpus,
    Image,
    JobName,
    Label,
    Mode,
    OptionName,
    Path,
    Size,
    Url,
    refusal,
)
from isthmus.work import job as work

if TYPE_CHECKING:
    from isthmus.job_service import JobRequest

WEEK = 7 * 24 * 3600.0
MAIN = "main"
"""The container of a job that says nothing of containers."""
_OWN = ("image", "command", "args", "env", "secrets", "workdir")


class InputBody(Body):
    """A file that is there before the job starts: a blob that was put here, or what a URL leads to."""

    path: Path = Field(description="Below the sandbox.")
    digest: Digest | None = None
    url: Url | None = None
    mode: Mode = 0o644

    @model_validator(mode="after")
    def _is_one(self) -> InputBody:
        if (self.digest is None) == (self.url is None):
            raise refusal("give exactly one of digest and url")
        return self


class OutputBody(Body):
    """What is kept for a later fetch, or with a `url` sent there: a file, a folder, or a pattern of names."""

    path: Path = Field(description="Below the sandbox.")
    url: Url | None = None


class S3Body(Body):
    """How `s3://BUCKET/KEY` is reached, for staging only: what runs never sees it, and nobody is shown it."""

    access_key: str = Field(min_length=1, max_length=4096)
    secret_key: str = Field(min_length=1, max_length=4096)
    session_token: str | None = Field(None, max_length=16384)
    endpoint: str | None = Field(None, pattern=r"^https?://[^\s@]+$", description="That of Amazon when missing.")
    region: str = Field("us-east-1", pattern=r"^[A-Za-z0-9-]{1,63}$")


class JobBody(Body):
    """A job to run: one command, or `containers` that run together after those in `init`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"image": "python:3.12", "command": ["python", "-c", "print(6*7)"], "memory": "1 GiB"}]
        }
    )
    name: JobName | None = Field(None, description="For people; made up when missing. The newest of a name is meant.")
    site: str | None = Field(None, description="A site, or a deployment that is a batch system; chosen when missing.")
    needs: list[Label] = Field([], description="What the site must have, such as `gpu`.")
    vo: str | None = Field(None, description="The virtual organisation; must be one that you act for.")
    image: Image | None = Field(None, description="What the command runs in.")
    container: bool = Field(True, description="False runs what has no image as plain processes of the node.")
    command: list[str] = Field([], description="In place of the image's entrypoint.")
    args: list[str] = Field([], description="In place of the arguments of the image's entrypoint.")
    env: dict[EnvName, str] = Field({})
    secrets: dict[EnvName, str] = Field({}, description="More environment, never shown to anybody.")
    workdir: AbsolutePath | None = None
    containers: list[ContainerBody] = Field([], max_length=100)
    init: list[ContainerBody] = Field([], max_length=100)
    volumes: list[VolumeBody] = Field([])
    cpus: Cpus = Field(1, description="Of each process.")
    memory: Size | None = Field(None, description="Bytes of each process, or a text such as `2 GiB`.")
    gpus: Gpus = Field((0, None), description="Of each process: a number, or a text such as `a100:2`.")
    time: Duration | None = Field(None, description="Seconds that it may run, or a text such as `90m`.")
    nodes: Count = 1
    tasks: Count | None = Field(None, description="Processes over all nodes; one on each when missing.")
    launch: work.Launch = Field(
        work.Launch.ONCE, description="`once`: the command starts the others itself; `each`: the site starts each."
    )
    array: Array | None = Field(None, description="Indices such as `1-100`, `0-9:2`, `1,5` or `1-100%10`.")
    array_limit: Count | None = Field(None, description="How many tasks of the array may run at once.")
    restart: work.Restart = work.Restart.NEVER
    grace: Duration = Field(30, description="Between being asked to end and being killed.")
    inputs: list[InputBody] = Field([])
    outputs: list[OutputBody] = Field([])
    s3: S3Body | None = None
    retry: int | None = Field(
        None, ge=0, le=100,
        description="How often a task that failed is tried again; not given, twice when its site failed it.",
    )  # fmt: skip
    after: list[str] = Field([], max_length=1000, description="Jobs that must succeed first.")
    options: dict[OptionName, str] = Field({}, description="What its site takes: partition, account, qos, …")
    keep: Duration = Field(WEEK, description="How long the sandbox stays after the end.")

    @model_validator(mode="after")
    def _agrees(self) -> JobBody:
        for fault in (*self._faults_of_containers(), *self._faults_of_size(), *self._faults_of_files()):
            raise refusal(fault)
        return self

    def _faults_of_containers(self) -> list[str]:
        single = [k for k in _OWN if getattr(self, k)]
        if self.containers and single:
            return [f"{single[0]} and containers exclude one another: it stands in each of the containers"]
        every = [*self.init, *(self.containers or [self._main()])]
        names = [c.name for c in every]
        known = {v.name for v in self.volumes}
        faults = [f"two containers are called {n}" for n in _twice(names)]
        faults += [f"{c.name} mounts the volume {m.volume}, which is not there" for c in every for m in c.mounts
                   if m.volume not in known]  # fmt: skip
        bare = [c.name for c in every if c.image is None]
        if bare and self.container:
            which = "image is missing" if bare == [MAIN] else f"the container {bare[0]} has no image"
            faults.append(f"{which}; with container: false it is a plain process of the node")
        if not self.container and len(bare) < len(every):
            faults.append("container: false is for what has no image")
        faults += [f"{'command is missing' if n == MAIN else f'{n} has no command'}: there is no image that has one"
                   for n in bare if not next(c for c in every if c.name == n).command]  # fmt: skip
        return faults

    def _faults_of_size(self) -> list[str]:
        if self.tasks is not None and self.tasks < self.nodes:
            return [f"{self.tasks} tasks cannot be spread over {self.nodes} nodes"]
        if self.time == 0:
            return ["time is 0: nothing ends so soon; leave it out for the site's own limit"]
        if self.array_limit is not None and (self.array is None or self.array[1] is not None):
            return ["array_limit goes with an array that has no limit (%) of its own"]
        return []

    def _faults_of_files(self) -> list[str]:
        paths = [i.path for i in self.inputs]
        names = [v.name for v in self.volumes]
        faults = [f"two inputs have the path {p}" for p in _twice(paths)]
        return faults + [f"two volumes are called {n}" for n in _twice(names)]

    def _main(self) -> ContainerBody:
        return ContainerBody.model_validate({"name": MAIN, **{name: getattr(self, name) for name in _OWN}})

    def spec(self) -> work.JobSpec:
        """What is to be run."""
        indices, limit = self.array or (None, None)
        gpus, gpu_type = self.gpus
        return work.JobSpec(
            containers=tuple(c.value() for c in self.containers or [self._main()]),
            init=tuple(c.value() for c in self.init),
            volumes=tuple(v.value() for v in self.volumes),
            resources=work.Resources(
                self.cpus, self.memory, gpus, gpu_type, self.nodes, self.tasks or self.nodes, self.time or None
            ),
            array=indices,
            array_limit=limit or self.array_limit,
            launch=self.launch,
            restart=self.restart,
            grace=self.grace,
            inputs=tuple(work.Input(i.path, i.digest, i.url, i.mode) for i in self.inputs),
            outputs=tuple(work.Output(o.path, o.url) for o in self.outputs),
            options=dict(self.options),
            s3=work.S3Access(**self.s3.model_dump()) if self.s3 else None,
        )

    def request(self, key: str | None) -> JobRequest:
        """The request for the service layer; ``key`` makes it idempotent."""
        from isthmus.job_service import JobRequest

        return JobRequest(
            self.spec(), self.name, self.site, tuple(self.needs), tuple(self.after), self.retry, self.keep, key
        )


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


class CancelBody(Body):
    """Which tasks of an array; all when missing."""

    tasks: Array | None = Field(None, description="Indices such as `3` or `1-10`.")


class DigestsBody(Body):
    """Blobs that a job will need."""

    digests: list[Digest] = Field(max_length=10_000)
