"""The JSON Schema (2020-12) of the JSON form of a topology, made of the same dataclasses as the form itself."""

from __future__ import annotations

import json
from typing import Any

from isthmus.topology import Topology
from isthmus.tosca.tools.interchange import MARK, VERSION
from isthmus.tosca.tools.shapes import (
    LATER,
    Anything,
    Choice,
    Fixed,
    Many,
    Member,
    OneOf,
    Optional,
    Plain,
    Record,
    Shape,
    Table,
    members,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Json = dict[str, Any]


def topology_schema() -> Json:
    """The schema of what :func:`isthmus.tosca.tools.interchange.to_json` writes."""
    definitions: dict[str, Json] = {}
    body = _record(Topology, definitions)
    definitions["Value"] = _value(definitions)
    return {
        "$schema": DIALECT,
        "$id": f"urn:{MARK}:{VERSION.replace('/', ':')}",
        "title": "A TOSCA topology, resolved",
        **body,
        "properties": {MARK: {"const": VERSION}, **body["properties"]},
        "required": [MARK, *body.get("required", [])],
        "$defs": dict(sorted(definitions.items())),
    }


def _describe(shape: Shape, definitions: dict[str, Json]) -> Json:
    match shape:
        case Record(cls):
            return _refer(cls, definitions)
        case OneOf(records):
            return {"oneOf": [_told_apart(r.cls, definitions) for r in records]}
        case Table(inner):
            return {"type": "object", "additionalProperties": _describe(inner, definitions)}
        case Many(inner):
            return {"type": "array", "items": _describe(inner, definitions)}
        case Fixed(items):
            return {"type": "array", "prefixItems": [_describe(i, definitions) for i in items], "minItems": len(items),
                    "items": False}  # fmt: skip
        case Optional(inner):
            return {"anyOf": [_describe(inner, definitions), {"type": "null"}]}
        case Choice(enum):
            return {"enum": [m.value for m in enum]}
        case Plain(types):
            return _plain(types)
        case Anything():
            return {"$ref": "#/$defs/Value"}


_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def _plain(types: tuple[type, ...]) -> Json:
    names = [_TYPES[t] for t in types]
    plain: Json = {"type": names[0] if len(names) == 1 else names}
    return {"anyOf": [plain, {"$ref": "#/$defs/Number"}]} if float in types else plain


def _refer(cls: type, definitions: dict[str, Json]) -> Json:
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}
        definitions[cls.__name__] = _record(cls, definitions)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _record(cls: type, definitions: dict[str, Json]) -> Json:
    known = members(cls)
    schema: Json = {
        "type": "object",
        "properties": {m.name: _member(m, definitions) for m in known},
        "required": [m.name for m in known if m.default is None],
        "additionalProperties": False,
    }
    return schema if schema["required"] else {k: v for k, v in schema.items() if k != "required"}


def _member(member: Member, definitions: dict[str, Json]) -> Json:
    schema = _describe(member.shape, definitions)
    default = member.default() if member.default is not None else None
    return {**schema, "default": default} if isinstance(default, str | int | float) else schema


def _told_apart(cls: type, definitions: dict[str, Json]) -> Json:
    """A record with the name of its class beside its own keys."""
    schema = _record(cls, definitions)
    properties = {"is": {"const": cls.__name__}, **schema["properties"]}
    return {**schema, "properties": properties, "required": ["is", *schema.get("required", [])]}


def _value(definitions: dict[str, Json]) -> Json:
    """Plain JSON; an object whose only key begins with `$` is one of those that are known later, or escaped."""
    definitions["Number"] = _marked("$number", {"enum": ["inf", "-inf", "nan"]})
    for key, cls in LATER.items():
        known = members(cls)
        inner = _describe(known[0].shape, definitions) if len(known) == 1 else _record(cls, definitions)
        definitions[cls.__name__] = _marked(key, inner)
    later = [{"$ref": f"#/$defs/{cls.__name__}"} for cls in LATER.values()]
    escaped = {"patternProperties": {r"^\$\$": {"$ref": "#/$defs/Value"}}, "additionalProperties": False}
    return {
        "type": ["null", "boolean", "number", "string", "array", "object"],
        "items": {"$ref": "#/$defs/Value"},
        "if": {"type": "object", "maxProperties": 1, "minProperties": 1, "propertyNames": {"pattern": r"^\$"}},
        "then": {"anyOf": [*later, {"$ref": "#/$defs/Number"}, escaped]},
        "else": {"additionalProperties": {"$ref": "#/$defs/Value"}},
    }


def _marked(key: str, inner: Json) -> Json:
    return {"type": "object", "properties": {key: inner}, "required": [key], "additionalProperties": False}


if __name__ == "__main__":
    print(json.dumps(topology_schema(), indent=2))
