"""What a fake site offers: flavours, prices and quota."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.sites.contract import MachineWant, Offer
from isthmus.sites.errors import QuotaExceeded
from isthmus.sites.fake.options import Flavour, Options, Quota

Usage = tuple[int, float, int]
"""Machines, cpus and bytes of memory in use."""


def make_offers(site: str, options: Options, want: MachineWant, usage: Usage) -> Sequence[Offer]:
    """One offer for each flavour: those that fit first, then by price and size."""
    offers = [_offer(site, options, flavour, want, usage) for flavour in options.flavours]
    return sorted(offers, key=lambda offer: (offer.refusal is not None, offer.price, offer.cpus))


def check_quota(quota: Quota, usage: Usage, cpus: float, memory: int) -> None:
    """Raise :class:`QuotaExceeded` when one more such machine would be too much."""
    for what, limit, used, more in _limits(quota, usage, cpus, memory):
        if limit is not None and used + more > limit:
            raise QuotaExceeded(f"quota exceeded for {what}: {more:g} wanted, {used:g} of {limit:g} in use")


def _offer(site: str, options: Options, flavour: Flavour, want: MachineWant, usage: Usage) -> Offer:
    return Offer(
        site=site,
        flavour=flavour.name,
        image=want.image or (options.images or ("fake-linux",))[0],
        cpus=flavour.cpus,
        memory=flavour.memory,
        disk=flavour.disk,
        price=flavour.price,
        currency=options.currency,
        quota_left=_left(options.quota, usage, flavour),
        refusal="; ".join(_refusals(options, flavour, want)) or None,
    )


def _refusals(options: Options, flavour: Flavour, want: MachineWant) -> list[str]:
    found = []
    if want.flavour not in (None, flavour.name):
        found.append(f"flavour {want.flavour} is asked")
    for what, asked, has in (
        ("cpus", want.cpus, flavour.cpus),
        ("bytes of memory", want.memory, flavour.memory),
        ("bytes of disk", want.disk, flavour.disk),
        ("gpus", want.gpus, flavour.gpus),
    ):
        if asked is not None and has is not None and asked > has:
            found.append(f"{asked:g} {what} are asked, it has {has:g}")
    if options.images is not None and want.image and want.image not in options.images:
        found.append(f"image {want.image} is not here")
    for what, limit, _, more in _limits(options.quota, (0, 0.0, 0), flavour.cpus, flavour.memory):
        if limit is not None and more > limit:
            found.append(f"the whole quota is {limit:g} {what}")
    return found


def _left(quota: Quota, usage: Usage, flavour: Flavour) -> int | None:
    left = [
        max(0, int((limit - used) // more))
        for _, limit, used, more in _limits(quota, usage, flavour.cpus, flavour.memory)
        if limit is not None
    ]
    return min(left, default=None)


def _limits(quota: Quota, usage: Usage, cpus: float, memory: int) -> Sequence[tuple[str, float | None, float, float]]:
    return (
        ("machines", quota.machines, usage[0], 1),
        ("cpus", quota.cpus, usage[1], cpus),
        ("bytes of memory", quota.memory, usage[2], memory),
    )
