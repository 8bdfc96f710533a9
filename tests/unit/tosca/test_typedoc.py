"""The documentation of types: what is declared, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable

from isthmus.tosca import Bundle, Diagnostic
from isthmus.tosca.tools.typedoc import FieldDoc, TypeDoc, TypeLine, describe_type, list_types

TEXT = """
    node_types:
      Server:
        derived_from: tosca.nodes.SoftwareComponent
        description: Serves.
        properties:
          port: { type: integer, default: 80, description: Where., constraints: [ in_range: [ 1, 65535 ] ] }
          component_version: { type: version, required: true }
          hosts: { type: list, entry_schema: { type: string } }
        requirements:
          - database: { capability: tosca.capabilities.Endpoint.Database, occurrences: [ 0, 1 ] }
        interfaces:
          Standard:
            create: { implementation: install.sh, inputs: { port: 1 } }
      Own:
        derived_from: Server
    topology_template: {}
    """


def one(name: str, bundle: Bundle | None = None) -> TypeDoc:
    [doc] = describe_type(name, bundle)
    assert isinstance(doc, TypeDoc)
    return doc


def test_the_normative_types_are_listed_without_a_template() -> None:
    lines = [line for line in list_types() if isinstance(line, TypeLine)]
    assert TypeLine("node", "tosca.nodes.Compute", "tosca.nodes.Abstract.Compute", "", "profiles/simple.yaml") in [
        TypeLine(t.kind, t.name, t.parent, "", t.file) for t in lines
    ]
    assert {t.kind for t in lines} >= {"node", "relationship", "capability", "data", "interface", "artifact"}


def test_a_template_adds_its_own_types_to_them(bundle: Callable[..., Bundle]) -> None:
    lines = [line for line in list_types(bundle(TEXT)) if isinstance(line, TypeLine)]
    assert lines[0] == TypeLine("node", "Server", "tosca.nodes.SoftwareComponent", "Serves.", "template.yaml")
    assert any(t.name == "tosca.nodes.Compute" for t in lines)


def test_a_type_is_told_with_its_ancestry_and_where_each_part_comes_from(bundle: Callable[..., Bundle]) -> None:
    doc = one("Own", bundle(TEXT))
    assert doc.ancestry == ("Server", "tosca.nodes.SoftwareComponent", "tosca.nodes.Root")
    fields = {f.name: f for f in doc.properties}
    assert fields["port"] == FieldDoc("port", "integer", False, "80", ("in_range: [1, 65535]",), "Where.", "Server")
    assert fields["hosts"].type == "list of string"
    assert fields["component_version"].required
    assert fields["component_version"].origin == "Server"
    assert fields["admin_credential"].origin == "tosca.nodes.SoftwareComponent"
    [database] = [r for r in doc.requirements if r.name == "database"]
    assert (database.capability, database.least, database.origin) == (
        "tosca.capabilities.Endpoint.Database", 0, "Server",
    )  # fmt: skip
    [standard] = doc.interfaces
    create = next(o for o in standard.operations if o.name == "create")
    assert (create.implementation, create.inputs) == ("install.sh", ("port",))
    assert {"configure", "start", "stop", "delete"} <= {o.name for o in standard.operations}
    assert one("Server", bundle(TEXT)).derived == ("Own",)


def test_short_names_mean_a_type_of_each_kind() -> None:
    found = [d for d in describe_type("Compute") if isinstance(d, TypeDoc)]
    assert [(d.kind, d.name) for d in found][:2] == [
        ("node", "tosca.nodes.Compute"), ("capability", "tosca.capabilities.Compute"),
    ]  # fmt: skip
    assert one("tosca:WebServer").name == "tosca.nodes.WebServer"
    assert "create" in one("tosca.interfaces.node.lifecycle.Standard").operations


def test_a_name_that_means_nothing_gives_nothing(bundle: Callable[..., Bundle]) -> None:
    assert describe_type("Nope") == ()
    assert describe_type("Nope", bundle(TEXT)) == ()


def test_types_that_derive_in_a_circle_are_told_of_without_end(bundle: Callable[..., Bundle]) -> None:
    text = "node_types: { A: { derived_from: B }, B: { derived_from: A } }\n"
    assert one("A", bundle(text)).ancestry == ()
    assert len(list_types(bundle(text))) > 2


def test_a_template_that_cannot_be_read_gives_diagnostics(bundle: Callable[..., Bundle]) -> None:
    for found in (list_types(bundle("a: [")), describe_type("A", bundle("a: ["))):
        assert found
        assert all(isinstance(d, Diagnostic) for d in found)
