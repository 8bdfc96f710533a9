"""What all functions of TOSCA 2.0 that ask the graph share: their arguments, the way along a path, parts of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from isthmus.topology import Call, Reference, Value
from isthmus.tosca.diagnostics import Located, Near
from isthmus.tosca.expressions.arguments import NOTHING
from isthmus.tosca.expressions.syntax import FunctionCall
from isthmus.tosca.expressions.tosca_path import Paths, Walk
from isthmus.tosca.expressions.values import BROKEN
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.typed import Typed, dig, primitive

if TYPE_CHECKING:
    from isthmus.tosca.expressions.functions import Functions

MAX_STEPS = 64
"""Arguments of one getter."""


class Asking:
    """Reads what a getter asks; ``functions`` holds the nodes, relationships and inputs."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.problems = functions.problems
        self.paths = Paths(functions.problems, functions.nodes, functions.relations, functions.broken)

    def steps(self, call: FunctionCall, scope: Scope, least: int) -> list[Value] | None:
        """The arguments of a getter: names, indices, or calls that give these, now or later."""
        count = len(call.args)
        if not least <= count <= MAX_STEPS:
            wanted = f"from {least} to {MAX_STEPS}"
            self.wrong("function-arguments", f"${call.name} takes {wanted} arguments, and {count} stand here", call.at)
            return None
        steps: list[Value] = []
        for node in call.args:
            value = self.functions.evaluation.expressions.read(node, scope).value
            if value is BROKEN:
                return None
            if isinstance(value, bool) or not isinstance(value, str | int | Reference | Call):
                self.wrong("function-arguments", "an argument must be a name or an index", node)
                return None
            steps.append(value)
        return steps

    def walk(self, call: FunctionCall, scope: Scope, what: str) -> tuple[Walk, list[Value]] | None:
        """Where the path in the arguments leads, and the names and indices after it."""
        steps = self.steps(call, scope, 2)
        if steps is None:
            return None
        known = next((i for i, s in enumerate(steps) if not isinstance(s, str | int)), len(steps))
        walk = self.paths.walk(steps[:known], call.args, scope)
        if walk is None:
            return None
        rest = [*walk.rest, *steps[known:]]
        if not rest:
            self.wrong("function-arguments", f"the path ends where the name of {what} is wanted", call.args[-1])
            return None
        if not isinstance(rest[0], str):
            if isinstance(rest[0], int):
                self.wrong("function-arguments", f"{rest[0]!r} stands where the name of {what} is wanted", call.at)
            else:
                self.problems.refuse("unsupported", "a path by an index that is known later is not followed", call.at)
            return None
        return walk, rest

    def many(self, walk: Walk, found: Sequence[Typed]) -> Typed:
        """What several places answer: a list if the path said ALL, else what the only one says."""
        if any(f.value is BROKEN for f in found):
            return NOTHING
        if walk.many:
            entry = found[0].schema if found else None
            return Typed([f.value for f in found], primitive("list", entry))
        return found[0] if found else Typed(None)

    def wrong(self, code: str, summary: str, at: Located, suggestion: str | Near = "") -> Typed:
        self.problems.error(code, summary, at, suggestion=suggestion)
        return NOTHING

    def part(self, found: Typed, path: Sequence[Value], at: Located) -> Typed:
        """The part of a value under a path whose steps may be known later."""
        if not path or found.value is BROKEN:
            return found
        try:
            schema = dig(found.schema, [s if isinstance(s, str | int) else 0 for s in path])
        except ValueError as e:
            return self.wrong("property-unknown", str(e), at)
        if found.value is None:
            return Typed(None, schema)
        if isinstance(found.value, Reference) and all(isinstance(s, str | int) for s in path):
            return Typed(replace(found.value, path=(*found.value.path, *path)), schema)
        return Typed(self.functions.folder.fold("part", (found.value, *path), at), schema)
