"""Which addresses an import may be fetched from: public ones, whatever name led there.

The registries of special-purpose addresses (RFC 6890) decide, and what an IPv6 address carries of IPv4 counts too.
"""

from __future__ import annotations

import socket
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from isthmus.tosca.reading.importers.contract import ImportRefused

Address = IPv4Address | IPv6Address

MAX_ADDRESSES = 16

_NAT64 = ip_network("64:ff9b::/96")
_NOWHERE = tuple(
    ip_network(n)
    for n in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # IPv4-compatible, long gone; the unspecified and the loopback address are in it
        "64:ff9b:1::/48",  # NAT64 of one's own network
        "100::/64",  # discarded
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: the IPv4 address inside is where it really goes
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public network: no loopback, private, link-local, multicast or reserved one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.scope_id:
            return False
    if any(address in n for n in _NOWHERE):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def resolve(host: str, port: int, timeout: float) -> list[str]:
    """The addresses of a name, as the machine's resolver tells them; raises :class:`ImportRefused`.

    The resolver cannot be interrupted: when it is slow, a thread is left behind until it is done.
    """
    found: list[str] = []
    failures: list[OSError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as e:
            failures.append(e if isinstance(e, OSError) else OSError(str(e)))
            return
        found.extend(dict.fromkeys(str(a[4][0]) for a in answers))

    thread = threading.Thread(target=ask, name=f"resolve-{host[:40]}", daemon=True)
    thread.start()
    thread.join(max(0.0, timeout))
    if thread.is_alive():
        raise ImportRefused("import-failed", f"the name {host!r} was not resolved in time")
    if failures or not found:
        raise ImportRefused("import-failed", f"the name {host!r} has no address")
    return found


def check_public(host: str, addresses: list[str]) -> None:
    """Refuse a name of which any address is not public; raises :class:`ImportRefused`."""
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise ImportRefused("import-refused", f"the name {host!r} has {len(addresses)} addresses")
    for text in addresses:
        try:
            public = is_public(ip_address(text))
        except ValueError:
            public = False
        if not public:
            raise ImportRefused("import-refused", f"{host!r} is not at a public address, and nothing is fetched there")
