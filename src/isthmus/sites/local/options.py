"""What a person may set for a ``local`` site, validated once."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from isthmus.sites.errors import Permanent

_NAME = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_NAME}(?::[0-9]+)?(?:/{_NAME})*")


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
    * ``timeout``: seconds that one call of the engine may take.
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
    timeout: Annotated[int, Field(gt=0)] = 60

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
