"""What a person is asked before a template is deployed: its inputs, in tabs, and what it will tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isthmus.topology import Position
from isthmus.topology.patterns import Pattern, PatternError
from isthmus.tosca.bundle import Bundle
from isthmus.tosca.diagnostics import Diagnostic, Exhausted, Problems
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.grammar import entries_at
from isthmus.tosca.load import Opened, open_template
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, metadata_of, text_of
from isthmus.tosca.resolving.inputs import asks_for_value, parse_inputs
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.constraints import Constraint
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.schemas import Schema


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form. ``entry`` is the type of the entries of a list or map.

    ``constraints`` are pairs of name and operand, as TOSCA names them; ``default`` is None for none.
    """

    name: str
    type: str
    description: str = ""
    required: bool = True
    default: Any = None
    constraints: tuple[tuple[str, Any], ...] = ()
    tab: str = ""
    entry: str = ""
    secret: bool = False
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """The inputs of a template by name, the titles of its tabs, its outputs and what it says of itself.

    An input of no tab has the tab "", which is to be shown first.
    """

    inputs: Mapping[str, Field]
    tabs: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Descriptions by name."""
    name: str = ""
    title: str = ""
    version: str = ""
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def form(bundle: Bundle) -> Form | tuple[Diagnostic, ...]:
    """The form of a template; its diagnostics when it cannot be had."""
    problems = Problems()
    try:
        opened = open_template(bundle, problems)
        made = _form(opened, problems) if opened is not None else None
    except Exhausted:
        made = None
    return made if made is not None and not problems.failed else problems.list()


def _form(opened: Opened, problems: Problems) -> Form:
    inputs = parse_inputs(opened.topology, opened.types, opened.document)
    root = opened.document.root
    tabs = _tabs(root.get("metadata"), list(inputs), problems)
    converter = Converter(problems, lambda name, node, scope: BROKEN)
    fields = {n: _field(d, tabs, converter, problems) for n, d in inputs.items()}
    outputs = entries_at(opened.topology, "outputs", problems)
    return Form(
        inputs=fields,
        tabs=tuple(dict.fromkeys(tabs.values())),
        outputs={n: text_of(o.get("description")).strip() if isinstance(o, Map) else "" for n, o in outputs.items()},
        name=_header(root, "template_name"),
        title=_header(root, "display_name") or _header(root, "template_name"),
        version=_header(root, "template_version"),
        description=text_of(root.get("description")).strip(),
        metadata=metadata_of(root),
    )


def _header(root: Map, key: str) -> str:
    """A key of the metadata, or of the document as in TOSCA 1.0; a version keeps its text."""
    metadata = root.get("metadata")
    inner = text_of(metadata.get(key)) if isinstance(metadata, Map) else ""
    return inner or text_of(root.get(key))


def _field(definition: PropertyDef, tabs: Mapping[str, str], converter: Converter, problems: Problems) -> Field:
    schema = definition.schema
    default = None
    asks = asks_for_value(definition, problems)
    if definition.default is not None and not schema.secret and not asks:
        value = converter.convert_default(definition.default, schema, Scope())
        default = None if value is BROKEN else value
    return Field(
        name=definition.name,
        type=schema.type,
        description=definition.description,
        required=asks or (definition.required and definition.default is None and not schema.secret),
        default=default,
        constraints=tuple(_pair(c) for c in schema.constraints),
        tab=tabs.get(definition.name, ""),
        entry=_entry(schema),
        secret=schema.secret,
        position=definition.at.position,
    )


def _pair(constraint: Constraint) -> tuple[str, Any]:
    return constraint.name, constraint.operand


def _entry(schema: Schema) -> str:
    return schema.entry.type if schema.entry is not None else ""


def _tabs(metadata: Node | None, names: list[str], problems: Problems) -> dict[str, str]:
    """Which tab each input belongs to: `tabs` maps a title to names, or to a pattern that names match."""
    tabs = metadata.get("tabs") if isinstance(metadata, Map) else None
    found: dict[str, str] = {}
    for title, wanted in tabs.entries.items() if isinstance(tabs, Map) else ():
        for name in _members(wanted, names, problems):
            found.setdefault(name, title)
    return found


def _members(wanted: Node, names: list[str], problems: Problems) -> list[str]:
    problems.spend(len(names))
    if isinstance(wanted, Seq):
        listed = {
            text_of(i) or text_of(next(iter(i.entries.values()), None) if isinstance(i, Map) else None)
            for i in wanted.items
        }
        listed |= {k for i in wanted.items if isinstance(i, Map) for k in i.entries}
        return [n for n in names if n in listed]
    if not isinstance(wanted, Scalar):
        return []
    problems.spend(sum(len(n) for n in names) * len(wanted.text) // 10)
    try:
        pattern = Pattern(wanted.text)
        return [n for n in names if pattern.matches(n)]
    except PatternError as e:
        problems.warn("pattern", f"the tab cannot be made: {e}", wanted)
        return []
