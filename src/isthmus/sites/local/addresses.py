"""Which subnet a network gets and which address a machine gets: pure choices, and what this host routes."""

from __future__ import annotations

import hashlib
import ipaddress
import struct
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from isthmus.sites.errors import QuotaExceeded

Net = ipaddress.IPv4Network


def free_subnets(pool: str, seed: str, taken: Iterable[Net]) -> Iterator[Net]:
    """The free ``/24`` of a pool, beginning at a place of the seed's own so that two askers rarely meet."""
    used = list(taken)
    subnets = list(Net(pool).subnets(new_prefix=24))
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") % len(subnets)
    return (s for s in subnets[start:] + subnets[:start] if not any(s.overlaps(u) for u in used))


def free_address(cidr: str, taken: Collection[str]) -> str:
    """The lowest free address of a network, after its gateway; raises :class:`QuotaExceeded` when full."""
    hosts = (str(h) for h in Net(cidr).hosts())
    next(hosts)
    address = next((h for h in hosts if h not in taken), None)
    if address is None:
        raise QuotaExceeded(f"network {cidr} has no address left")
    return address


def routed_here(table: Path = Path("/proc/net/route")) -> list[Net]:
    """What this host routes already, default routes apart; empty where the kernel does not say."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    return [net for net in map(_route, lines) if net.prefixlen]


def _route(line: str) -> Net:
    fields = line.split()
    address, mask = (ipaddress.IPv4Address(struct.pack("<I", int(fields[i], 16))) for i in (1, 7))
    return Net(f"{address}/{mask}", strict=False)
