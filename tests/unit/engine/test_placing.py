"""Placing: what a site cannot lend takes it out of the choice, by name."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.engine.placing import Sites, place
from isthmus.placement import NoPlace, Placement
from isthmus.sites.contract import Volumes, lends
from isthmus.sites.fake import FakeDriver

from .topologies import attached, machine, topology, volume


class Lending:
    """A fake site that lends its machines and of the rest only what is named."""

    def __init__(self, *lent: str) -> None:
        self._site, self._lent = FakeDriver("here", {}), lent

    name, kind = "here", "less"

    def __getattr__(self, name: str) -> Any:
        if "machine" in name or name == "offers" or name in self._lent:
            return getattr(self._site, name)
        raise AttributeError(name)


VOLUMES = ("find_volume", "create_volume", "delete_volume", "list_volumes")


@pytest.mark.parametrize(
    ("lent", "shared", "words"),
    [
        ((), False, "it has no volumes, and one attaches home"),
        ((), True, "it has no volumes, and one attaches home"),
        (VOLUMES, True, "its volumes have one machine each, and home is shared"),
        (VOLUMES, False, None),
        ((*VOLUMES, "create_shared_volume"), True, None),
    ],
)
async def test_a_site_without_the_volumes_that_are_attached_is_refused_by_name(lent, shared, words):
    driver: Any = Lending(*lent)
    assert (lends(driver, Volumes) is None) is not bool(lent)
    top = topology(volume("home", shared=shared), attached(machine("one"), "home"))

    found = await place(top, {"one": 1}, Sites({"here": lambda: driver}), None, None)

    if words is None:
        assert isinstance(found, Placement)
    else:
        assert isinstance(found, NoPlace)
        assert words in str(found)


async def test_a_volume_of_size_0_is_asked_of_nobody():
    driver: Any = Lending()
    top = topology(volume("home", "0 GiB", shared=True), attached(machine("one"), "home"))

    assert isinstance(await place(top, {"one": 1}, Sites({"here": lambda: driver}), None, None), Placement)
