"""The artifacts that a node template defines (TOSCA 1.3 §3.6.7, TOSCA 2.0 §12.2): type, properties, file, checksum."""

from __future__ import annotations

import hashlib
import hmac

from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.grammar import check_keys, map_at
from isthmus.tosca.leniency import allows
from isthmus.tosca.reading.documents import Map, Node, Scalar, text_of
from isthmus.tosca.resolving.templates import NodeTemplate, Scope, Values
from isthmus.tosca.typesystem.typedefs import TypeDef, artifact_entries
from isthmus.tosca.typesystem.types import Types

_FILES = ("tosca.artifacts.File", "tosca.artifacts.Implementation")
_GALAXY = "tosca.artifacts.AnsibleGalaxy."
_ALGORITHMS = {"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512"}


def check_artifacts(template: NodeTemplate, types: Types, functions: Functions) -> None:
    """Check what the template itself defines; artifacts that no operation names are not put on machines: a warning."""
    own = artifact_entries(template.node)
    for name, node in template.artifacts.items():
        if name in own:
            _check(name, node, template, types, functions)
        if id(node) not in functions.artifacts.used:
            types.problems.warn("ignored", f"no operation uses the artifact {name!r} of {template.name!r}", node)


def _check(name: str, node: Node, template: NodeTemplate, types: Types, functions: Functions) -> None:
    problems = types.problems
    body = node if isinstance(node, Map) else None
    found = None
    if body is not None:
        check_keys(body, "artifact", problems)
        written = body.get("type")
        found = types.resolve("artifact", written, template.document) if written is not None else None
        for key in ("deploy_path", "repository"):
            if body.get(key) is not None and _is_file(found):
                problems.refuse("unsupported", f"{key!r} of an artifact is not supported", body.keys[key])
        if found is not None and found.name.startswith(_GALAXY):
            allows("ansible-galaxy", node, problems)
        if found is not None:
            what = f"the artifact {name!r} of {template.name!r}"
            values = map_at(body, "properties", problems)
            Values(what, found.properties, values, Scope(node=template), node, functions.converter).check()
    file = body.get("file") if body is not None else node
    if isinstance(file, Scalar) and _is_file(found) and (body is None or body.get("repository") is None):
        functions.artifacts.find(file)
        if body is not None:
            _check_sum(body, file, functions)


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
        problems.error("key-missing", "a 'checksum' needs a 'checksum_algorithm'", checksum)
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
