"""Policies and their types: targets that exist and are allowed (TOSCA 1.3 §3.7.12, §3.8.6; TOSCA 2.0 §16.3, §16.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from isthmus.topology import Policy
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.grammar import list_at
from isthmus.tosca.leniency import complain
from isthmus.tosca.procedures.groups import allowed_types, read_typed, values_of
from isthmus.tosca.procedures.targets import Target, Targets
from isthmus.tosca.procedures.triggers import Triggers
from isthmus.tosca.reading.documents import Map, Node, Seq, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types


def read_policies(
    section: Map | None, types: Types, document: Document, functions: Functions, targets: Targets, triggers: Triggers
) -> dict[str, Policy]:
    """Every policy of a template, checked. Nothing enforces them, which is told."""
    found: dict[str, Policy] = {}
    for name, key, node in _entries(section, types.problems):
        if name in found:
            complain("repeated-keys", "yaml-key-duplicate", f"the policy {name!r} is here twice", key, types.problems)
        policy = _read(name, node, types, document, functions, targets, triggers)
        if policy is not None:
            found[name] = policy
            types.problems.warn("ignored", f"the policy {name!r} is checked, and has no effect", node)
    return found


def _entries(section: Map | None, problems: Problems) -> Iterator[tuple[str, Node, Node]]:
    """Name, key and body of each policy. They are a list of maps; TOSCA 1.x templates write one map too."""
    written = section.get("policies") if section is not None else None
    if written is None:
        return
    lone = isinstance(written, Map) and written.source.version == 1
    if not lone and not isinstance(written, Seq):
        problems.error("shape", "'policies' must be a list", written)
        return
    for entry in written.items if isinstance(written, Seq) else [written]:
        single = isinstance(entry, Map) and (len(entry.entries) == 1 or entry.source.version == 1)
        if not isinstance(entry, Map) or not single:
            problems.error("shape", "policies are a list of maps with one key each", entry)
            continue
        for name, node in entry.entries.items():
            yield name, entry.keys[name], node


def _read(
    name: str,
    node: Node,
    types: Types,
    document: Document,
    functions: Functions,
    targets: Targets,
    triggers: Triggers,
) -> Policy | None:
    found = read_typed("policy", name, node, types, document)
    if found is None:
        return None
    assert isinstance(node, Map)
    written = list_at(node, "targets", types.problems)
    aims = [targets.find(t) for t in written]
    for place, target in zip(written, aims, strict=True):
        _check_target(found, place, target, types.problems)
    own = values_of("policy", name, "properties", found, node, functions)
    return Policy(
        name,
        found.name,
        tuple(t.name for t in aims if t.known),
        own.all(),
        replace(triggers, owner=own).of(found, node, aims, document),
        text_of(node.get("description")).strip(),
    )


def _check_target(found: TypeDef, place: Node, target: Target, problems: Problems) -> None:
    """Targets must be of a node or group type that the policy's type allows, or derive from one.

    In TOSCA 1.x a group will do whose members are all allowed, since it is they whom the policy governs.
    """
    allowed = allowed_types(found, "targets", ("node", "group"))
    if allowed is None or not target.known:
        return
    problems.spend(len(allowed) * (1 + len(target.entities)))
    types = [t.type for t in target.entities] if target.group is None else [target.group.type]
    members = [e.type for e in target.entities] if target.group is not None and place.source.version == 1 else []
    if _all_of(types, allowed) or (members and _all_of(members, allowed)):
        return
    names = " or ".join(t.name for t in allowed[:5])
    kind = types[0].name if types else "group"
    summary = f"{target.name!r} is a {kind}; targets of a {found.name} are {names}"
    complain("unchecked-targets", "target-mismatch", summary, place, problems)


def _all_of(types: list[TypeDef], allowed: list[TypeDef]) -> bool:
    return all(any(t.kind == a.kind and t.derives(a.name) for a in allowed) for t in types)
