"""Types of TOSCA 2.0 (§6.4, chapters 7, 8.1 to 8.3, 12): what may be written of them, and what refines what."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from isthmus.tosca import Loaded, Severity

HEAD = "tosca_definitions_version: tosca_2_0\n"
KINDS = ("artifact", "data", "capability", "interface", "relationship", "node", "group", "policy")
KNOWN = """
data_types:
  Short: { derived_from: string, validation: { $less_or_equal: [ { $length: [ $value ] }, 3 ] } }
  Shorter: { derived_from: Short }
  Texts: { derived_from: list, entry_schema: string }
  Pair: { properties: { a: { type: string } } }
  Triple: { derived_from: Pair, properties: { b: { type: string, required: false } } }
capability_types:
  Cap:
    properties: { size: { type: integer, required: false }, mode: { type: string, value: fixed } }
    attributes: { used: { type: string } }
  SubCap: { derived_from: Cap, properties: { more: { type: string, required: false } } }
  OtherCap: { valid_source_node_types: [ Node ], valid_relationship_types: [ Rel ] }
relationship_types:
  Rel:
    properties: { speed: { type: integer, default: 1 }, label: { type: string, required: false } }
    attributes: { load: { type: integer } }
  SubRel: { derived_from: Rel }
  Stranger: {}
artifact_types:
  File: {}
  Image: { properties: { tag: { type: string }, size: { type: integer, required: false } } }
repositories: { hub: 'https://hub.example.org' }
node_types:
  Node:
    properties: { must: { type: integer, default: 3 }, may: { type: string, required: false } }
    attributes: { seen: { type: integer } }
    capabilities: { cap: Cap }
  SubNode: { derived_from: Node }
  Needy: { properties: { must: { type: string } } }
