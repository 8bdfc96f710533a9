"""Subnets and addresses are chosen without repetition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.sites.errors import QuotaExceeded
from isthmus.sites.local.addresses import Net, free_address, free_subnets, routed_here


@given(seed=st.text(), taken=st.sets(st.integers(0, 255)))
def test_free_subnets_are_all_those_that_nobody_has(seed, taken):
    used = [Net(f"10.213.{third}.0/24") for third in taken]

    free = list(free_subnets("10.213.0.0/16", seed, used))

    assert len(free) == len(set(free)) == 256 - len(taken)
    assert not any(subnet.overlaps(net) for subnet in free for net in used)


def test_a_deployment_gets_the_same_subnet_again_when_it_is_free():
    first, again = (next(free_subnets("10.213.0.0/16", "isthmus-a", [])) for _ in range(2))

    assert first == again
    assert first != next(free_subnets("10.213.0.0/16", "isthmus-b", []))


def test_a_wide_route_takes_every_subnet_under_it():
    assert list(free_subnets("10.213.0.0/16", "x", [Net("10.0.0.0/8")])) == []


def test_addresses_begin_after_the_gateway_and_fill_gaps():
    assert free_address("10.213.7.0/24", set()) == "10.213.7.2"
    assert free_address("10.213.7.0/24", {"10.213.7.2", "10.213.7.4"}) == "10.213.7.3"


def test_a_full_network_is_a_matter_of_quota():
    taken = {f"10.213.7.{last}" for last in range(2, 255)}

    with pytest.raises(QuotaExceeded, match=r"10\.213\.7\.0/24"):
        free_address("10.213.7.0/24", taken)


def test_routes_of_this_host_are_read_and_the_default_route_is_not_among_them(tmp_path):
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "br0\t0030D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )

    assert routed_here(table) == [Net("10.213.48.0/24")]
    assert routed_here(tmp_path / "absent") == []
