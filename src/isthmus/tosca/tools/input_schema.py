"""What a template asks of whoever deploys it, as JSON Schema (2020-12): for forms, and for checks before a deploy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from isthmus.tosca.bundle import Bundle
from isthmus.tosca.diagnostics import Diagnostic, Exhausted, Problems
from isthmus.tosca.form import Field, Form, form
from isthmus.tosca.load import open_template
from isthmus.tosca.reading.documents import plain, text_of
from isthmus.tosca.resolving.inputs import parse_inputs
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.schemas import Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NOTES = "x-tosca"
"""The keyword that holds what TOSCA says and JSON Schema cannot: types by name, tabs, bounds of quantities."""

Json = dict[str, Any]


def inputs_schema(bundle: Bundle) -> Json | tuple[Diagnostic, ...]:
    """What a template's inputs must be, for forms and for checks before a deploy; its diagnostics if it has none.

    Secrets are `writeOnly`; what JSON Schema cannot say of an input stands under :data:`NOTES`.
    """
    shown = form(bundle)
    if not isinstance(shown, Form):
        return shown
    problems = Problems()
    definitions: dict[str, Json] = {}
    try:
        opened = open_template(bundle, problems)
        declared = parse_inputs(opened.topology, opened.types, opened.document) if opened is not None else {}
        properties = {n: _input(f, declared[n], definitions) for n, f in shown.inputs.items() if n in declared}
    except Exhausted:
        return problems.list()
    return _inputs(shown, properties, definitions)


def _inputs(shown: Form, properties: Mapping[str, Json], definitions: Mapping[str, Json]) -> Json:
    head = {"title": shown.title, "description": shown.description}
    return {
        "$schema": DIALECT,
        **{k: v for k, v in head.items() if v},
        "type": "object",
        "properties": properties,
        "required": [n for n in properties if shown.inputs[n].required],
        "additionalProperties": False,
        **({NOTES: {"tabs": list(shown.tabs)}} if shown.tabs else {}),
        **({"$defs": definitions} if definitions else {}),
    }


def _input(field: Field, definition: PropertyDef, definitions: dict[str, Json]) -> Json:
    schema = _schema(definition.schema, definitions)
    notes = {"type": field.type, **({"tab": field.tab} if field.tab else {}), **schema.get(NOTES, {})}
    described: Json = {"description": field.description} if field.description else {}
    if field.secret:
        described |= {"writeOnly": True, "format": "password"}
    elif field.default is not None:
        described["default"] = field.default
    return {**described, **schema, NOTES: notes}


def _schema(schema: Schema, definitions: dict[str, Json]) -> Json:
    fields = schema.fields
    if fields:
        assert schema.data is not None
        return _refer_data(schema.data.name, schema.data.description, fields, definitions)
    made: Json = dict(_BASES.get(schema.base, {}))
    if schema.entry is not None:
        made["items" if schema.base == "list" else "additionalProperties"] = _schema(schema.entry, definitions)
    if schema.key is not None and schema.base == "map":
        made["propertyNames"] = {k: v for k, v in _schema(schema.key, definitions).items() if k != "type"}
    unsaid = []
    for name, operand in _clauses(schema):
        said = _constrain(name, operand, schema.base)
        if said is None:
            unsaid.append({name: operand})
        elif any(made[k] != v for k, v in said.items() if k in made):
            made.setdefault("allOf", []).append(said)
        else:
            made |= said
    return {**made, NOTES: {"constraints": unsaid}} if unsaid else made


def _clauses(schema: Schema) -> Iterator[tuple[str, Any]]:
    """What limits a value, by name and operand: constraints of TOSCA 1.x, validation clauses of TOSCA 2.0."""
    yield from ((c.name, c.operand) for c in schema.constraints)
    for validation in schema.validations:
        yield from _parts(plain(validation.node))


def _parts(clause: Any) -> Iterator[tuple[str, Any]]:
    """A clause of TOSCA 2.0 (§9.11) as those of 1.x where it is one of these on `$value`; `$and` are several."""
    match clause:
        case {"$and": [*clauses]} if len(clause) == 1:
            for inner in clauses:
                yield from _parts(inner)
        case {"$matches": ["$value", str(operand)]} if len(clause) == 1:
            yield "pattern", operand
        case dict() if len(clause) == 1:
            [(name, arguments)] = clause.items()
            match arguments:
                case ["$value", operand] if not _is_call(operand):
                    yield name.removeprefix("$"), operand
                case _:
                    yield name, arguments
        case _:
            yield "validation", clause


def _is_call(operand: Any) -> bool:
    text = json.dumps(operand)
    return '"$' in text


def _refer_data(name: str, description: str, fields: Mapping[str, PropertyDef], definitions: dict[str, Json]) -> Json:
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = {
            **({"description": description} if description else {}),
            "type": "object",
            "properties": {n: _data_field(d, definitions) for n, d in fields.items()},
            "required": [n for n, d in fields.items() if d.required and d.default is None],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name.replace('~', '~0').replace('/', '~1')}"}


def _data_field(definition: PropertyDef, definitions: dict[str, Json]) -> Json:
    schema = _schema(definition.schema, definitions)
    default = text_of(definition.default)
    notes = {"type": definition.schema.type, **schema.get(NOTES, {}), **({"default": default} if default else {})}
    described = {"description": definition.description} if definition.description else {}
    return {**described, **schema, NOTES: notes}


_QUANTITY = r"^\s*[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\s*[A-Za-z]+\s*$"
_BOUND = {"anyOf": [{"type": "integer"}, {"const": "UNBOUNDED"}]}
_BASES: Mapping[str, Json] = {
    "string": {"type": "string"},
    "timestamp": {"type": "string"},
    "version": {"type": "string"},
    "integer": {"type": "integer"},
    "float": {"type": "number"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "list": {"type": "array"},
    "map": {"type": "object"},
    "range": {"type": "array", "prefixItems": [_BOUND, _BOUND], "minItems": 2, "maxItems": 2},
    "scalar": {"type": "string", "pattern": _QUANTITY},
    **{f"scalar-unit.{u}": {"type": "string", "pattern": _QUANTITY} for u in ("size", "time", "frequency", "bitrate")},
}
_LENGTHS = {
    "string": ("minLength", "maxLength"),
    "list": ("minItems", "maxItems"),
    "map": ("minProperties", "maxProperties"),
}
_ORDER: Mapping[str, Callable[[Any], Json]] = {
    "greater_than": lambda v: {"exclusiveMinimum": v},
    "greater_or_equal": lambda v: {"minimum": v},
    "less_than": lambda v: {"exclusiveMaximum": v},
    "less_or_equal": lambda v: {"maximum": v},
    "in_range": lambda v: {k: b for k, b in zip(("minimum", "maximum"), v, strict=True) if b != "UNBOUNDED"},
}


def _constrain(name: str, operand: Any, base: str) -> Json | None:
    """A constraint in the words of JSON Schema; None where it has none."""
    if name == "valid_values" and isinstance(operand, list):
        return {"enum": operand}
    if name == "equal" and base in ("string", "integer", "float", "boolean"):
        return {"const": operand}
    if name == "pattern" and base == "string":
        return {"pattern": f"^(?:{operand})$"}
    if name in _ORDER and base in ("integer", "float") and _are_numbers(operand):
        return _ORDER[name](operand)
    if name in ("length", "min_length", "max_length") and base in _LENGTHS:
        least, most = _LENGTHS[base]
        return {k: operand for k in (least, most) if name in ("length", {least: "min_length", most: "max_length"}[k])}
    return None


def _are_numbers(operand: Any) -> bool:
    if isinstance(operand, list):
        return len(operand) == 2 and all(o == "UNBOUNDED" or _are_numbers(o) for o in operand)
    return isinstance(operand, int | float) and not isinstance(operand, bool)
