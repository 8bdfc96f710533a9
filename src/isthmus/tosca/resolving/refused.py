"""A topology that cannot be deployed, as it may be shown: what could not be worked out has no value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from isthmus.topology import Topology
from isthmus.tosca.expressions.values import BROKEN


def without_broken(topology: Topology) -> Topology:
    """The topology with None wherever a value hangs on what was refused, such as a host that is not there."""
    cleaned: Topology = _clean(topology)
    return cleaned


def _clean(value: Any) -> Any:
    if value == BROKEN:
        return None
    if isinstance(value, Mapping):
        return {k: _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_clean, value))
    if is_dataclass(value) and not isinstance(value, type | Enum):
        return replace(value, **{f.name: _clean(getattr(value, f.name)) for f in fields(value)})
    return value
