"""Directives: where a node comes from, and where the other end of a relationship may be (TOSCA 2.0 §7.2.1, §8.5)."""

from __future__ import annotations

from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.grammar import list_at
from isthmus.tosca.reading.documents import Map, text_of
from isthmus.tosca.resolving.templates import SELECT, SUBSTITUTE

CREATE = "create"
_MODERN = (CREATE, SELECT[0], SUBSTITUTE[0])
INTERNAL = "internal"
EXTERNAL = "external"


def read_directives(name: str, node: Map, problems: Problems) -> tuple[str, ...]:
    """The directives of a node template in their order; those that nothing here can follow are refused.

    They are tried one after the other. Nodes of other deployments and substituting templates are never at
    hand, so a node is made from its template where `create` is among them, and refused where it is not.
    """
    written = list_at(node, "directives", problems)
    found = tuple(text_of(d) for d in written)
    modern = node.source.version == 2
    for directive, at in zip(found, written, strict=True):
        if modern and directive not in _MODERN:
            summary = f"{directive!r} is no directive of a node template: {', '.join(_MODERN)}"
            problems.error("shape", summary, at, suggestion=near(directive, _MODERN))
        elif directive not in (CREATE, *SELECT, *SUBSTITUTE):
            summary = f"{directive!r} is no directive of TOSCA, and nothing here knows it"
            problems.refuse("unsupported", summary, at, suggestion=near(directive, _MODERN))
    known_here = [(d, at) for d, at in zip(found, written, strict=True) if d in (*SELECT, *SUBSTITUTE)]
    if CREATE not in found:
        for directive, at in known_here:
            problems.refuse("unsupported", _lack(name, directive), at)
    _check_filter(node, found, problems)
    return found


def _lack(name: str, directive: str) -> str:
    if directive in SELECT:
        return f"{name!r} is to be selected among nodes that exist, and no deployment lends its nodes"
    return f"{name!r} is to be substituted by another template, and deployments are not nested"


def _check_filter(node: Map, directives: tuple[str, ...], problems: Problems) -> None:
    if node.get("node_filter") is not None and not any(d in SELECT for d in directives):
        problems.warn("ignored", "'node_filter' counts only with the directive 'select'", node.keys["node_filter"])


def read_scopes(node: Map | None, problems: Problems) -> tuple[str, ...]:
    """`internal` and `external`, of a requirement or a capability, in the order in which they are to be tried."""
    found = []
    for at in list_at(node, "directives", problems):
        text = text_of(at)
        if text in (INTERNAL, EXTERNAL):
            found.append(text)
        else:
            summary = f"{text!r} is no directive of a requirement or capability: '{INTERNAL}' or '{EXTERNAL}'"
            problems.error("shape", summary, at)
    return tuple(found)


def is_external(scopes: tuple[str, ...]) -> bool:
    """Whether only nodes of other deployments count."""
    return bool(scopes) and INTERNAL not in scopes
