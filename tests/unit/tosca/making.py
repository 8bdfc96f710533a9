"""Templates that are right by construction, of every version, with what each property comes out as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import strategies as st

from isthmus.tosca import Bundle

VERSIONS = [f"tosca_simple_yaml_1_{n}" for n in range(4)]
MODERN = "tosca_2_0"
FILES = {"a.sh": b"", "b.sh": b"#!/bin/sh\n"}

_WORDS = st.text("abc XYZ-_./:é€{}'\"#%&*!|>@\\", max_size=8) | st.sampled_from(
    ["", "1.10", "yes", "null", "~", "0x1F", "4 GiB", "{{ x }}", "- a", "a: b", "get_input", "SELF", "2026-11-21"]
)
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "string": _WORDS,
    "integer": st.integers(-(2**53), 2**53),
    "float": st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3)),
    "boolean": st.booleans(),
    "list": st.lists(_WORDS, max_size=3),
    "map": st.dictionaries(st.sampled_from(["a", "b-c", "d.e", "1"]), _WORDS, max_size=3),
}


@dataclass(frozen=True, slots=True)
class Template:
    """A template with values for its inputs; ``expected`` holds nodes by name, each with what is known of it."""

    text: str
    inputs: Mapping[str, Any]
    expected: Mapping[str, Mapping[str, Any]]

    @property
    def bundle(self) -> Bundle:
        return Bundle("template.yaml", {"template.yaml": self.text.encode(), **FILES})


@dataclass(frozen=True, slots=True)
class Known:
    """Something that has a value: how it is written, of which type it is, what it comes out as."""

    written: Any
    type: str
    value: Any


@dataclass(frozen=True, slots=True)
class Maker:
    """Draws the parts of one template."""

    draw: st.DrawFn
    modern: bool

    def call(self, function: str, *args: Any) -> dict[str, Any]:
        """A function call; with one argument that is no list, as in `get_input: n`."""
        name = f"${function}" if self.modern else function
        return {name: args[0] if function == "get_input" else list(args)}

    def schema(self, kind: str) -> dict[str, Any]:
        if kind not in ("list", "map"):
            return {"type": kind}
        return {"type": kind, "entry_schema": self.draw(st.sampled_from(["string", {"type": "string"}]))}

    def literal(self, kind: str) -> Known:
        value = self.draw(VALUES[kind])
        return Known(value, kind, value)

    def atom(self, kind: str, known: list[Known]) -> Known:
        """A value of a type: written out, or taken from elsewhere."""
        of_kind = [k for k in known if k.type == kind]
        elsewhere = self.draw(st.booleans())
        if of_kind and elsewhere:
            return self.draw(st.sampled_from(of_kind))
        return self.literal(kind)

    def expression(self, kind: str, known: list[Known]) -> Known:
        """An atom, or a text put together of a few."""
        function = self.draw(st.sampled_from(["", "concat", "join"])) if kind == "string" else ""
        parts = [self.atom("string", known) for _ in range(self.draw(st.integers(1, 3)))] if function else []
        if not parts or sum(len(p.value) for p in parts) > 500:
            return self.atom(kind, known)
        written, values = [p.written for p in parts], [p.value for p in parts]
        if function == "concat":
            return Known(self.call("concat", *written), kind, "".join(values))
        return Known(self.call("join", written, "-"), kind, "-".join(values))

    def inputs(self) -> tuple[dict[str, Any], dict[str, Any], list[Known]]:
        """Declarations, the values given for some of them, and what each is known as."""
        declared, given, known = {}, {}, []
        for i, kind in enumerate(self.draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=4))):
            default, value = self.draw(VALUES[kind]), self.draw(VALUES[kind])
            declared[f"i{i}"] = {**self.schema(kind), "default": default}
            if self.draw(st.booleans()):
                given[f"i{i}"] = value
            known.append(Known(self.call("get_input", f"i{i}"), kind, given.get(f"i{i}", default)))
        return declared, given, known

    def software(
        self, name: str, kinds: Mapping[str, str], known: list[Known]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A node of the template's own type, and what its properties come out as."""
        made = {p: self.expression(kind, known) for p, kind in kinds.items() if self.draw(st.booleans())}
        inputs = {f"x{i}": self.expression("string", known).written for i in range(self.draw(st.integers(0, 2)))}
        inputs["address"] = self.call("get_attribute", "SELF", "state")
        operations = {"create": "a.sh", "configure": {"implementation": "b.sh", "inputs": inputs}}
        node = {
            "type": "Mine",
            "properties": {p: k.written for p, k in made.items()},
            "interfaces": {"Standard": {"operations": operations} if self.modern else operations},
        }
        known += [Known(self.call("get_property", name, p), k.type, k.value) for p, k in made.items()]
        return node, {p: k.value for p, k in made.items()}


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """A template of any version: machines, software on them, inputs, functions, outputs."""
    version = draw(st.sampled_from([*VERSIONS, MODERN, MODERN, MODERN]))
    make = Maker(draw, version == MODERN)
    declared, given, known = make.inputs()
    kinds = {f"p{i}": kind for i, kind in enumerate(draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=4)))}
    machines = [f"m{i}" for i in range(draw(st.integers(1, 3)))]
    nodes: dict[str, Any] = {m: _machine(draw) for m in machines}
    expected: dict[str, dict[str, Any]] = {m: {} for m in machines}
    for i in range(draw(st.integers(0, 3))):
        before = [n for n in nodes if n.startswith("s")]
        nodes[f"s{i}"], expected[f"s{i}"] = make.software(f"s{i}", kinds, known)
        nodes[f"s{i}"]["requirements"] = _requirements(draw, machines, before)
    outputs = {f"o{i}": {"value": make.expression("string", known).written} for i in range(draw(st.integers(0, 2)))}
    outputs["where"] = {"value": make.call("get_attribute", machines[0], "private_address")}
    document = _document(version, make, kinds, {"inputs": declared, "node_templates": nodes, "outputs": outputs})
    return Template(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), given, expected)


def _machine(draw: st.DrawFn) -> dict[str, Any]:
    properties = {"num_cpus": draw(st.integers(1, 64)), "mem_size": f"{draw(st.integers(1, 64))} GB"}
    return {"type": "Compute", "capabilities": {"host": {"properties": properties}}}


def _requirements(draw: st.DrawFn, machines: list[str], before: list[str]) -> list[dict[str, Any]]:
    host = draw(st.sampled_from(machines))
    needed = [{"dependency": n} for n in before if draw(st.booleans())]
    return [{"host": draw(st.sampled_from([host, {"node": host}]))}, *needed]


def _document(version: str, make: Maker, kinds: Mapping[str, str], topology: dict[str, Any]) -> dict[str, Any]:
    properties = {p: {**make.schema(kind), "required": False} for p, kind in kinds.items()}
    imports = {"imports": [{"profile": "org.oasis-open.simple:2.0"}]} if make.modern else {}
    parent = "SoftwareComponent" if make.modern else "tosca.nodes.SoftwareComponent"
    return {
        "tosca_definitions_version": version,
        **imports,
        "node_types": {"Mine": {"derived_from": parent, "properties": properties}},
        "service_template" if make.modern else "topology_template": topology,
    }
