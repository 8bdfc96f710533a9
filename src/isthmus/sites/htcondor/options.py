"""What a person may write in the options of an HTCondor site."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from isthmus.sites.batch.channel import SshOptions
from isthmus.sites.errors import Permanent

Group = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]


def _one_expression(text: str) -> str:
    """``text``, unless it could end its line of a submit file or be expanded there."""
    if not re.fullmatch(r"[ -~]{1,1000}", text) or "$(" in text or "$$" in text:
        raise ValueError("one line of printable ASCII, and no macros")
    return text


Expression = Annotated[str, AfterValidator(_one_expression)]


class Options(SshOptions):
    """The submit machine (see :class:`~isthmus.sites.batch.channel.SshOptions`), and how jobs run in its pool.

    ``folder`` is where submissions lie on the submit machine; its path has letters, digits and ``._/@+~-`` only.
    ``python`` is an interpreter there, ``node_python`` one on the nodes (3.8 or newer, found in PATH). Jobs may
    choose from ``requirements`` by name: each is a ClassAd expression over machines, written by whoever configures
    the site. ``image_prefix`` goes before the names of images, ``host_paths`` are those of nodes that jobs may
    mount, ``runtime_options`` go to each run of Apptainer, ``allowed_options`` are those that jobs may add.
    ``private_urls`` lets inputs and outputs have URLs of plain HTTP and of addresses that are not public.
    """

    folder: str = "~/.isthmus"
    python: str | None = None
    node_python: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/+-]+$")] = "python3"
    runtime: Literal["apptainer", "none"] = "apptainer"
    apptainer: str | None = None
    image_prefix: str = "docker://"
    runtime_options: tuple[str, ...] = ()
    allowed_options: tuple[str, ...] = ()
    host_paths: tuple[str, ...] = ()
    private_urls: bool = False
    accounting_group: Group | None = None
    requirements: dict[Name, Expression] = Field(default_factory=dict)
    timeout: float = Field(60.0, gt=0)
    """Seconds for one question to the submit machine."""

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
        return {
            "node_python": self.node_python,
            "fetch_private": self.private_urls,
            "accounting_group": self.accounting_group,
            "requirements": dict(self.requirements),
            "runtimes": [] if self.runtime == "none" else [self.runtime],
            "lag": 2,  # what was streamed is whole at the end
        }


def parse_options(name: str, options: Mapping[str, object]) -> Options:
    """The options of site ``name``; :class:`Permanent` names every one that is wrong."""
    try:
        return Options.model_validate(options)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_input=False, include_context=False)
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in errors)
        raise Permanent(f"site {name}: {told}") from None
