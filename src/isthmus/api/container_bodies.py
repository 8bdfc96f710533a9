"""Containers as clients write them, with what they mount and how they are looked after."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal

from pydantic import Field, model_validator

from isthmus.api.job_fields import (
    AbsolutePath,
    Body,
    Cpus,
    Digest,
    Duration,
    EnvName,
    Image,
    Label,
    Mode,
    Path,
    Size,
    refusal,
)
from isthmus.work import job as work


class CheckBody(Body):
    """Exactly one of: a command to run in the container, a URL to ask, a port to connect to, seconds to sleep."""

    command: list[str] = Field([])
    http: str = Field("", pattern=r"^(https?://\S+)?$")
    headers: list[tuple[str, str]] = Field([])
    tcp_port: int = Field(0, ge=0, le=65535)
    tcp_host: str = ""
    sleep: float = Field(0, ge=0)

    @model_validator(mode="after")
    def _is_one(self) -> CheckBody:
        if sum(map(bool, (self.command, self.http, self.tcp_port, self.sleep))) != 1:
            raise refusal("give exactly one of command, http, tcp_port and sleep")
        return self

    def value(self) -> work.Check:
        return work.Check(
            tuple(self.command), self.http, tuple(self.headers), self.tcp_port, self.tcp_host, self.sleep
        )  # fmt: skip


class ProbeBody(Body):
    """A check that is made again and again."""

    check: CheckBody
    initial_delay: Duration = 0
    period: Duration = 10
    timeout: Duration = 1
    successes: int = Field(1, ge=1)
    failures: int = Field(3, ge=1)

    def value(self) -> work.Probe:
        return work.Probe(
            self.check.value(), self.initial_delay, self.period, self.timeout, self.successes, self.failures
        )


class MountBody(Body):
    """Where a container has a volume, or what is at `sub_path` in it."""

    volume: Label
    path: AbsolutePath
    sub_path: Path | None = None
    read_only: bool = False

    def value(self) -> work.Mount:
        return work.Mount(self.volume, self.path, self.sub_path or "", self.read_only)


class ContainerBody(Body):
    """One program. `command` takes the place of the image's entrypoint, `args` that of its arguments."""

    name: Label
    image: Image | None = None
    command: list[str] = Field([])
    args: list[str] = Field([])
    env: dict[EnvName, str] = Field({})
    secrets: dict[EnvName, str] = Field({}, description="More environment, never shown to anybody.")
    workdir: AbsolutePath | None = None
    sandbox: bool = Field(True, description="Mount the job's folder at /work and start there.")
    mounts: list[MountBody] = Field([])
    cpus: Cpus | None = None
    memory: Size | None = Field(None, description="The most that it may use.")
    user: int | None = Field(None, ge=0)
    group: int | None = Field(None, ge=0)
    startup: ProbeBody | None = None
    readiness: ProbeBody | None = None
    liveness: ProbeBody | None = None
    post_start: CheckBody | None = None
    pre_stop: CheckBody | None = None
    runtime_options: list[str] = Field([], description="For the container runtime; out of those the site allows.")

    def value(self) -> work.Container:
        def of(part: Any) -> Any:
            return part.value() if part is not None else None

        return work.Container(
            self.name, self.image, tuple(self.command), tuple(self.args), dict(self.env), dict(self.secrets),
            self.workdir, self.sandbox, tuple(m.value() for m in self.mounts), self.cpus, self.memory, self.user,
            self.group, of(self.startup), of(self.readiness), of(self.liveness), of(self.post_start),
            of(self.pre_stop), tuple(self.runtime_options),
        )  # fmt: skip


class FileBody(Body):
    """A file of a volume: its bytes in base64, or the SHA-256 of a blob that was put here."""

    path: Path
    content: str | None = None
    digest: Digest | None = None
    mode: Mode = 0o644

    @model_validator(mode="after")
    def _is_one(self) -> FileBody:
        if (self.content is None) == (self.digest is None):
            raise refusal("give exactly one of content and digest")
        try:
            base64.b64decode(self.content or "", validate=True)
        except (binascii.Error, ValueError):
            raise refusal("content is not base64") from None
        return self

    def value(self) -> work.File:
        return work.File(self.path, self.content, self.digest, self.mode)


class VolumeBody(Body):
    """Something to mount: `files`, else `host_path` where the site allows it, else an empty folder."""

    name: Label
    files: list[FileBody] | None = None
    host_path: AbsolutePath | None = None
    host_path_type: Literal["", "Directory", "DirectoryOrCreate", "File", "FileOrCreate"] = ""
    in_memory: bool = False

    @model_validator(mode="after")
    def _is_one(self) -> VolumeBody:
        if sum((self.files is not None, self.host_path is not None, self.in_memory)) > 1:
            raise refusal("files, host_path and in_memory exclude one another")
        return self

    def value(self) -> work.Volume:
        files = tuple(f.value() for f in self.files) if self.files is not None else None
        return work.Volume(self.name, files, self.host_path, self.host_path_type, self.in_memory)
