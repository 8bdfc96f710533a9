"""Placement by tables: what is offered on the left, what is chosen and why on the right."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.placement import NoPlace, Placement, choose
from isthmus.topology import Offer

SMALL = Offer("a", "small", "debian", 1, 2**30, price=0.02)
FREE = Offer("local", "any", "debian", 1, 2**30)
COUNTS = {"front": 1, "worker": 2}


def on(*offers: Offer) -> dict[str, dict[str, list[Offer]]]:
    """Each site offers the same for both nodes."""
    sites = {o.site: [p for p in offers if p.site == o.site] for o in offers}
    return {site: {"front": several, "worker": several} for site, several in sites.items()}


def test_the_cheapest_site_that_fits_is_chosen() -> None:
    placed = choose(COUNTS, on(SMALL, FREE))
    assert isinstance(placed, Placement)
    assert placed.site == "local"
    assert {c.offer.site: c.reason for c in placed.considered} == {
        "a": "dearer than local",
        "local": "the cheapest that fits, first in order",
    }


def test_at_the_same_price_the_order_of_the_sites_decides() -> None:
    placed = choose(COUNTS, on(FREE, replace(FREE, site="other")))
    assert isinstance(placed, Placement)
    assert placed.site == "local"


def test_a_site_without_room_for_all_instances_falls_out() -> None:
    placed = choose(COUNTS, on(replace(FREE, quota_left=1), SMALL))
    assert isinstance(placed, Placement)
    assert placed.site == "a"
    assert any("2 wanted, room for 1" in c.reason for c in placed.considered if c.offer.site == "local")


def test_an_offer_that_refuses_is_passed_over_for_the_next_of_its_site() -> None:
    big = replace(SMALL, flavour="big", price=1.0)
    placed = choose(COUNTS, on(replace(SMALL, refusal="too small"), big))
    assert isinstance(placed, Placement)
    assert placed.offers["front"].flavour == "big"


def test_where_nothing_fits_each_site_says_why() -> None:
    placed = choose(COUNTS, on(replace(FREE, refusal="asks 64 CPUs, this machine has 2")))
    assert isinstance(placed, NoPlace)
    assert "asks 64 CPUs" in str(placed)


@pytest.mark.parametrize(("pinned", "site"), [("a", "a"), ("local", "local")])
def test_a_pinned_site_is_taken_whatever_it_costs(pinned: str, site: str) -> None:
    placed = choose(COUNTS, on(SMALL, FREE), pinned)
    assert isinstance(placed, Placement)
    assert placed.site == site


def test_a_pinned_site_that_is_not_there_is_named() -> None:
    assert "there is no such site" in str(choose(COUNTS, on(FREE), "mars"))


@given(st.lists(st.tuples(st.floats(0, 9), st.integers(0, 4), st.booleans()), min_size=1, max_size=5))
def test_what_is_chosen_always_fits_and_nothing_that_fits_is_cheaper(sites: list[tuple[float, int, bool]]) -> None:
    offers = [
        Offer(f"s{n}", "f", "i", 1, 1, price=price, quota_left=quota, refusal="no" if refused else None)
        for n, (price, quota, refused) in enumerate(sites)
    ]
    fitting = [o for o in offers if o.refusal is None and (o.quota_left or 0) >= 2]
    placed = choose(COUNTS, on(*offers))
    assert isinstance(placed, Placement) == bool(fitting)
    if isinstance(placed, Placement):
        assert placed.offers["worker"] in fitting
        assert placed.offers["worker"].price == min(o.price for o in fitting)
