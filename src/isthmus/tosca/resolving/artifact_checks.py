"""The artifacts that a node template defines (TOSCA 1.3 §3.6.7, TOSCA 2.0 §12.2): type, properties, file, checksum."""

from __future__ import annotations

import hashlib
import hmac

from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.values import Converter
from isthmus.tosca.grammar import check_keys, map_at
from isthmus.tosca.leniency import complain, is_galaxy
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.templates import NodeTemplate, Scope, Values
from isthmus.tosca.typesystem.classic import artifact_type
from isthmus.tosca.typesystem.typedefs import TypeDef, artifact_entries
from isthmus.tosca.typesystem.types import Types

_FILES = ("tosca.artifacts.File", "tosca.artifacts.Implementation")
_NO_ALGORITHM = "a 'checksum' needs a 'checksum_algorithm'"
_NOWHERE = Scope()
_ALGORITHMS = {"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512"}


def check_artifacts(template: NodeTemplate, types: Types, functions: Functions) -> None:
    """Check what the template itself defines; artifacts that no operation names are not put on machines: a warning."""
    own = artifact_entries(template.node)
    written = template.node.get("artifacts")
    listed = written.items if isinstance(written, Seq) else []
    for item in (i for i in listed if not isinstance(i, Map)):
        types.problems.error("shape", "artifacts are a map, or a list of maps with one key each", item)
    for name, node in template.artifacts.items():
        if name in own:
            _check(name, node, template, types, functions)
        if id(node) not in functions.artifacts.used:
            types.problems.warn("ignored", f"no operation uses the artifact {name!r} of {template.name!r}", node)


def check_definition(
    what: str,
    node: Node,
    types: Types,
    document: Document,
    converter: Converter,
    scope: Scope = _NOWHERE,
) -> TypeDef | None:
    """Check what an artifact says of itself, wherever it is defined; gives its type where that is known."""
    problems = types.problems
    if not isinstance(node, Map):
        if document.version == 2:
            problems.error("shape", f"{what} must be a map with its 'type' and its 'file'", node)
        return None
    check_keys(node, "artifact", problems)
    if document.version == 2 and node.get("checksum") is not None and node.get("checksum_algorithm") is None:
        problems.error("key-missing", _NO_ALGORITHM, node.entries["checksum"])
    repository = node.get("repository")
    if document.version == 2 and isinstance(repository, Scalar) and not types.has_repository(repository.text, document):
        summary = f"there is no repository {repository.text!r}"
        problems.error("repository-unknown", summary, repository)
    found = artifact_type(node, types, document)
    properties = map_at(node, "properties", problems)
    if found is not None and (found.properties or document.version == 1):  # any properties go to a type without them
        values = Values(what, found.properties, properties, scope, node, converter)
        values.check()
        values.all()
    return found


def _check(name: str, node: Node, template: NodeTemplate, types: Types, functions: Functions) -> None:
    problems = types.problems
    body = node if isinstance(node, Map) else None
    what, scope = f"the artifact {name!r} of {template.name!r}", Scope(node=template)
    found = check_definition(what, node, types, template.document, functions.converter, scope)
    for key in ("deploy_path", "repository"):
        if body is not None and body.get(key) is not None and _is_file(found):
            problems.refuse("unsupported", f"{key!r} of an artifact is not supported", body.keys[key])
    galaxy = body is not None and is_galaxy(text_of(body.get("type")))
    file = body.get("file") if body is not None else node
    if isinstance(node, Seq):
        problems.error("shape", f"the artifact {name!r} must be a map or the name of a file", node)
    elif file is None and node.source.version == 1 and name not in _inherited(template):
        complain("stray-keys", "key-missing", f"the artifact {name!r} names no file", node, problems)
    if isinstance(file, Scalar) and _is_file(found) and not galaxy and (body is None or body.get("repository") is None):
        functions.artifacts.find(file)
        if body is not None:
            _check_sum(body, file, functions)


def _inherited(template: NodeTemplate) -> frozenset[str]:
    """The artifacts that the type of a node defines."""
    return frozenset(n for a in template.type.ancestors for n in artifact_entries(a.node))


def _is_file(found: TypeDef | None) -> bool:
    """Whether an artifact is a file of the bundle rather than, say, the name of an image."""
    return found is None or any(found.derives(t) for t in _FILES)


def _check_sum(body: Map, file: Scalar, functions: Functions) -> None:
    """A file must have the checksum that is told of it."""
    problems, checksum = functions.problems, body.get("checksum")
    if checksum is None:
        return
    named = body.get("checksum_algorithm")
    algorithm = text_of(named).lower().replace("-", "")
    if named is None:
        problems.error("key-missing", _NO_ALGORITHM, checksum)
    elif algorithm not in _ALGORITHMS:
        known = ", ".join(sorted(_ALGORITHMS))
        summary = f"the checksum algorithm {text_of(named)!r} is not supported"
        problems.refuse("unsupported", summary, named, detail=f"Supported are {known}.")
    else:
        content = functions.artifacts.content(file)
        wanted = text_of(checksum).lower()
        if content is not None:
            actual = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
            if not hmac.compare_digest(actual, wanted):
                problems.error("checksum", f"the file {file.text!r} has another checksum: {actual}", checksum)
