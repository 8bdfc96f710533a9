"""Implementations of operations, notifications, workflows and functions of TOSCA 2.0 (§11.8): their shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.tosca.grammar import check_keys, list_at
from isthmus.tosca.reading.documents import Map, Node, Scalar, is_text

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.types import Types


def check_implementation(body: Node, what: str, types: Types, document: Document) -> None:
    """An implementation is the name of an artifact, or tells a primary one and those that it depends on (§11.8)."""
    problems = types.problems
    if isinstance(body, Scalar):
        if not is_text(body):
            problems.error("shape", "an implementation is the name of an artifact", body)
        return
    if not isinstance(body, Map):
        problems.error("shape", "an implementation is the name of an artifact, or a map with 'primary'", body)
        return
    check_keys(body, "implementation", problems)
    for key in ("operation_host", *(("timeout",) if what == "notification" else ())):
        if key in body.entries:
            problems.error("key-unknown", f"{key!r} is not a key of a {what} implementation", body.keys[key])
    artifacts = [body.get("primary"), *list_at(body, "dependencies", problems)]
    for artifact in (a for a in artifacts if a is not None):
        if isinstance(artifact, Map):
            check_keys(artifact, "artifact", problems)
            kind = artifact.get("type")
            if kind is not None:
                types.resolve("artifact", kind, document)
        elif not (isinstance(artifact, Scalar) and is_text(artifact)):
            problems.error("shape", "an artifact is told by its name, or by a map with 'type' and 'file'", artifact)
