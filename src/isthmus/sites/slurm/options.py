"""What a person may write in the options of a Slurm site."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationError, model_validator

from isthmus.sites.batch.channel import SshOptions
from isthmus.sites.errors import Permanent
from isthmus.sites.slurm.remote.handing import OPTIONS


def _a(name: str) -> AfterValidator:
    """That a value is one that Slurm's option ``name`` can have."""

    def check(value: str) -> str:
        if not OPTIONS[name].fullmatch(value):
            raise ValueError(f"cannot be a {name}")
        return value

    return AfterValidator(check)


def _no_line(value: str) -> str:
    if not re.fullmatch(r"[^\x00-\x1f\x7f]+", value):
        raise ValueError("control characters are not allowed")
    return value


Place = Annotated[str, StringConstraints(pattern="^/"), AfterValidator(_no_line)]


class Options(SshOptions):
    """The login node (see :class:`~isthmus.sites.batch.channel.SshOptions`), and how jobs run in its cluster.

    ``private_key`` is another name for ``key``. ``folder`` is where submissions lie, on a file system that the
    nodes share. ``python`` is an interpreter (3.8 or newer) on login node and nodes, found where it is not given;
    ``bin`` is the folder of Slurm's commands if they are not in the PATH. ``partition`` and what follows it are
    for jobs that name none. ``image_prefix`` goes before the names of images, ``host_paths`` are those of nodes
    that jobs may mount, ``runtime_options`` go to each run of Apptainer, ``allowed_options`` are those that jobs
    may add. ``private_urls`` lets inputs and outputs have URLs of plain HTTP and of addresses that are not public.
    """

    folder: Annotated[str, AfterValidator(_no_line)] = "~/.isthmus"
    python: Place | None = None
    bin: Place | None = None
    partition: Annotated[str, _a("partition")] | None = None
    account: Annotated[str, _a("account")] | None = None
    qos: Annotated[str, _a("qos")] | None = None
    constraint: Annotated[str, _a("constraint")] | None = None
    reservation: Annotated[str, _a("reservation")] | None = None
    runtime: Literal["apptainer", "none"] = "apptainer"
    apptainer: Place | None = None
    image_prefix: str = "docker://"
    runtime_options: tuple[str, ...] = ()
    allowed_options: tuple[str, ...] = ()
    host_paths: tuple[Place, ...] = ()
    private_urls: bool = False
    timeout: float = Field(60.0, gt=0)
    """Seconds for one question to the login node, and for one command of Slurm there."""

    @model_validator(mode="before")
    @classmethod
    def _one_name(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "private_key" not in data:
            return data
        if "key" in data:
            raise ValueError("private_key and key are the same; one is needed")
        given = {name: value for name, value in data.items() if name != "private_key"}
        key = data["private_key"]
        return {**given, "key": key if isinstance(key, SecretStr) else SecretStr(str(key))}

    @property
    def runtime_order(self) -> dict[str, object]:
        """What supervisors are told of the nodes."""
        if self.runtime == "none":
            return {"kind": "process"}
        return {
            "kind": "apptainer",
            "program": self.apptainer,
            "image_prefix": self.image_prefix,
            "options": list(self.runtime_options),
            "allowed_options": list(self.allowed_options),
            "host_paths": list(self.host_paths),
        }

    @property
    def config(self) -> dict[str, object]:
        """What the agent's batch module is told."""
        defaults = {name: getattr(self, name) for name in ("partition", "account", "qos", "constraint", "reservation")}
        return {
            "bin": self.bin,
            "fetch_private": self.private_urls,
            "timeout": max(1.0, self.timeout * 0.5),
            "defaults": {name: value for name, value in defaults.items() if value},
            "runtimes": [] if self.runtime == "none" else [self.runtime],
            "program": self.apptainer,
        }


def parse_options(name: str, options: Mapping[str, object]) -> Options:
    """The options of site ``name``; :class:`Permanent` names every one that is wrong, and shows no value."""
    try:
        return Options.model_validate(options)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_input=False, include_context=False)
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in errors)
        raise Permanent(f"site {name}: {told}") from None
