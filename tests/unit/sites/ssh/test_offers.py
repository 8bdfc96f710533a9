"""Which hosts are offered, and why others are not."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.sites.contract import GIB, MachineSpec, MachineWant, Mount, Ref
from isthmus.sites.errors import Permanent, Unsupported
from isthmus.sites.ssh.fit import check_spec, make_offers
from isthmus.sites.ssh.options import HostOptions

REF = Ref("0123456789ab", "node")


def host(name: str, **more: Any) -> HostOptions:
    return HostOptions.model_validate(
        {"host": name, "key_file": "key", "cpus": 2, "memory": "4GiB", "labels": {"distribution": "debian"}} | more
    )


HOSTS = [host("a"), host("b"), host("big", cpus=8, memory="32GiB", disk="100GiB")]


def spec(**changes: Any) -> MachineSpec:
    usual = {"ref": REF, "image": "as-is", "flavour": HOSTS[0].flavour, "cpus": 2, "memory": 4 * GIB, "disk": None}
    return MachineSpec(**(usual | {"authorized_key": ""} | changes))


def test_hosts_that_are_alike_are_one_offer_that_counts_the_free_ones():
    offers = make_offers("lab", HOSTS, {"a:22", "b:22", "big:22"}, MachineWant())

    assert [(offer.flavour, offer.quota_left) for offer in offers] == [("2-cpus-4-gib", 2), ("8-cpus-32-gib", 1)]


def test_an_offer_with_a_free_host_comes_before_one_without():
    offers = make_offers("lab", HOSTS, {"big:22"}, MachineWant())

    assert [(offer.flavour, offer.quota_left) for offer in offers] == [("8-cpus-32-gib", 1), ("2-cpus-4-gib", 0)]


@pytest.mark.parametrize(
    ("want", "words"),
    [
        (MachineWant(cpus=4), "4 cpus are asked, it has 2"),
        (MachineWant(memory=5 * GIB), "bytes of memory"),
        (MachineWant(disk=GIB), "it says nothing"),
        (MachineWant(gpus=1), "1 gpus are asked"),
        (MachineWant(flavour="m1.small"), "m1.small"),
        (MachineWant(image="ubuntu"), "keeps the system that it has"),
        (MachineWant(os={"distribution": "ubuntu"}), "distribution ubuntu is asked, its label says debian"),
        (MachineWant(os={"version": "12"}), "its label says nothing"),
    ],
)
def test_what_a_host_is_not_is_refused_in_words(want, words):
    [offer] = make_offers("lab", HOSTS[:1], {"a:22"}, want)

    assert words in offer.refusal


@pytest.mark.parametrize("want", [MachineWant(os={"type": "Linux", "distribution": "Debian"}), MachineWant(cpus=2)])
def test_what_a_host_is_fits(want):
    [offer] = make_offers("lab", HOSTS[:1], {"a:22"}, want)

    assert offer.refusal is None


def test_networks_and_volumes_are_refused_by_name():
    with pytest.raises(Unsupported, match="private"):
        check_spec(spec(networks=(Ref("0123456789ab", "private"),)), HOSTS)
    with pytest.raises(Unsupported, match="scratch"):
        check_spec(spec(mounts=(Mount(Ref("0123456789ab", "scratch"), "/data"),)), HOSTS)


@pytest.mark.parametrize("changes", [{"flavour": "huge"}, {"image": "ubuntu"}, {"cpus": 3}, {"disk": GIB}])
def test_a_machine_that_no_host_can_be_is_refused_for_good(changes):
    with pytest.raises(Permanent):
        check_spec(spec(**changes), HOSTS)
