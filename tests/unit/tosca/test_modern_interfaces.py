"""Interfaces, operations and notifications of TOSCA 2.0 (chapter 11), sentence by sentence."""

from __future__ import annotations

import pytest

from .modern import changed, verdict


def interface_type(body):
    return f"interface_types: {{ X: {body} }}"


def node_type(interface):
    return (
        "node_types: { T: { attributes: { out: { type: string }, num: { type: integer } }, "
        f"properties: {{ p: {{ type: string, default: q }} }}, interfaces: {{ life: {interface} }} }} }}"
    )


def assigned(interface):
    return f"service_template: {{ node_templates: {{ app: {{ interfaces: {{ life: {interface} }} }} }} }}"


def inherited(interface, own):
    return f"node_types: {{ App: {{ interfaces: {{ life: {interface} }} }} }}\n{assigned(own)}"


VALID = [
    interface_type(
        "{ inputs: { a: { type: string } }, operations: { o: { description: d, metadata: { a: b "
        "}, inputs: { b: { type: integer, default: 1 } }, outputs: { c: { type: string } } } }, "
        "notifications: { n: { description: d, inputs: { a: { type: string } }, outputs: { b: { "
        "type: string } } } } }"
    ),
    interface_type("{ derived_from: Life, operations: { create: { inputs: { a: { default: 3 } } } } }"),
    node_type(
        "{ type: Life, description: d, metadata: { a: b }, inputs: { mode: { default: z }, "
        "extra: { type: string, default: e } }, operations: { create: { implementation: a.sh, "
        "inputs: { a: 3, more: { type: string, value: { $get_property: [ SELF, p ] } } } }, "
        "start: b.sh }, notifications: { changed: { implementation: a.sh, outputs: { v: [ SELF, "
        "out ] } } } }"
    ),
    node_type("{ type: Life, operations: { create: { outputs: { v: { type: string, mapping: [ SELF, out ] } } } } }"),
    "node_types: { C: { derived_from: App, interfaces: { life: { operations: { create: a.sh } } } } }",
    "interface_types: { L2: { derived_from: Life, operations: { more: {} } } }\nnode_types: { "
    "C: { derived_from: App, interfaces: { life: { type: L2, operations: { more: a.sh } } } "
    "} }",
    assigned(
        "{ inputs: { mode: z, extra: 5 }, operations: { create: { implementation: a.sh, inputs: "
        "{ a: 3, new: x } }, start: b.sh } }"
    ),
    assigned("{ notifications: { changed: { outputs: { v: [ SELF, out ] } } } }"),
    assigned("{ notifications: { changed: { implementation: { primary: a.sh, dependencies: [ b.sh ] } } } }"),
    assigned("{ notifications: { changed: { inputs: { a: b } } } }"),
    "interface_types: { Life: { operations: { create: { inputs: { a: { type: integer, "
    "required: true } } } } } }\nservice_template: { node_templates: { app: { interfaces: { "
    "life: { operations: { create: {} } } } } } }",
    assigned("{ operations: { create: } }"),
    assigned("{ operations: { create: { implementation: { dependencies: [ a.sh ] } } } }"),
    "service_template: { relationship_templates: { r: { type: Link, interfaces: { conf: { "
    "operations: { go: a.sh } } } } } }",
]