"""


def errors(loaded: Callable[..., Loaded], text: str) -> list[str]:
    found = loaded(HEAD + text, {"a.sh": ""}).diagnostics
    return [d.code for d in found if d.severity is Severity.ERROR and d.code != "input-missing"]


def types(kind: str, body: str) -> str:
    own = "derived_from: string, " if kind == "data" and "derived_from" not in body and "properties" not in body else ""
    return f"{kind}_types: {{ A: {{ {own}{body} }} }}\n"


def sections() -> Iterator[tuple[str, str, str]]:
    """For every kind of types: what its section, its names, its parents and its versions may not be."""
    for kind in KINDS:
        section, good = f"{kind}_types", "{ derived_from: string }" if kind == "data" else "{}"
        for wrong in ("", "[]", "text", "1"):
            yield kind, f"{section}: {wrong}\n", "shape"
        for wrong in ("", "text", "[]", "1"):
            yield kind, f"{section}: {{ A: {wrong} }}\n", "shape"
        for name in ("1", "1.5", "true", "null", "''"):
            yield kind, f"{section}: {{ {name}: {good} }}\n", "shape"
        yield kind, f"{section}: {{ A: {good}, A: {good} }}\n", "yaml-key-duplicate"
        for parent in ("1", "true", "null", "[ B ]"):
            yield kind, f"{section}: {{ A: {{ derived_from: {parent} }} }}\n", "shape"
        yield kind, f"{section}: {{ A: {{ derived_from: B }} }}\n", "type-unknown"
        yield kind, f"{section}: {{ A: {{ derived_from: A }} }}\n", "type-cycle"
        yield kind, f"{section}: {{ A: {{ derived_from: B }}, B: {{ derived_from: A }} }}\n", "type-cycle"
        for version in ("1", "1.0", "'1'", "1..2", "1.2.x", "1.2.3-4", "1.2.3.b-x", "v1.2", "null"):
            yield kind, types(kind, f"version: {version}"), "shape"
        for key in ("description: 1", "description: null", "metadata: text", "metadata: []"):
            yield kind, types(kind, key), "shape"
        yield kind, types(kind, "nonsense: x"), "key-unknown"


@pytest.mark.parametrize(("kind", "text", "code"), list(sections()))
def test_what_no_type_may_be(loaded: Callable[..., Loaded], kind: str, text: str, code: str) -> None:
    assert code in errors(loaded, text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "body",
    [
        "version: '1.0'",
        "version: 1.2.3",
        "version: 1.2.3.beta",
        "version: 1.2.3.beta-4",
        "description: text",
        "metadata: { a: 1, b: [ x ], c: null }",
    ],
)
def test_what_every_type_may_have(loaded: Callable[..., Loaded], kind: str, body: str) -> None:
    assert errors(loaded, types(kind, body)) == []


LISTS = [  # kind, key, a type that is allowed, one that derives from it, another
    ("relationship", "valid_capability_types", "Cap", "SubCap", "OtherCap"),
    ("relationship", "valid_target_node_types", "Node", "SubNode", "Needy"),
    ("relationship", "valid_source_node_types", "Node", "SubNode", "Needy"),
    ("capability", "valid_source_node_types", "Node", "SubNode", "Needy"),
    ("capability", "valid_relationship_types", "Rel", "SubRel", "Stranger"),
    ("group", "members", "Node", "SubNode", "Needy"),
]


@pytest.mark.parametrize(("kind", "key", "one", "derived", "other"), LISTS)
def test_lists_of_valid_types_are_only_narrowed(
    loaded: Callable[..., Loaded], kind: str, key: str, one: str, derived: str, other: str
) -> None:
    def codes(before: str, after: str) -> list[str]:
        own = f"\n  A: {{ {key}: {before} }}\n  M: {{ derived_from: A }}\n  B: {{ derived_from: M{after} }}\n"
        section = f"\n{kind}_types:"
        text = KNOWN.replace(section, section + own) if section in KNOWN else f"{KNOWN}{section}{own}"
        return errors(loaded, text)

    for after in ("", f", {key}: []", f", {key}: [ {one} ]", f", {key}: [ {derived} ]"):
        assert codes(f"[ {one} ]", after) == []
    for after in (other, f"{one}, {other}"):
        assert codes(f"[ {one} ]", f", {key}: [ {after} ]") == ["refinement"]
    assert codes(f"[ {derived} ]", f", {key}: [ {one} ]") == ["refinement"]
    assert codes("[ Nobody ]", "") == ["type-unknown"]
    for wrong in ("null", one, "{}", "[ 1 ]", "[ null ]"):
        assert "shape" in codes(wrong, "")


REFINED = [  # what is declared, what refines it, the mistake or nothing
    ("{ type: string }", "{ type: string }", ""),
    ("{ type: string }", "{ type: Short }", ""),
    ("{ type: Short }", "{ type: Shorter }", ""),
    ("{ type: Pair }", "{ type: Triple }", ""),
    ("{ type: string }", "{ description: again }", ""),
    ("{ type: string }", "{ default: x }", ""),
    ("{ type: list, entry_schema: string }", "{ entry_schema: Short }", ""),
    ("{ type: list, entry_schema: string }", "{ type: list }", ""),
    ("{ type: list, entry_schema: string }", "{ type: Texts }", ""),
    ("{ type: map, entry_schema: string }", "{ key_schema: Short }", ""),
    ("{ type: string }", "{ type: integer }", "refinement"),
    ("{ type: Short }", "{ type: string }", "refinement"),
    ("{ type: Triple }", "{ type: Pair }", "refinement"),
    ("{ type: Pair }", "{ type: map, entry_schema: string }", "refinement"),
    ("{ type: integer }", "{ type: float }", "refinement"),
    ("{ type: list, entry_schema: string }", "{ type: map, entry_schema: string }", "refinement"),
    ("{ type: list, entry_schema: string }", "{ entry_schema: integer }", "refinement"),
    ("{ type: list, entry_schema: Short }", "{ entry_schema: { type: string } }", "refinement"),
    ("{ type: list, entry_schema: Short }", "{ type: Texts }", "refinement"),
    ("{ type: map, entry_schema: string, key_schema: Short }", "{ key_schema: string }", "refinement"),
    (
        "{ type: list, entry_schema: { type: list, entry_schema: string } }",
        "{ entry_schema: { type: list, entry_schema: integer } }",
        "refinement",
    ),
    ("{ type: string }", "{ type: Nope }", "type-unknown"),
    ("{ type: string }", "{ default: 1 }", "value-type"),
    ("{ type: string }", "{ default: null }", "value-type"),
    ("{ type: Short }", "{ default: xxxx }", "constraint"),
    ("{ type: string, default: xxxx }", "{ validation: { $equal: [ $value, x ] } }", "constraint"),
    ("{ type: string, validation: { $equal: [ $value, x ] } }", "{ type: string, default: y }", "constraint"),
    ("{ type: string }", "{ entry_schema: string }", "shape"),
    ("{ type: string }", "{ validation: null }", "shape"),
]
OF_PROPERTIES = [
    ("{ type: string }", "x", ""),
    ("{ type: integer }", "{ value: 5 }", ""),
    ("{ type: Pair }", "{ a: x }", ""),
    ("{ type: string, required: false }", "{ required: true }", ""),
    ("{ type: string, required: false }", "{ required: true, default: x }", ""),
    ("{ type: nil }", "null", ""),
    ("{ type: string }", "1", "value-type"),
    ("{ type: integer }", "{ value: x }", "value-type"),
    ("{ type: Short }", "xxxx", "constraint"),
    ("{ type: Pair }", "{ a: 1 }", "value-type"),
    ("{ type: string, value: x }", "{ value: y }", "refinement"),
    ("{ type: string, value: x }", "{ description: y }", "refinement"),
    ("{ type: string, value: x }", "y", "refinement"),
    ("{ type: string, required: true }", "{ required: false }", "refinement"),
    ("{ type: string }", "{ required: false }", "refinement"),
    ("{ type: string }", "{ required: True }", "shape"),
    ("{ type: string }", "{ required: yes }", "shape"),
]


def refinements() -> Iterator[tuple[str, str, str, str, str]]:
    for key, table in (("properties", [*REFINED, *OF_PROPERTIES]), ("attributes", REFINED)):
        for declared, refined, code in table:
            for kind in ("node", "capability", "relationship", "group", "in a node type"):
                yield key, kind, declared, refined, code
            if key == "properties":
                for kind in ("policy", "artifact", "data"):
                    yield key, kind, declared, refined, code


@pytest.mark.parametrize(("key", "kind", "declared", "refined", "code"), list(refinements()))
def test_definitions_are_refined_by_the_rules(
    loaded: Callable[..., Loaded], key: str, kind: str, declared: str, refined: str, code: str
) -> None:
    before, after = f"{key}: {{ p: {declared} }}", f"{key}: {{ p: {refined} }}"
    if kind == "in a node type":
        own = f"capability_types: {{ A: {{ {before} }} }}\n"
        own += f"node_types: {{ N: {{ capabilities: {{ c: {{ type: A, {after} }} }} }} }}\n"
        text = KNOWN.split("capability_types")[0] + own
    else:
        derived = f"  A: {{ {before} }}\n  M: {{ derived_from: A }}\n  B: {{ derived_from: M, {after} }}\n"
        text = KNOWN.split("capability_types")[0] + ("" if kind == "data" else f"{kind}_types:\n") + derived
    found = errors(loaded, text)
    assert code in found if code else found == []


CAPABILITIES = [
    ("Cap", ""),
    ("{ type: Cap }", ""),
    ("{ type: Cap, properties: { size: { default: 5 } } }", ""),
    ("{ type: Cap, properties: { size: 5 } }", ""),
    ("{ type: Cap, attributes: { used: { default: x } } }", ""),
    ("{ type: OtherCap, valid_source_node_types: [ SubNode ] }", ""),
    ("{ type: OtherCap, valid_relationship_types: [ SubRel ] }", ""),
    ("{ type: Cap, valid_source_node_types: [ Needy ] }", ""),
    ("{ type: OtherCap, valid_source_node_types: [ Needy ] }", "refinement"),
    ("{ type: OtherCap, valid_relationship_types: [ Rel, Stranger ] }", "refinement"),
    ("Nope", "type-unknown"),
    ("{ type: Node }", "type-unknown"),
    ("{}", "key-missing"),
    ("null", "type-unknown"),
    ("1", "type-unknown"),
    ("{ type: null }", "shape"),
    ("{ type: Cap, occurrences: [ 0, 1 ] }", "key-unknown"),
    ("{ type: Cap, valid_source_types: [ Node ] }", "key-unknown"),
    ("{ type: Cap, properties: { other: { type: string } } }", "property-unknown"),
    ("{ type: Cap, attributes: { other: { type: string } } }", "attribute-unknown"),
    ("{ type: Cap, properties: { size: x } }", "value-type"),
    ("{ type: Cap, properties: { mode: x } }", "refinement"),
    ("{ type: Cap, attributes: { used: { default: 1 } } }", "value-type"),
]


@pytest.mark.parametrize(("written", "code"), CAPABILITIES)
def test_capability_definitions(loaded: Callable[..., Loaded], written: str, code: str) -> None:
    found = errors(loaded, f"{KNOWN}  X: {{ capabilities: {{ c: {written} }} }}\n")
    assert code in found if code else found == []


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("Cap", "SubCap", ""),
        ("Cap", "{ description: again }", ""),
        ("Cap", "{ type: SubCap, properties: { more: x } }", ""),
        ("Cap", "OtherCap", "refinement"),
        ("SubCap", "Cap", "refinement"),
        ("Cap", "{ properties: { more: x } }", "property-unknown"),
    ],
)
def test_capabilities_are_refined_to_derived_types(
    loaded: Callable[..., Loaded], before: str, after: str, code: str
) -> None:
    own = f"  A: {{ capabilities: {{ c: {before} }} }}\n  B: {{ derived_from: A, capabilities: {{ c: {after} }} }}\n"
    assert errors(loaded, KNOWN + own) == ([code] if code else [])


ARTIFACTS = [
    ("{ type: File, file: a.sh }", ""),
    ("{ type: File, file: a.sh, artifact_version: '1.0' }", ""),
    ("{ type: File, file: a.sh, repository: hub }", ""),
    ("{ type: File, file: a.sh, checksum: abc, checksum_algorithm: MD5 }", ""),
    ("{ type: File, file: a.sh, properties: { anything: goes } }", ""),
    ("{ type: Image, file: a.sh, properties: { tag: x } }", ""),
    ("{ type: File }", "key-missing"),
    ("{ file: a.sh }", "key-missing"),
    ("a.sh", "shape"),
    ("null", "shape"),
    ("[ a.sh ]", "shape"),
    ("{ type: Nope, file: a.sh }", "type-unknown"),
    ("{ type: Node, file: a.sh }", "type-unknown"),
    ("{ type: File, file: 1 }", "shape"),
    ("{ type: File, file: null }", "shape"),
    ("{ type: File, file: a.sh, description: 1 }", "shape"),
    ("{ type: File, file: a.sh, repository: other }", "repository-unknown"),
    ("{ type: File, file: a.sh, repository: null }", "shape"),
    ("{ type: File, file: a.sh, artifact_version: 1.0 }", "shape"),
    ("{ type: File, file: a.sh, checksum: abc }", "key-missing"),
    ("{ type: File, file: a.sh, checksum: 12, checksum_algorithm: MD5 }", "shape"),
    ("{ type: File, file: a.sh, deploy_path: /x }", "key-unknown"),
    ("{ type: File, file: a.sh, properties: [] }", "shape"),
    ("{ type: Image, file: a.sh }", "property-missing"),
    ("{ type: Image, file: a.sh, properties: { tag: 1 } }", "value-type"),
    ("{ type: Image, file: a.sh, properties: { tag: x, size: x } }", "value-type"),
    ("{ type: Image, file: a.sh, properties: { tag: x, other: 1 } }", "property-unknown"),
]


@pytest.mark.parametrize(("written", "code"), ARTIFACTS)
@pytest.mark.parametrize("place", ["type", "template"])
def test_artifact_definitions(loaded: Callable[..., Loaded], place: str, written: str, code: str) -> None:
    own = f"artifacts: {{ a: {written} }} }}"
    text = f"{KNOWN}  X: {{ {own}\n" if place == "type" else template(f"n: {{ type: Node, {own}")
    found = errors(loaded, text)
    assert code in found if code else found == []


def test_an_artifact_is_defined_again_as_a_whole(loaded: Callable[..., Loaded]) -> None:
    first = "  A: { artifacts: { a: { type: Image, file: a.sh, properties: { tag: x } } } }\n"
    again = "  B: {{ derived_from: A, artifacts: {{ a: {{ {} }} }} }}\n"
    assert errors(loaded, KNOWN + first + again.format("type: File, file: a.sh")) == []
    assert errors(loaded, KNOWN + first + again.format("file: a.sh")) == ["key-missing"]
    assert errors(loaded, KNOWN + first + again.format("type: Image, file: a.sh")) == ["property-missing"]


def template(nodes: str, more: str = "") -> str:
    return f"{KNOWN}service_template: {{ node_templates: {{ {nodes} }}{more} }}\n"


NODES = [
    ("{ type: Node }", ""),
    ("{ type: Node, properties: { may: x, must: 1 } }", ""),
    ("{ type: Node, attributes: { seen: 1 } }", ""),
    ("{ type: Node, attributes: { must: 1, may: x } }", ""),  # every property is an attribute too
    ("{ type: Node, count: 0 }", ""),
    ("{ type: Node, directives: [ select, substitute, create ] }", ""),
    ("{ type: Node, capabilities: { cap: { properties: { size: 1 }, attributes: { used: x, size: 2 } } } }", ""),
    ("{ type: Node, capabilities: { cap: { directives: [ external, internal ] } } }", ""),
    ("{ type: Needy, properties: { must: x } }", ""),
    ("{ copy: other }", ""),
    ("{}", "key-missing"),
    ("null", "shape"),
    ("[]", "shape"),
    ("text", "shape"),
    ("{ type: null }", "shape"),
    ("{ type: 1 }", "shape"),
    ("{ type: Nope }", "type-unknown"),
    ("{ type: Cap }", "type-unknown"),
    ("{ type: Node, version: '1.0' }", "key-unknown"),
    ("{ type: Node, properties: null }", "shape"),
    ("{ type: Node, properties: { 1: x } }", "shape"),
    ("{ type: Node, attributes: [] }", "shape"),
    ("{ type: Node, requirements: {} }", "shape"),
    ("{ type: Node, requirements: [ {} ] }", "shape"),
    ("{ type: Node, properties: { other: 1 } }", "property-unknown"),
    ("{ type: Node, properties: { must: null } }", "value-type"),
    ("{ type: Node, properties: { may: null } }", "value-type"),
    ("{ type: Node, attributes: { other: 1 } }", "attribute-unknown"),
    ("{ type: Node, attributes: { seen: x } }", "value-type"),
    ("{ type: Node, attributes: { must: x } }", "value-type"),
    ("{ type: Needy }", "property-missing"),
    ("{ type: Needy, properties: { must: 1 } }", "value-type"),
    ("{ type: Node, capabilities: { other: {} } }", "capability-unknown"),
    ("{ type: Node, capabilities: { cap: null } }", "shape"),
    ("{ type: Node, capabilities: { cap: [] } }", "shape"),
    ("{ type: Node, capabilities: { cap: { size: 1 } } }", "key-unknown"),
    ("{ type: Node, capabilities: { cap: { properties: { other: 1 } } } }", "property-unknown"),
    ("{ type: Node, capabilities: { cap: { properties: { mode: x } } } }", "refinement"),
    ("{ type: Node, capabilities: { cap: { attributes: { other: x } } } }", "attribute-unknown"),
    ("{ type: Node, capabilities: { cap: { attributes: { used: 1 } } } }", "value-type"),
    ("{ type: Node, capabilities: { cap: { attributes: { size: x } } } }", "value-type"),
    ("{ type: Node, capabilities: { cap: { directives: [ inside ] } } }", "shape"),
    ("{ type: Node, capabilities: { cap: { directives: internal } } }", "shape"),
    ("{ type: Node, count: -1 }", "value-type"),
    ("{ type: Node, count: 1.5 }", "value-type"),
    ("{ type: Node, count: null }", "shape"),
    ("{ type: Node, directives: create }", "shape"),
    ("{ type: Node, directives: [ selectable ] }", "shape"),
    ("{ type: Node, directives: [ Create ] }", "shape"),
    ("{ copy: nobody }", "target-unknown"),
    ("{ copy: copied }", "target-unknown"),
    ("{ copy: n }", "target-unknown"),
    ("{ copy: null }", "shape"),
    ("{ copy: [ other ] }", "target-unknown"),
]


@pytest.mark.parametrize(("written", "code"), NODES)
def test_node_templates(loaded: Callable[..., Loaded], written: str, code: str) -> None:
    found = errors(loaded, template(f"other: {{ type: Node }}, copied: {{ copy: other }}, n: {written}"))
    assert code in found if code else found == []


RELATIONSHIPS = [
    ("{ type: Rel }", ""),
    ("{ type: Rel, properties: { speed: 2, label: x }, attributes: { load: 1 } }", ""),
    ("{ type: Rel, attributes: { label: x } }", ""),
    ("{ copy: other }", ""),
    ("{}", "key-missing"),
    ("null", "shape"),
    ("[]", "shape"),
    ("{ type: null }", "shape"),
    ("{ type: Nope }", "type-unknown"),
    ("{ type: Node }", "type-unknown"),
    ("{ type: Rel, requirements: [] }", "key-unknown"),
    ("{ type: Rel, properties: { other: 1 } }", "property-unknown"),
    ("{ type: Rel, properties: { speed: x } }", "value-type"),
    ("{ type: Rel, properties: { label: null } }", "value-type"),
    ("{ type: Rel, attributes: { other: 1 } }", "attribute-unknown"),
    ("{ type: Rel, attributes: { load: x } }", "value-type"),
    ("{ type: Rel, attributes: { speed: x } }", "value-type"),
    ("{ copy: nobody }", "target-unknown"),
    ("{ copy: copied }", "target-unknown"),
]


@pytest.mark.parametrize(("written", "code"), RELATIONSHIPS)
def test_relationship_templates(loaded: Callable[..., Loaded], written: str, code: str) -> None:
    more = f", relationship_templates: {{ other: {{ type: Rel }}, copied: {{ copy: other }}, r: {written} }}"
    found = errors(loaded, template("", more))
    assert code in found if code else found == []
