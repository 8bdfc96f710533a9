"""TOSCA types as a person reads them: their hierarchy, and one of them whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from isthmus.cli.output import say
from isthmus.tosca.tools.typedoc import FieldDoc, InterfaceDoc, RequirementDoc, TypeDoc, TypeLine


def show_hierarchy(lines: Sequence[TypeLine]) -> None:
    """Types under those that they derive from, kind by kind."""
    for kind in dict.fromkeys(line.kind for line in lines):
        say(f"{kind} types")
        for line, depth in _walk([line for line in lines if line.kind == kind]):
            say("  " * (depth + 1) + line.name + _brief(line.description))


def _walk(lines: Sequence[TypeLine]) -> Iterator[tuple[TypeLine, int]]:
    names = {line.name for line in lines}
    below: dict[str, list[TypeLine]] = defaultdict(list)
    for line in lines:
        below[line.parent if line.parent in names and line.parent != line.name else ""].append(line)
    stack = [(line, 0) for line in reversed(below[""])]
    while stack:
        line, depth = stack.pop()
        yield line, depth
        stack.extend((inner, depth + 1) for inner in reversed(below.pop(line.name, [])))


def _brief(description: str) -> str:
    text = " ".join(description.split())
    return f"  ({text if len(text) <= 80 else text[:79] + '…'})" if text else ""


def show_type(doc: TypeDoc) -> None:
    """One type: what it is, where it comes from, what it declares and inherits."""
    say(f"{doc.name} ({doc.kind} type, {doc.file})")
    if doc.description:
        say(f"  {doc.description}")
    if doc.ancestry:
        say(f"  derives from {' < '.join(doc.ancestry)}")
    if doc.derived:
        say(f"  parent of {', '.join(doc.derived)}")
    _show_fields("properties", doc.properties, doc.name)
    _show_fields("attributes", doc.attributes, doc.name)
    _show_capabilities(doc)
    _show_section("requirements", (_requirement(r, doc.name) for r in doc.requirements))
    _show_section("interfaces", (line for i in doc.interfaces for line in _interface(i, doc.name)))
    _show_section("operations", doc.operations)


def _show_section(title: str, lines: Iterable[str]) -> None:
    for number, line in enumerate(lines):
        if not number:
            say(f"  {title}")
        say(f"    {line}")


def _show_fields(title: str, fields: Sequence[FieldDoc], owner: str) -> None:
    _show_section(title, (_field(f, owner) for f in fields))


def _show_capabilities(doc: TypeDoc) -> None:
    lines = []
    for capability in doc.capabilities:
        lines.append(f"{capability.name}: {capability.type}{_origin(capability.origin, doc.name)}")
        lines += [f"  {_field(f, '')}" for f in capability.properties]
        lines += [f"  {_field(f, '')} [attribute]" for f in capability.attributes]
    _show_section("capabilities", lines)


def _field(field: FieldDoc, owner: str) -> str:
    words = [field.type]
    words += ["required"] if field.required else []
    words += [f"default {field.default}"] if field.default is not None else []
    words += field.constraints
    description = f"  {field.description}" if field.description else ""
    return f"{field.name}: {', '.join(words)}{_origin(field.origin, owner)}{description}"


def _requirement(requirement: RequirementDoc, owner: str) -> str:
    wanted = [
        ("capability", requirement.capability), ("node", requirement.node), ("relationship", requirement.relationship),
    ]  # fmt: skip
    words = [f"{key} {value}" for key, value in wanted if value]
    words += ["optional"] if requirement.least == 0 else []
    return f"{requirement.name}: {', '.join(words)}{_origin(requirement.origin, owner)}"


def _interface(interface: InterfaceDoc, owner: str) -> Iterator[str]:
    yield f"{interface.name}: {interface.type}{_origin(interface.origin, owner)}"
    for operation in interface.operations:
        runs = f" runs {operation.implementation}" if operation.implementation else ""
        takes = f" with {', '.join(operation.inputs)}" if operation.inputs else ""
        yield f"  {operation.name}{runs}{takes}"


def _origin(origin: str, owner: str) -> str:
    return f"  (from {origin})" if origin and owner and origin != owner else ""
