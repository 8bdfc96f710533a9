"""A fake site in memory, with a crash that can be caught and a sleep that takes no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from isthmus.sites.contract import GIB, Errand, MachineSpec, Ref
from isthmus.sites.fake import FakeDriver, World


class Crash(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def crash() -> type[Crash]:
    return Crash


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def slept() -> list[float]:
    """The seconds of virtual time that drivers slept."""
    return []


@pytest.fixture
def site(world: World, slept: list[float]) -> Callable[..., FakeDriver]:
    """Makes drivers of one world; the keywords are options."""

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def crash() -> None:
        raise Crash

    def make(name: str = "site", **options: Any) -> FakeDriver:
        return FakeDriver(name, options, world=world, sleep=sleep, crash=crash)

    return make


@pytest.fixture
def ref() -> Ref:
    return Ref("0123456789ab", "node")


@pytest.fixture
def spec(ref: Ref) -> MachineSpec:
    return MachineSpec(ref, "debian", "small", 1, 2 * GIB, None, "ssh-ed25519 AAAA")


@pytest.fixture
def errand() -> Errand:
    return Errand("node/Standard.create", "run.sh", {"run.sh": b""}, {"PASSWORD": "s3cr3t"}, 60)
