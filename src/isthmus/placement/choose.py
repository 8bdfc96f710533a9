"""Chooses one site for all machines of a deployment: what does not fit falls out, the cheapest wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isthmus.topology import Offer


@dataclass(frozen=True, slots=True)
class Choice:
    """An offer that was looked at for a node; ``reason`` says why it was taken or left."""

    node: str
    offer: Offer
    chosen: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Placement:
    """The chosen site, the offer taken for every machine node, and all that was looked at."""

    site: str
    offers: Mapping[str, Offer]
    considered: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class NoPlace:
    """That no site can host the topology: why each one falls out."""

    reasons: Mapping[str, str]
    considered: tuple[Choice, ...] = ()

    def __str__(self) -> str:
        return "; ".join(f"{site}: {why}" for site, why in self.reasons.items()) or "there is no site"


def choose(
    counts: Mapping[str, int], offers: Mapping[str, Mapping[str, Sequence[Offer]]], pinned: str | None = None
) -> Placement | NoPlace:
    """Take the best site for ``counts`` machines of each node.

    ``offers`` maps sites, in order of preference, to nodes to what the site offers, best first. A site
    falls out when any node has no offer that fits in the quota left. Among the others the lowest price
    per hour wins, then the order of preference. ``pinned`` leaves only that site to choose.
    """
    reasons: dict[str, str] = {}
    fitting: dict[str, dict[str, Offer]] = {}
    for site, by_node in offers.items():
        if pinned is not None and site != pinned:
            reasons[site] = f"{pinned} was asked for"
            continue
        taken = {node: _first_that_fits(by_node.get(node, ()), count) for node, count in counts.items()}
        missing = [f"{n}: {_why_not(by_node.get(n, ()), counts[n])}" for n, o in taken.items() if o is None]
        if missing:
            reasons[site] = "; ".join(missing)
        else:
            fitting[site] = {node: offer for node, offer in taken.items() if offer is not None}
    if pinned is not None and pinned not in offers:
        reasons[pinned] = "there is no such site"
    if not fitting:
        return NoPlace(reasons, tuple(_considered(offers, None, {}, reasons)))
    best = min(fitting, key=lambda site: (_price(fitting[site], counts), list(offers).index(site)))
    for site in fitting:
        if site != best:
            dearer = _price(fitting[site], counts) > _price(fitting[best], counts)
            reasons[site] = f"dearer than {best}" if dearer else f"{best} stands before it"
    reasons[best] = "it was asked for" if pinned else _why_best(fitting, best)
    return Placement(best, fitting[best], tuple(_considered(offers, best, fitting[best], reasons)))


def _why_best(fitting: Mapping[str, object], best: str) -> str:
    return "the only site that fits" if len(fitting) == 1 else "the cheapest that fits, first in order"


def _first_that_fits(offers: Sequence[Offer], count: int) -> Offer | None:
    return next((o for o in offers if _refusal(o, count) is None), None)


def _refusal(offer: Offer, count: int) -> str | None:
    if offer.refusal is not None:
        return offer.refusal
    if offer.quota_left is not None and offer.quota_left < count:
        return f"{count} wanted, room for {offer.quota_left}"
    return None


def _why_not(offers: Sequence[Offer], count: int) -> str:
    return "; ".join(dict.fromkeys(filter(None, (_refusal(o, count) for o in offers)))) or "no offer"


def _price(taken: Mapping[str, Offer], counts: Mapping[str, int]) -> float:
    return sum(offer.price * counts[node] for node, offer in taken.items())


def _considered(
    offers: Mapping[str, Mapping[str, Sequence[Offer]]],
    best: str | None,
    taken: Mapping[str, Offer],
    reasons: Mapping[str, str],
) -> list[Choice]:
    return [
        Choice(node, offer, site == best and taken.get(node) is offer, offer.refusal or reasons.get(site, ""))
        for site, by_node in offers.items()
        for node, several in by_node.items()
        for offer in several
    ]
