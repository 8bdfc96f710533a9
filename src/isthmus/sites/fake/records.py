"""What a fake world remembers: resources, effects and runs of operations, as frozen values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.sites.contract import Ref, State

PRIVATE = (10, 64), 2**22
PUBLIC = (198, 18), 2**17
"""Pools of addresses, first bytes and size: never routed to anybody (RFC 1918, RFC 2544)."""


def address(pool: tuple[tuple[int, int], int], seq: int) -> str:
    """The address of resource ``seq``: the same in every run, apart from its neighbours'."""
    (first, second), size = pool
    number = 1 + (seq - 1) % (size - 2)
    return f"{first}.{second + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a resource shall be, before it is in the world; ``size`` is bytes (of memory, for a machine)."""

    cpus: float = 0.0
    size: int = 0
    image: str = ""
    flavour: str = ""
    authorized_key: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    uses: Sequence[str] = ()
    """The ids of the networks and volumes that a machine needs."""
    labels: Sequence[str] = ()
    """The operations that ended well on it, or on the machine that its image was saved from."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One row of the world. ``id`` is new for each incarnation; ``owner`` is the driver that made it."""

    seq: int
    id: str
    site: str
    kind: str
    ref: Ref
    state: State
    owner: str
    created: float
    draft: Draft
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of the log of effects, which is never cut.

    ``what`` is created, found (a create that met what is there), raced (two creates of the same ref were
    under way at once), started, stopped, broken, deleted, or vanished (deleted behind everybody's back).
    """

    seq: int
    time: float
    site: str
    what: str
    kind: str
    id: str
    ref: Ref
    owner: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an operation; ``ended`` and ``code`` are None when it was cut off.

    ``env`` holds the names of the inputs and ``digest`` is the SHA-256 of all names and values; ``count`` is
    how many times this machine has run this label, this run included.
    """

    seq: int
    machine: str
    site: str
    ref: Ref
    label: str
    env: tuple[str, ...]
    digest: str
    count: int
    owner: str
    began: float
    ended: float | None
    code: int | None


def read_resource(row: Any) -> Resource:
    """The resource in a row of its table."""
    seq, site, kind, deployment, node, idx, state, owner, created = row[:9]
    cpus, size, image, flavour, key, tags, uses, labels, reason = row[9:]
    draft = Draft(cpus, size, image, flavour, key, json.loads(tags), _words(uses), _words(labels))
    ref = Ref(deployment, node, idx)
    return Resource(seq, f"{kind}-{seq:08d}", site, kind, ref, State(state), owner, created, draft, reason)


def _words(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text != "[]" else ()


def read_effect(row: Any) -> Effect:
    """The effect in a row of its table."""
    seq, at, site, what, kind, id, deployment, node, idx, owner = row
    return Effect(seq, at, site, what, kind, id, Ref(deployment, node, idx), owner)


def read_run(row: Any) -> Run:
    """The run in a row of its table."""
    seq, machine, site, deployment, node, idx, label, env, digest, count, owner, began, ended, code = row
    ref = Ref(deployment, node, idx)
    names = tuple(json.loads(env))
    return Run(seq, machine, site, ref, label, names, digest, count, owner, began, ended, code)
