"""How many instances a machine has, from its `scalable` capability (TOSCA 1.3 §5.5.14)."""

from __future__ import annotations

from isthmus.topology import Scaling
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.leniency import allows
from isthmus.tosca.reading.documents import Node
from isthmus.tosca.resolving.templates import NodeTemplate, Values

MAX_INSTANCES = 100_000


def scaling_of(template: NodeTemplate, problems: Problems) -> Scaling:
    """The bounds of a machine; exactly one instance where its template says nothing of it."""
    scalable = template.capabilities.get("scalable")
    if scalable is None or scalable.assigned is None:
        return Scaling()
    if scalable.get("removal_list") and allows("removal-list", scalable.at, problems):
        summary = f"'removal_list' of {template.name!r} has no effect: instances are removed from the last on"
        problems.warn("ignored", summary, scalable.assigned)
    minimum = _number(scalable, "min_instances", problems)
    maximum = _number(scalable, "max_instances", problems)
    default = _number(scalable, "default_instances", problems)
    if default is None and "count" in scalable.definitions and allows("count", scalable.at, problems):
        return _counted(scalable, minimum, maximum, problems)
    low = minimum if minimum is not None and scalable.assigns("min_instances") else min(1, default or 1)
    stated = maximum is not None and scalable.assigns("max_instances")
    high = maximum if maximum is not None and stated else max(low, default or 1)
    default = low if default is None else default
    if not low <= default <= high:
        problems.error(
            "scaling",
            f"{template.name!r} wants {default} instances, between {low} and {high}",
            scalable.assigned,
        )
    return Scaling(low, high, default)


def _counted(scalable: Values, minimum: int | None, maximum: int | None, problems: Problems) -> Scaling:
    """`count` instances at first; bounds that the template does not state make room for them."""
    count = _number(scalable, "count", problems)
    count = 1 if count is None else count
    low = minimum if minimum is not None and scalable.assigns("min_instances") else min(1, count)
    high = maximum if maximum is not None and scalable.assigns("max_instances") else max(1, count)
    return Scaling(min(low, count), max(high, count), count)


def _number(scalable: Values, name: str, problems: Problems) -> int | None:
    value = scalable.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INSTANCES:
        at: Node = scalable.assigned.entries.get(name, scalable.at) if scalable.assigned else scalable.at
        problems.error("scaling", f"{name!r} must be a number from 0 to {MAX_INSTANCES:,} that is known now", at)
        return None
    return value
