"""Sites as they are shown."""

from __future__ import annotations

import asyncio

import pytest

from isthmus import portrait
from isthmus.engine.placing import Sites
from isthmus.sites.contract import Status
from isthmus.sites.errors import Permanent, Unreachable
from isthmus.sites.fake import FakeDriver


class Silent(FakeDriver):
    async def status(self) -> Status:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


class Away(FakeDriver):
    async def status(self) -> Status:
        raise Unreachable("no route to host")


def wrong() -> FakeDriver:
    raise Permanent("host: is missing")


async def test_a_site_that_does_not_answer_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portrait, "STATUS_SECONDS", 0.05)
    sites = Sites({"silent": lambda: Silent("silent", {}), "away": lambda: Away("away", {}), "wrong": wrong})
    shown = {name: await portrait.site(name, sites, 0) for name in sites.names()}
    assert {name: (view.kind, view.ready, view.detail) for name, view in shown.items()} == {
        "silent": ("fake", False, "no answer within 0.05 s"),
        "away": ("fake", False, "no route to host"),
        "wrong": ("", False, "host: is missing"),
    }
    await sites.close()
