"""Offers of a local site: cut to measure, or refused in words that name what is not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.sites.contract import GIB, MachineWant
from isthmus.sites.local import offers as module
from isthmus.sites.local.offers import Offers
from isthmus.sites.local.options import LocalOptions

BASE = "localhost/isthmus/machine:trixie-0123456789ab"
HAD = {BASE, "localhost/ubuntu:24.04", "localhost/any:1"}


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with 2 CPUs and 8 GiB of which 6 are free, and 50 GiB of disk."""
    monkeypatch.setattr(module.host, "free_memory", lambda _: 6 * GIB)
    monkeypatch.setattr(module.host, "free_disk", lambda _: 50 * GIB)
    monkeypatch.setattr(module, "has_image", lambda _, name: name in HAD)


def offer(want: MachineWant, **options: Any) -> Any:
    connection: Any = SimpleNamespace(info={"NCPU": 2, "MemTotal": 8 * GIB, "Architecture": "x86_64"}, is_here=False)
    base: Any = SimpleNamespace(reference=BASE)
    return Offers("here", connection, LocalOptions(**options), base).make(want)


def test_who_does_not_care_gets_one_cpu_and_one_gib():
    given = offer(MachineWant())

    assert (given.refusal, given.cpus, given.memory, given.image) == (None, 1.0, GIB, BASE)
    assert (given.price, given.quota_left, given.site) == (0.0, 6, "here")


def test_what_is_asked_is_what_is_given():
    given = offer(MachineWant(cpus=1.5, memory=2 * GIB, disk=10 * GIB))

    assert (given.cpus, given.memory, given.disk, given.quota_left) == (1.5, 2 * GIB, 10 * GIB, 3)


@pytest.mark.parametrize(
    ("want", "words"),
    [
        (MachineWant(cpus=64), "asks 64 CPUs, this machine has 2"),
        (MachineWant(memory=64 * GIB), "asks 64 GiB of memory, this machine has 8 GiB"),
        (MachineWant(disk=60 * GIB), "asks 60 GiB of disk, this machine has 50 GiB free"),
        (MachineWant(gpus=1), "asks 1 GPUs"),
        (MachineWant(flavour="m1.small"), "asks flavour 'm1.small'"),
        (MachineWant(image="nobody/has:it"), "asks image 'nobody/has:it'"),
        (MachineWant(image="ost://cloud.example/123"), "asks image 'ost://cloud.example/123'"),
        (MachineWant(os={"distribution": "ubuntu", "version": "16.04"}), "asks ubuntu 16.04, this site has debian"),
        (MachineWant(os={"version": "12"}), "asks 12"),
        (MachineWant(os={"type": "windows"}), "asks a windows machine"),
        (MachineWant(os={"architecture": "arm64"}), "asks architecture arm64, this machine is x86_64"),
    ],
)
def test_what_is_not_there_is_refused_in_words(want, words):
    assert words in offer(want).refusal


def test_every_reason_is_told_at_once():
    refusal = offer(MachineWant(cpus=64, gpus=2)).refusal

    assert "64 CPUs" in refusal
    assert "2 GPUs" in refusal


@pytest.mark.parametrize(
    "os",
    [
        {"type": "linux", "distribution": "debian"},
        {"distribution": "Debian", "version": "13"},
        {"distribution": "debian", "version": "13.1", "architecture": "x86_64"},
        {"distribution": "debian", "version": "trixie", "architecture": "amd64"},
    ],
)
def test_debian_13_is_what_the_site_has(os):
    assert offer(MachineWant(os=os)).image == BASE


def test_another_distribution_can_be_configured():
    images = {"ubuntu": "localhost/any:1", "ubuntu-24.04": "localhost/ubuntu:24.04"}

    exact = offer(MachineWant(os={"distribution": "ubuntu", "version": "24.04"}), images=images)
    named = offer(MachineWant(image="ubuntu"), images=images)

    assert (exact.refusal, exact.image) == (None, "localhost/ubuntu:24.04")
    assert (named.refusal, named.image) == (None, "localhost/any:1")


def test_an_image_without_a_version_stands_for_every_version_of_its_distribution():
    images = {"ubuntu": "localhost/any:1"}

    assert offer(MachineWant(os={"distribution": "ubuntu", "version": "16.04"}), images=images).refusal is None


def test_an_image_by_the_url_of_the_engine_is_taken_by_its_name():
    assert offer(MachineWant(image="docker://localhost/any:1")).image == "localhost/any:1"


def test_containers_inside_are_refused_by_name_where_the_site_does_not_permit_them():
    want = MachineWant(nested_containers=True)

    assert "nested_containers" in offer(want, nested_containers="never").refusal
    assert offer(MachineWant(), nested_containers="never").refusal is None
    assert offer(want).refusal is None
