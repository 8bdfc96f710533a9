"""Which host fits a want, and why another does not."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.sites.contract import MachineSpec, MachineWant, Offer
from isthmus.sites.errors import Permanent, Unsupported
from isthmus.sites.ssh.options import HostOptions


def make_offers(site: str, hosts: Sequence[HostOptions], free: set[str], want: MachineWant) -> Sequence[Offer]:
    """One offer for each kind of host that the site has; the smallest that fits comes first."""
    shapes: dict[tuple[object, ...], list[HostOptions]] = {}
    for host in hosts:
        key = (host.flavour, host.image, host.disk, host.gpus, tuple(sorted(host.labels.items())))
        shapes.setdefault(key, []).append(host)
    offers = [_offer(site, alike, free, want) for alike in shapes.values()]
    return sorted(offers, key=lambda o: (o.refusal is not None, not o.quota_left, o.cpus, o.memory))


def _offer(site: str, alike: Sequence[HostOptions], free: set[str], want: MachineWant) -> Offer:
    host = alike[0]
    return Offer(
        site=site,
        flavour=host.flavour,
        image=host.image,
        cpus=host.cpus,
        memory=host.memory,
        disk=host.disk,
        quota_left=sum(other.place in free for other in alike),
        refusal="; ".join(_refusals(host, want)) or None,
    )


def _refusals(host: HostOptions, want: MachineWant) -> list[str]:
    found = []
    if want.flavour not in (None, host.flavour):
        found.append(f"flavour {want.flavour} is asked")
    if want.image not in (None, host.image):
        found.append(f"image {want.image} is asked, but a host keeps the system that it has ({host.image})")
    for what, asked, has in (
        ("cpus", want.cpus, host.cpus),
        ("bytes of memory", want.memory, host.memory),
        ("gpus", want.gpus, host.gpus),
    ):
        if asked is not None and asked > has:
            found.append(f"{asked:g} {what} are asked, it has {has:g}")
    if want.disk is not None and want.disk > (host.disk or 0):
        found.append(f"{want.disk} bytes of disk are asked, it says {host.disk or 'nothing'}")
    for name, asked_text in want.os.items():
        has_text = host.labels.get(name, "linux" if name == "type" else None)
        if has_text is None or str(asked_text).casefold() != has_text.casefold():
            found.append(f"{name} {asked_text} is asked, its label says {has_text or 'nothing'}")
    return found


def check_spec(spec: MachineSpec, hosts: Sequence[HostOptions]) -> None:
    """Refuse by name what a host cannot be given."""
    if spec.networks:
        raise Unsupported(f"network {spec.networks[0].node}: hosts that exist already keep their networks")
    if spec.mounts:
        raise Unsupported(f"volume {spec.mounts[0].volume.node}: hosts that exist already have no volumes")
    if not any(fits(spec, host) for host in hosts):
        raise Permanent(
            f"no host here has flavour {spec.flavour}, image {spec.image}, {spec.cpus:g} cpus and "
            f"{spec.memory} bytes of memory"
        )


def fits(spec: MachineSpec, host: HostOptions) -> bool:
    """Whether the host can be lent for this machine."""
    return (
        (spec.flavour, spec.image) == (host.flavour, host.image)
        and host.cpus >= spec.cpus
        and host.memory >= spec.memory
        and (spec.disk is None or (host.disk or 0) >= spec.disk)
    )