INVALID = [
    ("shape", interface_type("{ operations: { o: { implementation: a.sh } } }")),
    ("shape", interface_type("{ operations: { o: a.sh } }")),
    ("key-unknown", interface_type("{ notifications: { o: { implementation: a.sh } } }")),
    ("shape", interface_type("{ notifications: { o: a.sh } }")),
    ("shape", interface_type("{ operations: { o: { outputs: { c: [ SELF, out ] } } } }")),
    ("shape", interface_type("{ operations: { o: { outputs: { c: { type: string, mapping: [ SELF, out ] } } } } }")),
    ("shape", interface_type("{ notifications: { o: { outputs: { c: { type: string, mapping: [ SELF, out ] } } } } }")),
    ("shape", interface_type("{ notifications: { o: { outputs: { c: [ SELF, out ] } } } }")),
    ("key-unknown", interface_type("{ foo: { } }")),
    ("key-unknown", interface_type("{ operations: { o: { foo: 1 } } }")),
    ("key-unknown", interface_type("{ notifications: { o: { foo: 1 } } }")),
    ("shape", interface_type("{ operations: [ o ] }")),
    ("type-unknown", interface_type("{ inputs: { a: { type: Nope } } }")),
    ("type-unknown", interface_type("{ operations: { o: { inputs: { a: { type: Nope } } } } }")),
    ("type-unknown", interface_type("{ operations: { o: { outputs: { a: { type: Nope } } } } }")),
    ("type-unknown", interface_type("{ notifications: { o: { outputs: { a: { type: Nope } } } } }")),
    ("value-type", interface_type("{ inputs: { a: { type: integer, default: x } } }")),
    ("value-type", interface_type("{ operations: { o: { inputs: { a: { type: integer, default: x } } } } }")),
    (
        "function-arguments",
        interface_type(
            "{ operations: { o: { inputs: { a: { type: string, value: { $get_property: [ SELF, p ] } } } } } }"
        ),
    ),
    ("key-unknown", interface_type("{ inputs: { a: { type: string, foo: 1 } } }")),
    ("type-unknown", interface_type("{ derived_from: Nope }")),
    (
        "refinement",
        interface_type("{ derived_from: Life, operations: { create: { inputs: { a: { type: string } } } } }"),
    ),
    ("refinement", interface_type("{ derived_from: Life, inputs: { mode: { type: integer } } }")),
    ("key-missing", node_type("{ operations: { create: a.sh } }")),
    ("type-unknown", node_type("{ type: Nope }")),
    ("key-unknown", node_type("{ type: Life, foo: 1 }")),
    ("key-unknown", node_type("{ type: Life, create: a.sh }")),
    ("operation-unknown", node_type("{ type: Life, operations: { nope: a.sh } }")),
    ("notification-unknown", node_type("{ type: Life, notifications: { nope: { } } }")),
    ("refinement", node_type("{ type: Life, inputs: { mode: { type: integer } } }")),
    ("value-type", node_type("{ type: Life, operations: { create: { inputs: { a: x } } } }")),
    ("value-type", node_type("{ type: Life, operations: { create: { inputs: { a: { default: x } } } } }")),
    ("key-unknown", node_type("{ type: Life, operations: { create: { implementation: { primary: a.sh, foo: 1 } } } }")),
    ("shape", node_type("{ type: Life, operations: { create: { implementation: [ a.sh ] } } }")),
    (
        "key-missing",
        node_type("{ type: Life, operations: { create: { implementation: { primary: { file: a.sh } } } } }"),
    ),
    (
        "type-unknown",
        node_type(
            "{ type: Life, operations: { create: { implementation: { primary: { file: a.sh, type: Nope } } } } }"
        ),
    ),
    (
        "shape",
        node_type("{ type: Life, operations: { create: { implementation: { primary: a.sh, dependencies: b.sh } } } }"),
    ),
    (
        "type-unknown",
        node_type(
            "{ type: Life, operations: { create: { implementation: { primary: a.sh, dependencies: [ "
            "{ file: b.sh, type: Nope } ] } } } }"
        ),
    ),
    (
        "attribute-unknown",
        node_type(
            "{ type: Life, operations: { create: { outputs: { v: { type: string, mapping: [ SELF, nope ] } } } } }"
        ),
    ),
    ("attribute-unknown", node_type("{ type: Life, operations: { create: { outputs: { v: [ SELF, nope ] } } } }")),
    (
        "value-type",
        node_type(
            "{ type: Life, operations: { create: { outputs: { v: { type: string, mapping: [ SELF, num ] } } } } }"
        ),
    ),
    ("attribute-unknown", node_type("{ type: Life, notifications: { changed: { outputs: { v: [ SELF, nope ] } } } }")),
    ("value-type", node_type("{ type: Life, notifications: { changed: { outputs: { v: [ SELF, num ] } } } }")),
    (
        "target-unknown",
        node_type("{ type: Life, notifications: { changed: { outputs: { v: [ server, address ] } } } }"),
    ),
    ("refinement", "node_types: { C: { derived_from: App, interfaces: { life: { type: Conf } } } }"),
    (
        "interface-unknown",
        "service_template: { node_templates: { app: { interfaces: { nope: { operations: { create: a.sh } } } } } }",
    ),
    ("key-unknown", assigned("{ type: Life }")),
    ("interface-unknown", "service_template: { node_templates: { app: { interfaces: { l2: { type: Life } } } } }"),
    ("operation-unknown", assigned("{ operations: { nope: a.sh } }")),
    ("value-type", assigned("{ inputs: { mode: 5 } }")),
    ("value-type", assigned("{ operations: { create: { inputs: { a: x } } } }")),
    ("value-type", assigned("{ operations: { create: { implementation: a.sh, inputs: { a: x } } } }")),
    (
        "refinement",
        inherited(
            "{ operations: { create: { inputs: { a: { type: integer, value: 4 } } } } }",
            "{ operations: { create: { inputs: { a: 3 } } } }",
        ),
    ),
    (
        "refinement",
        inherited(
            "{ operations: { create: { outputs: { v: [ SELF, out ] } } } }",
            "{ operations: { create: { outputs: { v: [ SELF, out ] } } } }",
        ),
    ),
    ("attribute-unknown", assigned("{ operations: { create: { outputs: { v: [ SELF, nope ] } } } }")),
    (
        "refinement",
        inherited(
            "{ notifications: { changed: { outputs: { v: [ SELF, out ] } } } }",
            "{ notifications: { changed: { outputs: { v: [ SELF, out ] } } } }",
        ),
    ),
    ("notification-unknown", assigned("{ notifications: { nope: a.sh } }")),
    ("key-unknown", assigned("{ notifications: { changed: { implementation: { primary: a.sh, timeout: 5 } } } }")),
    ("shape", assigned("{ notifications: { changed: { implementation: [ a.sh ] } } }")),
    ("shape", assigned("{ operations: [ create ] }")),
    ("shape", assigned("{ operations: { create: 5 } }")),
    (
        "key-unknown",
        assigned("{ operations: { create: { implementation: { primary: a.sh, operation_host: SELF } } } }"),
    ),
    (
        "operation-unknown",
        "service_template: { relationship_templates: { r: { type: Link, interfaces: { conf: { "
        "operations: { nope: a.sh } } } } } }",
    ),
    (
        "operation-unknown",
        "relationship_types: { Q: { interfaces: { conf: { type: Conf, operations: { nope: a.sh } } } } }",
    ),
    (
        "type-unknown",
        "relationship_types: { Q: { interfaces: { conf: { type: Conf, operations: { go: { "
        "inputs: { a: { type: Nope } } } } } } } }",
    ),
]


@pytest.mark.parametrize("change", VALID)
def test_an_interface_as_the_standard_has_it_is_accepted(change):
    assert verdict(changed(change)) == []


@pytest.mark.parametrize(("code", "change"), INVALID)
def test_an_interface_against_the_standard_is_an_error(code, change):
    found = verdict(changed(change))
    assert found
    assert found[0] == ("error", code)
