"""What a person may write in the options of a site of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import asyncssh
from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    PositiveFloat,
    ValidationError,
    field_validator,
    model_validator,
)

from isthmus.sites.errors import Permanent

GIB = 1024**3


class HostOptions(BaseModel):
    """One host. ``memory`` and ``disk`` are bytes or text like ``4GiB``.

    ``host_key`` is the host's OpenSSH public key. ``labels`` say what the host is, for templates that
    ask for an ``image`` or for properties of the operating system. ``private_address`` is where the
    deployment's other machines reach it, when that is not the address at which we do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1)
    port: int = Field(22, ge=1, le=65535)
    user: str = "root"
    key_file: Path
    cpus: PositiveFloat
    memory: ByteSize
    disk: ByteSize | None = None
    gpus: int = 0
    host_key: str | None = None
    private_address: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)

    @field_validator("host_key")
    @classmethod
    def _one_key(cls, key: str | None) -> str | None:
        if key is None:
            return None
        try:
            return plain_key(key)
        except asyncssh.KeyImportError as wrong:
            raise ValueError(f"not a line of OpenSSH public key: {wrong}") from None

    @property
    def place(self) -> str:
        """``host:port``, which tells this host from the others of its site."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def flavour(self) -> str:
        """What hosts of this size are called in an offer."""
        return f"{self.cpus:g}-cpus-{self.memory / GIB:g}-gib"

    @property
    def image(self) -> str:
        """The label ``image``, or ``as-is``: a host keeps the system that it has."""
        return self.labels.get("image", "as-is")


class Options(BaseModel):
    """The options of a site of hosts; ``timeout`` is seconds for one question to one host."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hosts: tuple[HostOptions, ...] = Field(min_length=1)
    known_hosts: Path | None = None
    timeout: PositiveFloat = 15.0

    @model_validator(mode="after")
    def _each_host_once(self) -> Options:
        places = [host.place for host in self.hosts]
        if twice := {place for place in places if places.count(place) > 1}:
            raise ValueError(f"named twice: {', '.join(sorted(twice))}")
        return self

    @model_validator(mode="after")
    def _each_host_pinned(self) -> Options:
        if self.known_hosts is None:
            for host in self.hosts:
                if host.host_key is None:
                    raise ValueError(how_to_pin(host))
        return self


def parse_options(name: str, options: Mapping[str, object]) -> Options:
    """The options of site ``name``; :class:`Permanent` names every one that is wrong."""
    try:
        return Options.model_validate(options)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_input=False, include_context=False)
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in errors)
        raise Permanent(f"site {name}: {told}") from None


def how_to_pin(host: HostOptions) -> str:
    """What to do when the key of a host is not known."""
    return (
        f"the host key of {host.place} is not known. Run "
        f"`ssh-keyscan -t ed25519 -p {host.port} {host.host}`, "
        "compare the key with the one on the host itself (/etc/ssh/ssh_host_ed25519_key.pub), and write it "
        "as host_key of this host, or into the file that the option known_hosts names"
    )


def plain_key(line: str) -> str:
    """``type base64`` of one line of OpenSSH public key: no options, no comment, nothing else."""
    key = asyncssh.import_public_key(line)
    return " ".join(key.export_public_key("openssh").decode().split()[:2])
