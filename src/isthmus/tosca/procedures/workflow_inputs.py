"""The inputs of a workflow where its activities use them: what type they have, and whether they may be missing."""

from __future__ import annotations

from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, text_of
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.schemas import ANY, Schema

_LEVELS = 16
"""How deep the types of lists and maps are compared."""


def may_be_absent(node: Node, scope: Scope) -> bool:
    """Whether a value is an input of the workflow that is optional and has no default."""
    definition, path = _asked(node, scope)
    return definition is not None and not path and not definition.required and definition.default is None


def check_fits(node: Node, wanted: Schema | None, scope: Scope, problems: Problems) -> None:
    """Report inputs of the workflow, anywhere in a value, that are of another type than is wanted there."""
    if wanted is None or scope.inputs is None:
        return
    problems.spend()
    definition, path = _asked(node, scope)
    if definition is not None:
        given = _part(definition.schema, path)
        if given is not None and not _agree(given, wanted, _LEVELS):
            summary = f"the workflow's input {definition.name!r} is {given.type}, where {wanted.type} is wanted"
            problems.error("value-type", summary, node)
    elif isinstance(node, Seq):
        for item in node.items:
            check_fits(item, wanted.entry, scope, problems)
    elif isinstance(node, Map):
        fields = wanted.fields
        for name, part in node.entries.items():
            field = fields.get(name) if fields is not None else None
            check_fits(part, field.schema if field is not None else wanted.entry, scope, problems)


def _asked(node: Node, scope: Scope) -> tuple[PropertyDef | None, list[str]]:
    """The input of the workflow that a value is, and the path into it."""
    if scope.inputs is None or not isinstance(node, Map) or len(node.entries) != 1:
        return None, []
    ((name, argument),) = node.entries.items()
    if name != ("$get_input" if node.source.version == 2 else "get_input"):
        return None, []
    items = argument.items if isinstance(argument, Seq) else [argument]
    names = [text_of(i) for i in items if isinstance(i, Scalar)]
    if not names or len(names) != len(items):
        return None, []
    return scope.inputs.get(names[0]), names[1:]


def _part(schema: Schema, path: list[str]) -> Schema | None:
    """The schema of a part of a value; None where that is not known."""
    for step in path:
        fields = schema.fields
        field = fields.get(step) if fields is not None else None
        found = field.schema if field is not None else schema.entry
        if found is None:
            return None
        schema = found
    return schema


def _agree(given: Schema, wanted: Schema, levels: int) -> bool:
    """Whether values of one type are, but for constraints, values of the other."""
    if ANY in (given.base, wanted.base) or levels == 0:
        return True
    if given.base != wanted.base:
        return (given.base, wanted.base) == ("integer", "float")
    if given.data is not None and wanted.fields is not None:
        return given.data.derives(wanted.data.name) if wanted.data is not None else True
    if given.entry is not None and wanted.entry is not None:
        return _agree(given.entry, wanted.entry, levels - 1)
    return True
