"""Inputs and outputs of operations and notifications, laid over those that are inherited.

In TOSCA 1.x a declaration and a value look alike, in TOSCA 2.0 types declare and templates give (§9.8, §11.4, §11.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from isthmus.tosca.grammar import allowed_keys, entries_at
from isthmus.tosca.reading.documents import Map, Node, text_of
from isthmus.tosca.typesystem.definitions import PropertyDef, parse_property

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.types import Types


class Place(Enum):
    """Who writes about interfaces: it decides what may be new, and whether inputs are declared or given."""

    TYPE = auto()
    REFINEMENT = auto()
    """A requirement definition, about the interfaces of its relationship."""
    TEMPLATE = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """An input of an operation: its value as written, and its definition where it has one."""

    name: str
    value: Node | None
    definition: Map | None
    document: Document
    at: Node
    declared: PropertyDef | None = None
    """In TOSCA 2.0 the definition with all that it inherits (§11.4)."""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """An output of an operation or notification of TOSCA 2.0: its definition, and the attribute that takes it."""

    name: str
    declared: PropertyDef | None
    mapping: Node | None
    at: Node


def overlay_inputs(
    old: Mapping[str, Input], body: Map, types: Types, document: Document, place: Place
) -> Mapping[str, Input]:
    """The inputs that a body writes, over those that there are."""
    written = body.get("inputs")
    if written is None:
        return old
    if not isinstance(written, Map):
        types.problems.error("shape", "'inputs' must be a map", written)
        return old
    merged = dict(old)
    types.problems.spend(len(merged) + len(written.entries))
    for name, node in written.entries.items():
        at = written.keys[name]
        if document.version == 2:
            found = _modern_input(name, node, at, old.get(name), types, document, place)
            if found is not None:
                merged[name] = found
        elif _is_definition(node):
            assert isinstance(node, Map)
            value = node.get("value") or node.get("default")
            merged[name] = Input(name, value, node, document, at)
        else:
            definition = old[name].definition if name in old else None
            owner = old[name].document if definition is not None else document
            merged[name] = Input(name, node, definition, owner, at)
    return merged


def all_inputs(of_interface: Mapping[str, Input], own: Mapping[str, Input]) -> dict[str, Input]:
    """The inputs of an operation with those of its interface, which declare what it gives a value."""
    merged = {**of_interface, **own}
    for name, given in own.items():
        outer = of_interface.get(name)
        if given.declared is None and outer is not None and outer.declared is not None:
            merged[name] = replace(given, declared=outer.declared)
    return merged


def _modern_input(
    name: str, node: Node, at: Node, old: Input | None, types: Types, document: Document, place: Place
) -> Input | None:
    """An input of TOSCA 2.0: declared or refined by types, given a value by templates (§9.8, §11.4, §11.5)."""
    declared = old.declared if old is not None else None
    if place is Place.TEMPLATE:
        if declared is not None and declared.fixed is not None:
            types.problems.error("refinement", f"the value of the input {name!r} is fixed where it is declared", at)
        return Input(name, node, None, document, at, declared)
    new = parse_property(name, node, "parameter", types, document, declared)
    if new is None:
        return None
    if declared is not None:
        types.check_refinement(declared, new)
    return Input(name, new.fixed or new.default, None, document, at, new)


def overlay_outputs(
    old: Mapping[str, Output], body: Map, types: Types, document: Document, place: Place
) -> Mapping[str, Output]:
    """The outputs of TOSCA 2.0, each mapped to an attribute once (§9.9, §11.5)."""
    merged = dict(old)
    for name, node in entries_at(body, "outputs", types.problems).items():
        was = merged.get(name)
        assert isinstance(body.entries["outputs"], Map)
        at = body.entries["outputs"].keys[name]
        mapping = node.get("mapping") if isinstance(node, Map) and place is not Place.TEMPLATE else node
        declared = was.declared if was is not None else None
        if place is not Place.TEMPLATE and isinstance(node, Map):
            inherited, declared = declared, parse_property(name, node, "parameter", types, document, declared)
            if inherited is not None and declared is not None:
                types.check_refinement(inherited, declared)
        if place is Place.TEMPLATE and mapping is not None and was is not None and was.mapping is not None:
            types.problems.error("refinement", f"the output {name!r} is mapped to an attribute already", at)
        merged[name] = Output(name, declared, mapping or (was.mapping if was is not None else None), at)
    return merged


def _is_definition(node: Node) -> bool:
    """Whether an input is declared (`type: …`) rather than given a value; the two look alike in TOSCA 1.x."""
    if not isinstance(node, Map) or not node.entries.keys() <= allowed_keys("parameter"):
        return False
    return bool(text_of(node.get("type")))
