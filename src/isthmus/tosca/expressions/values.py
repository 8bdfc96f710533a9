"""From what stands in a document to plain values of the declared type, functions called on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from isthmus.topology import Secret, Value
from isthmus.tosca.diagnostics import Problems, near, nearest
from isthmus.tosca.expressions.syntax import FunctionCall, call_of, check_keys_of_data, key_call, unescape
from isthmus.tosca.leniency import allows, complain
from isthmus.tosca.reading.documents import FLOAT, Map, Node, Scalar, Seq, is_text, scalar_value, text_of
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.scalars import UNITS, adopt, parse, read
from isthmus.tosca.typesystem.schemas import ANY, Schema
from isthmus.tosca.typesystem.typed import Typed, fits
from isthmus.tosca.typesystem.typed import is_later as is_later

if TYPE_CHECKING:
    from isthmus.tosca.resolving.templates import Scope
    from isthmus.tosca.typesystem.units import ScalarType

BROKEN = Secret("\0broken")
"""Stands for a value that has been reported as wrong. It passes through everything like any value that
is known later, so that one mistake is told once; no topology is made where one was met."""

MAX_LEVELS = 100
"""How deep a value may nest, and properties ask one another, taken together."""
_FIT = 8
"""Steps of work that fitting one value means."""
_LARGEST = 10**40
"""Whole numbers are smaller: a document cannot say more digits either."""

_CALL_LEVELS = 2
"""Levels that a call of TOSCA 2.0 counts for: it takes more of the interpreter's stack than a value does."""

CALLS = ("concat", "join", "token")
GETTERS = (
    "get_input", "get_property", "get_attribute", "get_operation_output", "get_artifact", "get_secret",
    "get_nodes_of_type",
)  # fmt: skip

_BASIC = {"scalar-unit.size": "bytes", "scalar-unit.time": "seconds", "scalar-unit.frequency": "hertz",
          "scalar-unit.bitrate": "bits per second"}  # fmt: skip


def function_of(node: Map, schema: Schema | None) -> str | None:
    """The function that a map calls, if it does: a map with one key that is a function's name.

    `token`, `join` and `concat` are names of data too (a Credential has a token), so they call only
    with a list, and not where the data type declares a list of that name.
    """
    if len(node.entries) != 1 or node.source.version == 2:
        return None
    ((name, argument),) = node.entries.items()
    if name in GETTERS:
        return name
    if name in CALLS and isinstance(argument, Seq):
        fields = schema.fields if schema is not None else None
        declared = fields.get(name) if fields else None
        return None if declared is not None and declared.schema.base == "list" else name
    return None


