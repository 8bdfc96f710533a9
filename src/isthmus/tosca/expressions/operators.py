"""The built-in functions of TOSCA 2.0 that ask nothing of the graph (§10.2.2 to §10.2.5): checked and worked out.

Counts and types of arguments are told as far as they are known, values or not. A literal beside an argument of a
known type is read by that type: `15 cm` beside a length, `2001-12-14` beside a timestamp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from isthmus.topology.patterns import Pattern, PatternError
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.expressions.arguments import NOTHING, Arguments
from isthmus.tosca.expressions.folding import Folder
from isthmus.tosca.expressions.syntax import FunctionCall, call_of
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.reading.documents import Node, Scalar, Seq
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.schemas import ANY, Schema
from isthmus.tosca.typesystem.typed import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    NUMBERS,
    STRING,
    Typed,
    bare,
    fits,
    primitive,
)

_ORDERED = ("integer", "float", "string", "timestamp", "version", "scalar", "bytes")
_TEXTS = ("string", "list")
_COUNTED = ("string", "list", "map", "bytes")
_SUMMED = (*NUMBERS, "scalar")
_WRITTEN = (*NUMBERS, "boolean", "scalar", "version", "timestamp")


@dataclass(frozen=True, slots=True)
class _Rule:
    """How many arguments a function takes (None for any number), and who works it out."""

    least: int
    most: int | None
    work: Callable[[FunctionCall, Scope], Typed]


class Expressions(Arguments):
    """Works out calls of the built-in functions."""

    def __init__(self, problems: Problems, converter: Converter, folder: Folder) -> None:
        super().__init__(problems, converter, folder)
        logic, order, parts = self._logic, self._order, self._parts
        entry, entries, sets, one = self._entry, self._entries, self._sets, self._rounded
        self._rules: Mapping[str, _Rule] = {
            "and": _Rule(2, None, logic),
            "or": _Rule(2, None, logic),
            "not": _Rule(1, 1, logic),
            "xor": _Rule(2, 2, logic),
            "equal": _Rule(2, 2, self._equal),
            "greater_than": _Rule(2, 2, order),
            "greater_or_equal": _Rule(2, 2, order),
            "less_than": _Rule(2, 2, order),
            "less_or_equal": _Rule(2, 2, order),
            "valid_values": _Rule(2, 2, self._valid_values),
            "matches": _Rule(2, 2, self._matches),
            "has_suffix": _Rule(2, 2, parts),
            "has_prefix": _Rule(2, 2, parts),
            "contains": _Rule(2, 2, parts),
            "has_entry": _Rule(2, 2, entry),
            "has_key": _Rule(2, 2, entry),
            "has_all_entries": _Rule(2, 2, entries),
            "has_all_keys": _Rule(2, 2, entries),
            "has_any_entry": _Rule(2, 2, entries),
            "has_any_key": _Rule(2, 2, entries),
            "length": _Rule(1, 1, self._length),
            "concat": _Rule(1, None, self._concat),
            "join": _Rule(1, 2, self._join),
            "token": _Rule(3, 3, self._token),
            "union": _Rule(1, None, sets),
            "intersection": _Rule(1, None, sets),
            "sum": _Rule(1, None, self._sum),
            "difference": _Rule(2, 2, self._sum),
            "product": _Rule(1, None, self._product),
            "quotient": _Rule(2, 2, self._quotient),
            "remainder": _Rule(2, 2, self._quotient),
            "round": _Rule(1, 1, one),
            "floor": _Rule(1, 1, one),
            "ceil": _Rule(1, 1, one),
        }

    @property
    def names(self) -> list[str]:
        """The functions, without their `$`."""
        return list(self._rules)

    def knows(self, name: str) -> bool:
        return name in self._rules

    def work_out(self, call: FunctionCall, scope: Scope) -> Typed:
        """Value and type of a call of one of these functions; what is wrong with it is reported."""
        if call.argument is not None and not isinstance(call.argument, Seq):
            return self.misused(f"the arguments of ${call.name} are a list", call.argument)
        rule = self._rules[call.name]
        if not self.counted(call, rule.least, rule.most):
            return NOTHING
        return rule.work(call, scope)

    # boolean functions -----------------------------------------------------------------------

    def _logic(self, call: FunctionCall, scope: Scope) -> Typed:
        args = [self.read(n, scope, BOOLEAN) for n in call.args]
        values = [a.value for a in args]
        if any(v is BROKEN for v in values):
            return NOTHING
        decisive = {"and": False, "or": True}.get(call.name)
        if decisive is not None and any(v is decisive for v in values):
            return Typed(decisive, BOOLEAN)
        return self.fold(call, args, BOOLEAN)

    def _equal(self, call: FunctionCall, scope: Scope) -> Typed:
        args = self.alike(call.args, scope)
        return NOTHING if args is None else self.fold(call, args, BOOLEAN)

    def _order(self, call: FunctionCall, scope: Scope) -> Typed:
        args = self.alike(call.args, scope, *_ORDERED)
        return NOTHING if args is None else self.fold(call, args, BOOLEAN)

    def _valid_values(self, call: FunctionCall, scope: Scope) -> Typed:
        value, listed = call.args
        if isinstance(listed, Seq) and call_of(listed) is None:
            args = self.alike([value, *listed.items], scope)
            if args is None:
                return NOTHING
            first, *rest = (self.comparing(a, call.at) for a in args)
            return Typed(self.folder.fold(call.name, (first, rest), call.at), BOOLEAN)
        values = self.read(listed, scope, primitive("list"))
        entry = values.schema.entry if values.schema is not None else None
        return self._with_list(call, [self.read(value, scope, entry), values])

    def _with_list(self, call: FunctionCall, args: list[Typed]) -> Typed:
        return NOTHING if any(a.value is BROKEN for a in args) else self.fold(call, args, BOOLEAN)

    def _matches(self, call: FunctionCall, scope: Scope) -> Typed:
        args = [self.read(n, scope, STRING) for n in call.args]
        pattern = args[1].value
        if any(a.value is BROKEN for a in args):
            return NOTHING
        if isinstance(pattern, str):
            try:
                states = Pattern(pattern).states
            except PatternError as e:
                return self.error("pattern", str(e), call.args[1])
            self.problems.spend(states + len(str(args[0].value)) * states // 10)
        return self.fold(call, args, BOOLEAN)

    def _parts(self, call: FunctionCall, scope: Scope) -> Typed:
        args = self.alike(call.args, scope, *_TEXTS)
        return NOTHING if args is None else self.fold(call, args, BOOLEAN)

    def _whole(self, call: FunctionCall, scope: Scope) -> tuple[Typed, Schema | None]:
        """The first argument, in whose entries or keys another is looked for, and the type of these."""
        keys = call.name.endswith(("key", "keys"))
        found = self.read(call.args[0], scope)
        wanted = ("map",) if keys else ("list", "map")
        if found.schema is not None and found.schema.base not in (*wanted, ANY):
            found = self.mistyped(found.schema, " or ".join(wanted), call.args[0])
        if found.schema is None:
            return found, None
        return found, (found.schema.key or STRING) if keys else found.schema.entry

    def _entry(self, call: FunctionCall, scope: Scope) -> Typed:
        whole, entry = self._whole(call, scope)
        return self._with_list(call, [whole, self.read(call.args[1], scope, entry)])

    def _entries(self, call: FunctionCall, scope: Scope) -> Typed:
        whole, entry = self._whole(call, scope)
        return self._with_list(call, [whole, self.read(call.args[1], scope, primitive("list", entry))])

    # texts and lists -------------------------------------------------------------------------

    def _length(self, call: FunctionCall, scope: Scope) -> Typed:
        args = self.alike(call.args, scope, *_COUNTED)
        if args is None:
            return NOTHING
        return Typed(self.folder.fold("length", (args[0].value,), call.at), INTEGER)

    def _text(self, node: Node, scope: Scope) -> Typed:
        """An argument of which a text is made; a number that is written becomes none by itself (§9.1.1.1).

        One that a function answers does, with a warning: TOSCA has no other way to put an index into a name.
        """
        if isinstance(node, Scalar) and call_of(node) is None:
            return self.read(node, scope, STRING)
        found = self.read(node, scope)
        if found.schema is None or found.schema.base not in _WRITTEN:
            return found
        summary = f"a {found.schema.type} stands where a string is wanted, and is taken as it is written"
        self.problems.warn("value-type", summary, node)
        return replace(found, schema=STRING)

    def _concat(self, call: FunctionCall, scope: Scope) -> Typed:
        args = [self._text(n, scope) for n in call.args]
        schemas = [a.schema for a in args if a.schema is not None]
        lists = [s for s in schemas if s.base == "list"]
        if any(a.value is BROKEN for a in args):
            return NOTHING
        for schema, node in ((a.schema, n) for a, n in zip(args, call.args, strict=True)):
            if schema is not None and not fits(schema, lists[0] if lists else STRING):
                return self.mistyped(schema, "list" if lists else "string", node)
        schema = lists[0] if lists else STRING if len(schemas) == len(args) else None
        if schema is not None:
            schema = primitive(schema.base, schema.entry)
        return Typed(self.folder.fold("concat", tuple(a.value for a in args), call.at), schema)

    def _join(self, call: FunctionCall, scope: Scope) -> Typed:
        first, *rest = call.args
        delimiter = self._text(rest[0], scope) if rest else Typed("", STRING)
        if isinstance(first, Seq):
            items = [self._text(n, scope) for n in first.items]
            for item, node in zip(items, first.items, strict=True):
                if not fits(item.schema, STRING):
                    return self.mistyped(item.schema, "string", node)
            values = [i.value for i in items]
            texts = Typed(BROKEN if any(v is BROKEN for v in values) else values)
        else:
            texts = self.read(first, scope, primitive("list", STRING))
        if not fits(delimiter.schema, STRING):
            return self.mistyped(delimiter.schema, "string", rest[0])
        between = len(delimiter.value) if isinstance(delimiter.value, str) else 0
        extra = between * len(texts.value) if isinstance(texts.value, list) else 0
        return Typed(self.folder.fold("join", (texts.value, delimiter.value), call.at, extra), STRING)

    def _token(self, call: FunctionCall, scope: Scope) -> Typed:
        text, characters = (self._text(n, scope) for n in call.args[:2])
        index = self.read(call.args[2], scope, INTEGER)
        for found, node in ((text, call.args[0]), (characters, call.args[1])):
            if not fits(found.schema, STRING):
                return self.mistyped(found.schema, "string", node)
        if isinstance(index.value, int) and not 0 <= index.value < 10**6:
            return self.misused("$token wants an index from 0", call.args[2])
        if isinstance(characters.value, str) and not 0 < len(characters.value) <= 16:
            return self.misused("$token wants one to 16 characters that separate", call.args[1])
        args = (text.value, characters.value, index.value)
        found = self.folder.fold("token", args, call.at)
        if found is None:
            return self.misused(f"$token finds no substring {index.value} in {text.value!r}", call.args[2])
        return Typed(found, STRING)

    def _sets(self, call: FunctionCall, scope: Scope) -> Typed:
        args = self.alike(call.args, scope, "list")
        if args is None:
            return NOTHING
        schema = next((a.schema for a in args if a.schema is not None), None)
        return Typed(
            self.folder.fold(call.name, tuple(a.value for a in args), call.at), bare(schema) if schema else None
        )

    # arithmetic ------------------------------------------------------------------------------

    def _sum(self, call: FunctionCall, scope: Scope) -> Typed:
        args = self.alike(call.args, scope, *_SUMMED)
        return NOTHING if args is None else self._number(call, args)

    def _product(self, call: FunctionCall, scope: Scope) -> Typed:
        first = self.read(call.args[0], scope)
        if first.schema is not None and first.schema.base == "scalar" and not self.counted(call, 2, 2):
            return NOTHING
        return self._scaled(call, first, scope, FLOAT)

    def _quotient(self, call: FunctionCall, scope: Scope) -> Typed:
        first = self.read(call.args[0], scope)
        second = INTEGER if call.name == "remainder" else FLOAT
        if call.name == "remainder" and first.schema is not None and first.schema.base == "float":
            return self.mistyped(first.schema, "integer or scalar", call.args[0])
        found = self._scaled(call, first, scope, second)
        if call.name == "quotient" and found.schema is not None and found.schema.base in NUMBERS:
            return replace(found, schema=FLOAT)
        return found

    def _scaled(self, call: FunctionCall, first: Typed, scope: Scope, wanted: Schema) -> Typed:
        """A number or a scalar that numbers multiply or divide."""
        if first.schema is not None and first.schema.base not in (*_SUMMED, ANY):
            return self.mistyped(first.schema, "integer, float or scalar", call.args[0])
        args = [first]
        for node in call.args[1:]:
            found = self.literal(node, scope, wanted)
            if found.schema is not None and found.schema.base not in (*NUMBERS, ANY):
                return self.mistyped(found.schema, wanted.type, node)
            args.append(found)
        return NOTHING if any(a.value is BROKEN for a in args) else self._number(call, args)

    def _number(self, call: FunctionCall, args: list[Typed]) -> Typed:
        """The result of arithmetic: of the scalar type of its arguments, a float, or an integer."""
        schemas = [a.schema for a in args if a.schema is not None]
        scalar = next((s for s in schemas if s.scalar is not None), None)
        if scalar is not None and scalar.scalar is not None:
            number = self.fold(call, args, None).value
            return Typed(self.folder.fold("with_unit", (number, scalar.scalar.canonical), call.at), bare(scalar))
        if len(schemas) < len(args):
            return self.fold(call, args, None)
        whole = all(s.base == "integer" for s in schemas)
        return self.fold(call, args, INTEGER if whole else FLOAT)

    def _rounded(self, call: FunctionCall, scope: Scope) -> Typed:
        args = self.alike(call.args, scope, *NUMBERS)
        return NOTHING if args is None else self.fold(call, args, INTEGER)
