"""The arguments of functions of TOSCA 2.0: counted, read by the types that are known of them, and compared."""

from __future__ import annotations

from isthmus.topology import Value
from isthmus.tosca.diagnostics import Located, Problems
from isthmus.tosca.expressions.folding import Folder
from isthmus.tosca.expressions.syntax import FunctionCall, call_of
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.reading.documents import Node
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.schemas import ANY, Schema
from isthmus.tosca.typesystem.typed import NUMBERS, Typed, bare, comparable, fits, form_of, natural

NOTHING = Typed(BROKEN)
"""What comes of a call that makes no sense, which is told."""
MAX_ARGUMENTS = 1_000


class Arguments:
    """Reads arguments; ``converter`` reads literals and works out calls inside, ``folder`` makes the results."""

    def __init__(self, problems: Problems, converter: Converter, folder: Folder) -> None:
        self.problems = problems
        self.converter = converter
        self.folder = folder

    def counted(self, call: FunctionCall, least: int, most: int | None) -> bool:
        """Whether a call has as many arguments as its function takes."""
        count = len(call.args)
        self.problems.spend(count)
        if least <= count <= (MAX_ARGUMENTS if most is None else most):
            return True
        wanted = f"{least} or more" if most is None else str(least) if most == least else f"{least} to {most}"
        self.misused(f"${call.name} takes {wanted} arguments, and {count} stand here", call.at)
        return False

    # reading arguments -----------------------------------------------------------------------

    def read(self, node: Node, scope: Scope, schema: Schema | None = None) -> Typed:
        """An argument, as a value of ``schema`` where one is wanted."""
        if call_of(node) is not None:
            found = self.converter.ask(node, scope)
            if schema is not None and not fits(found.schema, schema):
                return self.mistyped(found.schema, schema.type, node)
            return found
        value = self.converter.convert(node, None if schema is None else bare(schema), scope)
        return Typed(value, schema or natural(value))

    def alike(self, nodes: list[Node], scope: Scope, *bases: str) -> list[Typed] | None:
        """Arguments that must be of one type; literals are read by the type that the others have."""
        found = {i: self.read(n, scope) for i, n in enumerate(nodes) if call_of(n) is not None}
        typed = [t.schema for t in found.values() if t.schema is not None]
        wanted = bare(typed[0]) if typed else None
        for i, node in enumerate(nodes):
            if i not in found:
                found[i] = self.literal(node, scope, wanted)
                wanted = wanted or found[i].schema
            given = found[i].schema
            if found[i].value is BROKEN:
                return None
            if bases and given is not None and given.base not in (*bases, ANY):
                self.mistyped(given, " or ".join(bases), node)
                return None
            if not comparable(given, wanted):
                self.error("value-type", f"{_a(given)} and {_a(wanted)} do not go together", node)
                return None
        return [found[i] for i in range(len(nodes))]

    def literal(self, node: Node, scope: Scope, wanted: Schema | None) -> Typed:
        if wanted is not None and wanted.base in NUMBERS:
            plain = self.read(node, scope)
            if plain.schema is not None and plain.schema.base in NUMBERS:
                return plain
        return self.read(node, scope, wanted)

    def fold(self, call: FunctionCall, args: list[Typed], schema: Schema | None) -> Typed:
        """The call on values that compare, of a known result type."""
        values = tuple(self.comparing(a, call.at) for a in args)
        return Typed(self.folder.fold(call.name, values, call.at), schema)

    def comparing(self, found: Typed, at: Located) -> Value:
        """A value in the form in which values of its type compare."""
        form = form_of(found.schema)
        return found.value if form is None else self.folder.fold("canonical", (found.value, form), at)

    # what is wrong ---------------------------------------------------------------------------

    def error(self, code: str, summary: str, at: Located) -> Typed:
        self.problems.error(code, summary, at)
        return NOTHING

    def misused(self, summary: str, at: Located) -> Typed:
        return self.error("function-arguments", summary, at)

    def mistyped(self, given: Schema | None, wanted: str, at: Located) -> Typed:
        return self.error("value-type", f"{_a(given)} stands where {wanted} is wanted", at)


def _a(schema: Schema | None) -> str:
    if schema is None:
        return "this"
    return f"{'an' if schema.type[0] in 'aeiou' else 'a'} {schema.type}"