class Converter:
    """Fits values to schemas. Where a function stands, ``call`` (TOSCA 1.x) or ``answer`` (2.0) works it out."""

    def __init__(
        self,
        problems: Problems,
        call: Callable[[str, Map, Scope], Value],
        answer: Callable[[FunctionCall, Scope], Typed] | None = None,
    ) -> None:
        self.problems = problems
        self.call = call
        self.answer = answer
        self._level = 0
        self._in_default = False

    def convert(self, node: Node, schema: Schema | None, scope: Scope) -> Value:
        """The value that a node of a document has under a schema; without one, as YAML has it."""
        if call_of(node) is not None:
            return self._settle(self.ask(node, scope), schema, node, scope)
        if isinstance(node, Map) and (name := function_of(node, schema)) is not None:
            self._level += 1
            value = self.call(name, node, scope) if self._shallow(node) else BROKEN
            self._level -= 1
            return self.fit(value, schema, node, scope)
        return self.fit(node, schema, node, scope)

    def ask(self, node: Node, scope: Scope) -> Typed:
        """Value and type of the call that a node of a 2.0 document is; BROKEN where it is wrong, which is told."""
        call = call_of(node)
        if call is None or self.answer is None or not self._shallow(node):
            return Typed(BROKEN)
        self.problems.spend()
        self._level += _CALL_LEVELS
        found = self.answer(call, scope)
        self._level -= _CALL_LEVELS
        return found

    def _settle(self, found: Typed, schema: Schema | None, at: Node, scope: Scope) -> Value:
        """The value of a call where a schema is declared, whose type must fit as far as it is known."""
        if found.value is BROKEN or fits(found.schema, schema):
            return self.fit(found.value, schema, at, scope)
        assert found.schema is not None
        assert schema is not None
        self.problems.error("value-type", f"a {found.schema.type} stands where a {schema.type} is wanted", at)
        return BROKEN

    def convert_default(self, node: Node, schema: Schema, scope: Scope) -> Value:
        """The value of a default, for which a leniency of the field counts."""
        outer, self._in_default = self._in_default, True
        value = self.convert(node, schema, scope)
        self._in_default = outer
        return value

    def fit(self, raw: Node | Value, schema: Schema | None, at: Node, scope: Scope) -> Value:
        """A node or a plain value under a schema, constraints checked; reports at ``at``."""
        if is_later(raw) or raw is None:
            return raw
        if not self._shallow(at):
            return BROKEN
        self.problems.spend(_FIT)
        if type(raw) is int and not -_LARGEST < raw < _LARGEST:
            self.problems.error("value-type", "the number is too large", at)
            return BROKEN
        self._level += 1
        value = self._shaped(raw, schema, at, scope) if schema is not None else self._untyped(raw, at, scope)
        self._level -= 1
        if schema is not None and value is not None and not is_later(value):
            self._check(value, schema, at, scope)
        return value

    def _shallow(self, at: Node) -> bool:
        if self._level < MAX_LEVELS:
            return True
        self.problems.error("value-depth", "values are nested, or ask one another, too deeply", at)
        return False

    def _untyped(self, raw: Node | Value, at: Node, scope: Scope) -> Value:
        if isinstance(raw, Scalar):
            return unescape(scalar_value(raw)) if raw.source.version == 2 and _is_text(raw) else scalar_value(raw)
        if (items := _items(raw)) is not None:
            return [self._inner(i, None, at, scope) for i in items]
        if _entries(raw) is not None:
            return self._mapped(raw, None, None, at, scope)
        return raw

    def _mapped(
        self, raw: Node | Value, key: Schema | None, entry: Schema | None, at: Node, scope: Scope
    ) -> dict[str, Value] | Secret:
        """The entries of a map, whose keys may be calls in TOSCA 2.0."""
        made: dict[str, Value] = {}
        if isinstance(raw, Map) and raw.source.version == 2 and not check_keys_of_data(raw, self.problems):
            return BROKEN
        for name, part in (_entries(raw) or {}).items():
            place = raw.keys[name] if isinstance(raw, Map) else at
            named = self._key(name, place, scope) if place.source.version == 2 and isinstance(raw, Map) else name
            if not isinstance(named, str):
                return BROKEN
            if key is not None:
                self.fit(named, key, place, scope)
            made[named] = self._inner(part, entry, at, scope)
        return made

    def _key(self, text: str, at: Node, scope: Scope) -> Value:
        """The key that a text of a 2.0 document stands for; as it is where only the deployment can tell."""
        called = key_call(text, at)
        if called is None:
            return unescape(text)
        if self.answer is None or not self._shallow(at):
            return BROKEN
        found = self.answer(called, scope).value
        if found is BROKEN or isinstance(found, str):
            return found
        if is_later(found):
            self.problems.refuse("unsupported", f"the key {text!r} is known only when the deployment runs", at)
            return text
        self.problems.error("value-type", f"the key {text!r} comes to something else than a text", at)
        return BROKEN

    def _shaped(self, raw: Node | Value, schema: Schema, at: Node, scope: Scope) -> Value:
        if schema.base == ANY:
            return self._untyped(raw, at, scope)
        fields = schema.fields
        if fields is not None:
            return self._record(raw, schema, fields, at, scope)
        if schema.base == "map":
            return self._mapping(raw, schema, at, scope)
        if schema.base == "list":
            items = _items(raw)
            if items is None:
                return self._mistyped(raw, schema, at)
            return [self._inner(i, schema.entry, at, scope) for i in items]
        if schema.base == "range":
            return self._range(raw, schema, at)
        return self._scalar(raw, schema, at, scope)

    def _inner(self, raw: Node | Value, schema: Schema | None, at: Node, scope: Scope) -> Value:
        if isinstance(raw, Node):
            return self.convert(raw, schema, scope)
        return self.fit(raw, schema, at, scope)

    # shapes ----------------------------------------------------------------------------------

    def _mapping(self, raw: Node | Value, schema: Schema, at: Node, scope: Scope) -> Value:
        if _entries(raw) is None:
            return self._mistyped(raw, schema, at)
        if isinstance(raw, Map) and not self._check_names(raw):
            return BROKEN
        return self._mapped(raw, schema.key, schema.entry, at, scope)

    def _check_names(self, raw: Map) -> bool:
        """The keys of a map are strings, which in TOSCA 2.0 an unquoted number or boolean is not (§9.1.3.2)."""
        wrong = [k for k in raw.keys.values() if not is_text(k)] if raw.source.version == 2 else []
        for key in wrong:
            self.problems.error("value-type", f"the keys of a map are strings, which {key.text!r} is not", key)
        return not wrong

    def _record(
        self, raw: Node | Value, schema: Schema, fields: Mapping[str, PropertyDef], at: Node, scope: Scope
    ) -> Value:
        """A complex data type (TOSCA 1.3 §3.7.6): every key declared, defaults filled in."""
        entries = _entries(raw)
        if entries is None:
            return self._mistyped(raw, schema, at)
        if isinstance(raw, Map) and raw.source.version == 2 and not check_keys_of_data(raw, self.problems):
            return BROKEN
        record: dict[str, Value] = {}
        for name, part in entries.items():
            field = fields.get(name)
            if field is None and fields:
                self._undeclared(name, schema, raw, at, fields)
            record[name] = self._inner(part, field.schema if field else None, at, scope)
        for name, field in fields.items():
            if record.get(name) is None and not (name in record and field.schema.base == "nil"):
                record.pop(name, None)
                if field.default is not None:
                    record[name] = self.convert_default(field.default, field.schema, scope)
                elif field.required:
                    self.problems.error("property-missing", f"{schema.type} requires {name!r}", at)
        return record

    def _undeclared(
        self, name: str, schema: Schema, raw: Node | Value, at: Node, fields: Mapping[str, PropertyDef]
    ) -> None:
        place = raw.keys[name] if isinstance(raw, Map) else at
        summary = f"{schema.type} has no {name!r}"
        complain("undeclared-names", "property-unknown", summary, place, self.problems, near(name, fields))

    def _range(self, raw: Node | Value, schema: Schema, at: Node) -> Value:
        items = _items(raw)
        bounds = [_bound(i) for i in items] if items is not None and len(items) == 2 else []
        low, high = bounds if len(bounds) == 2 else (None, None)
        if not isinstance(low, int) or high is None:
            return self._mistyped(raw, schema, at)
        if isinstance(high, int) and low > high:
            self.problems.error("value-type", f"the range {low} to {high} goes downwards", at)
            return BROKEN
        return bounds

    def _scalar(self, raw: Node | Value, schema: Schema, at: Node, scope: Scope) -> Value:
        try:
            if schema.scalar is not None and isinstance(raw, Scalar | str | int | float):
                return self._quantity(raw, schema, schema.scalar, at, scope)
            if isinstance(raw, Scalar):
                return None if _is_left_out(raw) else self._read(raw, schema, at)
            if isinstance(raw, str | int | float):
                return _finite(adopt(schema.base, _finite(raw)))
        except ValueError as e:
            lenient = self._stretched(raw, schema.base, at)
            if lenient is not None:
                return lenient
            self.problems.error("value-type", "a secret has the wrong type" if schema.secret else str(e), at)
            return BROKEN
        return self._mistyped(raw, schema, at)

    def _read(self, raw: Scalar, schema: Schema, at: Node) -> Value:
        value = read(schema.base, _unescaped(raw))
        if isinstance(value, float) and not math.isfinite(value) and not any(c.isdigit() for c in raw.text):
            self.problems.refuse("unsupported", f"{raw.text!r} is no number that is finite, and is not supported", at)
            return BROKEN
        return _finite(value)

    def _quantity(
        self, raw: Scalar | str | int | float, schema: Schema, scalar: ScalarType, at: Node, scope: Scope
    ) -> Value:
        """A number with a unit (TOSCA 2.0 §9.1.2.2), as text; the number meets what its `data_type` asks."""
        if isinstance(raw, Scalar) and raw.null:
            if _is_left_out(raw):
                return None
            raise ValueError(f"null is not a {schema.type}, and no type but nil has it")
        text = scalar_value(raw) if isinstance(raw, Scalar) else raw
        number = scalar.number(text if isinstance(text, str) else str(text))
        if (counted := _number_type(schema)) is not None:
            self.fit(number, counted, at, scope)
        return text

    def _stretched(self, raw: Node | Value, base: str, at: Node) -> Value:
        """What the field's leniencies make of a scalar that does not fit; None when they do not apply."""
        text = raw.text if isinstance(raw, Scalar) else str(raw)
        if base in UNITS and FLOAT.fullmatch(text) and allows("bare-quantities", at, self.problems):
            self.problems.warn("value-type", f"{text} has no unit, and is taken for {_BASIC[base]}", at)
            return float(text)
        if isinstance(raw, Scalar) and base in ("integer", "float", "boolean"):
            with suppress(ValueError):
                value = parse(base, raw.text)
                return value if allows("quoted-values", at, self.problems) else None
        return None

    def _mistyped(self, raw: Node | Value, schema: Schema, at: Node) -> Value:
        if isinstance(raw, Scalar) and _is_left_out(raw):
            return None
        if isinstance(raw, Map) and raw.source.version == 2:
            if not check_keys_of_data(raw, self.problems):
                return BROKEN
        elif isinstance(raw, Map) and len(raw.entries) == 1 and schema.base != "map":
            (name,) = raw.entries
            known = (*GETTERS, *CALLS)
            if name.startswith("get_") or nearest(name, known):
                self.problems.error(
                    "function-unknown",
                    f"there is no function {name!r}",
                    raw.keys[name],
                    suggestion=near(name, known),
                )
                return BROKEN
        shape = {"map": "a map", "list": "a list", "range": "two bounds such as [ 1, 4 ]"}
        wanted = shape.get(schema.base, schema.base)
        self.problems.error("value-type", f"{_kind(raw)} stands where {wanted} is wanted ({schema.type})", at)
        return BROKEN

    # constraints -----------------------------------------------------------------------------

    def _check(self, value: Value, schema: Schema, at: Node, scope: Scope) -> None:
        for validation in schema.validations:
            broken = validation.check(value, scope, self)
            if broken:
                self.problems.error("constraint", f"{_shown(value, schema)} {broken}", at)
        for constraint in schema.constraints:
            self.problems.spend(constraint.cost(value))
            broken = constraint.broken_by(value)
            if broken and not (self._in_default and allows("loose-defaults", at, self.problems)):
                self.problems.error("constraint", f"{_shown(value, schema)} {broken}", at)


