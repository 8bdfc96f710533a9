"""The inputs of a template: declared, given, checked; secret ones stand for themselves by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.topology import Secret, Value
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.grammar import entries_at
from isthmus.tosca.leniency import allows, is_generated
from isthmus.tosca.reading.documents import Map, Seq, text_of, walk
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.definitions import PropertyDef, parse_property
from isthmus.tosca.typesystem.types import Types


def parse_inputs(topology: Map | None, types: Types, document: Document) -> dict[str, PropertyDef]:
    """The declarations under `inputs`, in their order."""
    found = {}
    for name, node in entries_at(topology, "inputs", types.problems).items():
        definition = parse_property(name, node, "input", types, document)
        if definition is not None:
            found[name] = definition
    return found


def asks_for_value(definition: PropertyDef, problems: Problems) -> bool:
    """Whether the default of an input stands for a value that nobody but who deploys the template has."""
    default = definition.default
    return default is not None and is_generated(text_of(default)) and allows("generated-defaults", default, problems)


class Inputs:
    """What the inputs of one load come to."""

    def __init__(
        self,
        definitions: Mapping[str, PropertyDef],
        declared: frozenset[str],
        given: Mapping[str, Any],
        converter: Converter,
        problems: Problems,
    ) -> None:
        self.definitions = definitions
        self._declared = declared
        self._given = given
        self._converter = converter
        self._problems = problems
        self._known: dict[str, Value] = {}
        self.used: set[str] = set()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the inputs that are secrets."""
        return tuple(n for n, d in self.definitions.items() if d.schema.secret)

    def check(self) -> None:
        """Work all of them out, and report what was given without being declared."""
        for name in self._given:
            if name not in self._declared:
                self._problems.error(
                    "input-unknown",
                    f"the template has no input {name!r}",
                    suggestion=near(str(name), self._declared),
                )
        for name in self.definitions:
            self.get(name)

    def check_unused(self, topology: Map | None) -> None:
        """Warn of inputs that nothing asks for."""
        unused = self.definitions.keys() - self.used
        if not unused:
            return
        for node in walk(topology):
            name = "$get_input" if node.source.version == 2 else "get_input"
            if isinstance(node, Map) and name in node.entries:
                argument = node.entries[name]
                unused -= {text_of(argument.items[0] if isinstance(argument, Seq) and argument.items else argument)}
        for name in (n for n in self.definitions if n in unused):
            self._problems.warn("input-unused", f"nothing uses the input {name!r}", self.definitions[name].at)

    def declares(self, name: str) -> bool:
        return name in self._declared

    def names(self) -> list[str]:
        return sorted(self._declared)

    def get(self, name: str) -> Value:
        """The value of an input that is declared; None for an optional one without a value."""
        if name not in self._known:
            self._known[name] = BROKEN
            definition = self.definitions.get(name)
            if definition is not None:
                value = self._work_out(definition)
                self._known[name] = Secret(f"input:{name}") if definition.schema.secret else value
        return self._known[name]

    def _work_out(self, definition: PropertyDef) -> Value:
        given = self._given.get(definition.name)
        if given is not None:
            return self._converter.fit(given, definition.schema, definition.at, Scope())
        asks = asks_for_value(definition, self._problems)
        if definition.default is not None and not asks:
            return self._converter.convert_default(definition.default, definition.schema, Scope())
        if (definition.required or asks) and not definition.schema.secret:
            self._problems.error(
                "input-missing",
                f"the input {definition.name!r} has no value",
                definition.at,
                detail=definition.description or (f"Its default asks for one: {text_of(definition.default)}" * asks),
            )
            return BROKEN
        return None
