"""The plan: an ordered graph of actions. What makes one is in :mod:`.planner`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isthmus.engine.state import Key


class Verb(StrEnum):
    CREATE = "create"
    CONFIGURE = "configure"
    START = "start"
    STOP = "stop"
    DELETE = "delete"


class Target(StrEnum):
    """What kind of thing an action acts on."""

    NETWORK = "network"
    VOLUME = "volume"
    MACHINE = "machine"
    IMAGE = "image"
    OPERATION = "operation"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Action:
    """One idempotent step. ``after`` names the actions that must have ended well before it begins,
    ``eventually`` those that must have ended, well or not, or become impossible.

    An ``optional`` action may fail without failing the plan: what is on its way out, or only saves
    time later. ``instances`` are machines, except for a network or volume, where they are its own.
    """

    id: str
    verb: Verb
    target: Target
    node: str
    instances: tuple[Key, ...]
    why: str
    after: tuple[str, ...] = ()
    operation: str | None = None
    image: str | None = None
    optional: bool = False
    eventually: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """The action's object as a person would say it: ``slurm configure on worker[0], worker[1]``."""
        on = ", ".join(map(str, self.instances))
        if self.target is Target.OPERATION:
            return f"{self.node} {(self.operation or '').partition('.')[2]} on {on}"
        if self.target is Target.IMAGE:
            return f"image of {on}"
        if self.target is Target.JOB:
            return f"job {self.node}"
        return "network" if self.target is Target.NETWORK else f"{self.target} {on}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in an order in which each stands after all that it waits for."""

    actions: tuple[Action, ...]

    def __bool__(self) -> bool:
        return bool(self.actions)

    def render(self) -> str:
        """The plan as lines that a person can read."""
        return "\n".join(f"{a.verb:<9} {a.what}: {a.why}" for a in self.actions) or "nothing to do"