def _shown(value: Value, schema: Schema) -> str:
    """A value in a message, unless it is long or secret."""
    text = "" if schema.secret else repr(value)
    return text if 0 < len(text) < 60 else "the value"


def _entries(raw: Node | Value) -> Mapping[str, Any] | None:
    if isinstance(raw, Map):
        return raw.entries
    return {str(k): v for k, v in raw.items()} if isinstance(raw, Mapping) else None


def _number_type(schema: Schema) -> Schema | None:
    """The type of the numbers of a scalar type, where it is one of the document's own."""
    types = schema.data.ancestors if schema.data is not None else ()
    for found in types:
        name = text_of(found.node.get("data_type"))
        data = found.types.find("data", name, found.document) if name else None
        if data is not None:
            return Schema(data.name, data.primitive, data, validations=data.validations)
    return None


def _is_left_out(node: Scalar) -> bool:
    """Whether null stands for no value at all: in TOSCA 2.0 it is a value, which only nil has (§9.1.1.6)."""
    return node.null and node.source.version != 2


def _is_text(node: Scalar) -> bool:
    return isinstance(scalar_value(node), str)


def _unescaped(node: Scalar) -> Scalar:
    """A scalar as it is meant: in TOSCA 2.0 `$$` at the beginning stands for `$`."""
    if node.source.version != 2 or not node.text.startswith("$$"):
        return node
    return Scalar(node.source, node.mark, unescape(node.text), node.plain)


def _items(raw: Node | Value) -> list[Any] | None:
    if isinstance(raw, Seq):
        return raw.items
    return list(raw) if isinstance(raw, list | tuple) else None


def _bound(raw: Node | Value) -> int | str | None:
    value = scalar_value(raw) if isinstance(raw, Scalar) else raw
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return "UNBOUNDED" if value == "UNBOUNDED" else None


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("the number is too large")
    return value


def _kind(raw: Node | Value) -> str:
    if isinstance(raw, Map | Mapping):
        return "a map"
    if isinstance(raw, Scalar) and raw.null:
        return "null"
    return "a list" if isinstance(raw, Seq | list | tuple) else "a scalar"
