"""What nodes ask of sites, and what sites offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MachineWant:
    """What a template asks of a machine. ``None`` means that it does not care.

    ``memory`` and ``disk`` are bytes. ``image`` is what the template wrote (a name, or a URL whose
    meaning the driver knows); ``os`` holds the properties of the ``os`` capability.
    ``nested_containers`` asks for a machine whose ordinary users can run containers.
    """

    cpus: float | None = None
    memory: int | None = None
    disk: int | None = None
    flavour: str | None = None
    image: str | None = None
    os: Mapping[str, str] = field(default_factory=dict)
    gpus: int = 0
    nested_containers: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What a site would give for a node, or why it would not.

    ``price`` is per hour in ``currency``; ``quota_left`` is how many more of these would fit, None
    when the site does not say.
    """

    site: str
    flavour: str
    image: str
    cpus: float
    memory: int
    disk: int | None = None
    price: float = 0.0
    currency: str = "EUR"
    quota_left: int | None = None
    refusal: str | None = None
