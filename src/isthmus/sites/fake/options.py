"""What a person may write in the options of a fake site."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    field_validator,
)
from pydantic import ValidationError as Invalid

from isthmus.sites.errors import Permanent
from isthmus.sites.fake.faults import Fault, check_verb

GIB = 1024**3


class Flavour(BaseModel):
    """A size of machine; ``memory`` and ``disk`` are bytes or text like ``4GiB``, ``price`` is per hour."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    cpus: PositiveFloat
    memory: ByteSize
    disk: ByteSize | None = None
    gpus: int = 0
    price: NonNegativeFloat = 0.0


class Quota(BaseModel):
    """The most that this site gives to all deployments together; None is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    machines: int | None = None
    cpus: float | None = None
    memory: ByteSize | None = None


def usual_flavours() -> tuple[Flavour, ...]:
    """Four flavours, each twice the one before."""
    sizes = (("small", 1), ("medium", 2), ("large", 4), ("xlarge", 8))
    return tuple(
        Flavour(name=name, cpus=n, memory=ByteSize(2 * n * GIB), disk=ByteSize(20 * n * GIB), price=0.02 * n)
        for name, n in sizes
    )


class Options(BaseModel):
    """The options of a fake site.

    ``world`` is the file that keeps it, None for memory. ``latency`` is seconds for every verb, or by
    verb (a pattern like ``create_*`` is a verb too; the first that fits counts). ``images`` names the
    images there are, None for any. ``faults`` are set once in a world, however often it is opened.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    world: str | None = None
    latency: NonNegativeFloat | dict[str, NonNegativeFloat] = 0.0
    quota: Quota = Quota()
    flavours: tuple[Flavour, ...] = Field(default_factory=usual_flavours, min_length=1)
    images: tuple[str, ...] | None = None
    currency: str = "EUR"
    volume_size: ByteSize = ByteSize(10 * GIB)
    """Bytes of a volume for which nobody said a size."""
    faults: tuple[Fault, ...] = ()

    @field_validator("latency")
    @classmethod
    def _known_verbs(cls, latency: float | dict[str, float]) -> float | dict[str, float]:
        for verb in latency if isinstance(latency, dict) else ():
            check_verb(verb)
        return latency

    def pause(self, verb: str) -> float:
        """Seconds that one call of ``verb`` takes."""
        if not isinstance(self.latency, dict):
            return self.latency
        return next((s for pattern, s in self.latency.items() if fnmatchcase(verb, pattern)), 0.0)


def parse_options(name: str, options: object) -> Options:
    """The options of site ``name``; :class:`Permanent` names every one that is wrong."""
    try:
        return Options.model_validate(options)
    except Invalid as wrong:
        raise Permanent(f"site {name}: {describe(wrong)}") from None


def describe(wrong: Invalid) -> str:
    """Every error of ``wrong`` in one line, without the values, which may be secret."""

    def place(error: Any) -> str:
        return ".".join(str(part) for part in error["loc"]) or "options"

    return "; ".join(f"{place(e)}: {e['msg']}" for e in wrong.errors(include_url=False, include_input=False))
