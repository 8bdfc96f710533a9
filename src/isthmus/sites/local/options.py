"""What a person may set for a ``local`` site, validated once."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from isthmus.sites.errors import Permanent

_NAME = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_NAME}(?::[0-9]+)?(?:/{_NAME})*")


class JobsOptions(BaseModel):
    """Options of jobs on a ``local`` site.

    * ``folder``: where sandboxes, logs and the queue are kept; None for ``jobs`` in the home folder.
    * ``cpus``, ``memory``: what jobs may have together (CPUs, bytes); None for all of this machine.
    * ``network``: the engine's network for containers; None for its default.
    * ``host_paths``: folders of this machine that jobs may mount, with all below them.
    * ``private_urls``: whether inputs and outputs may have URLs of plain HTTP and of addresses that are not public.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path | None = None
    cpus: Annotated[float, Field(gt=0)] | None = None
    memory: Annotated[int, Field(gt=0)] | None = None
    network: str | None = None
    host_paths: tuple[Path, ...] = ()
    private_urls: bool = False


class LocalOptions(BaseModel):
    """Options of a ``local`` site; an unknown one is refused.

    * ``socket``: URL of the container engine; None looks where Docker and Podman listen.
    * ``suite``: the Debian release that machines run.
    * ``prefix``: image repository under which our images are kept, never pushed anywhere.
    * ``pull``: reference of a ready machine image to pull instead of building one.
    * ``mirror``: Debian mirror to build from; None takes the one that this host itself uses.
    * ``images``: more images, by ``distribution`` or ``distribution-version``; each needs systemd and sshd.
    * ``subnets``: address pool from which each network gets a ``/24``.
    * ``cpus``, ``memory``: of a machine whose template does not care (CPUs, bytes).
    * ``nested_containers``: whether a template may ask for machines whose users run containers in them:
      ``never``; ``guarded``, with user namespaces and FUSE, while ``/proc`` stays covered; ``full``, where a
      container inside can have process numbers of its own, and root of such a machine is as good as root here.
    * ``timeout``: seconds that one call of the engine may take.
    * ``jobs``: see :class:`JobsOptions`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    socket: str | None = None
    suite: Annotated[str, Field(pattern=r"^[a-z]{2,20}$")] = "trixie"
    prefix: str = "localhost/isthmus"
    pull: str | None = None
    mirror: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    images: Mapping[str, str] = Field(default_factory=dict)
    subnets: str = "10.213.0.0/16"
    cpus: Annotated[float, Field(gt=0)] = 1.0
    memory: Annotated[int, Field(ge=64 * 2**20)] = 2**30
    nested_containers: Literal["never", "guarded", "full"] = "guarded"
    timeout: Annotated[int, Field(gt=0)] = 60
    jobs: JobsOptions = JobsOptions()

    @field_validator("prefix")
    @classmethod
    def _is_repository(cls, value: str) -> str:
        if "/" not in value or not _REPOSITORY.fullmatch(value):
            raise ValueError("must be a full image repository such as 'localhost/isthmus'")
        return value

    @field_validator("subnets")
    @classmethod
    def _is_pool(cls, value: str) -> str:
        pool = ipaddress.IPv4Network(value)
        if not pool.is_private or pool.prefixlen > 24:
            raise ValueError("must be a private IPv4 range that holds at least one /24")
        return str(pool)


def read_options(site: str, options: Mapping[str, Any]) -> LocalOptions:
    """The options of a site; raises :class:`Permanent` naming each that is wrong."""
    try:
        return LocalOptions.model_validate(dict(options))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise Permanent(f"site {site}: options are wrong: {wrong}") from None
