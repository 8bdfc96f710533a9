"""What holds for every template: JSON and back, inputs stay out of types, keys in any order, places in the file."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from isthmus.tosca import Bundle, Form, Loaded, form, load
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.load import open_template
from isthmus.tosca.profiles import SIMPLE
from isthmus.tosca.reading.documents import plain
from isthmus.tosca.tools.interchange import to_json
from isthmus.tosca.typesystem.types import Types, normative_types

from ...fuzz.mutations import mutate
from ...fuzz.oracle import HOSTILE, check, check_interchange, check_loaded
from ...fuzz.packing import pack, unpack
from ...fuzz.seeds import built_in, public, public_names
from .making import Template, templates

SEEDS = built_in()
PUBLIC = public_names()
# A failure is the same in every run, and shrinking it would take minutes.
settings.register_profile("tosca", settings.get_profile("unhurried"), phases=[Phase.explicit, Phase.generate])
bounded = settings.get_profile("tosca")
quick = settings(bounded, max_examples=40)
thorough = settings(bounded, max_examples=120)
needs_corpora = pytest.mark.skipif(not PUBLIC, reason="the corpora are not beside the repository")


def told(loaded: Loaded) -> str:
    return "\n".join(d.render() for d in loaded.diagnostics)


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_of_mutation_load(name: str) -> None:
    loaded = check(unpack(SEEDS[name]))
    assert loaded.topology is not None, told(loaded)


@pytest.mark.parametrize("name", SEEDS)
def test_a_packed_bundle_is_the_same_when_it_is_unpacked(name: str) -> None:
    assert pack(unpack(SEEDS[name])) == SEEDS[name]


# ---------------------------------------------------------------------------------------------
# JSON and back


@thorough
@given(templates())
def test_a_template_means_what_it_says_and_is_the_same_after_json(template: Template) -> None:
    loaded = load(template.bundle, template.inputs)
    assert loaded.topology is not None, f"{template.text}\n{told(loaded)}"
    nodes = loaded.topology.nodes
    assert list(nodes) == list(template.expected)
    for name, properties in template.expected.items():
        assert {k: nodes[name].properties.get(k) for k in properties} == properties, template.text
    check_interchange(loaded.topology)


# ---------------------------------------------------------------------------------------------
# inputs stay out of types


def picture(types: Types) -> dict[tuple[str, str, str], Any]:
    """All that types say, as plain values."""
    return {
        (t.kind, t.document.file, t.name): (
            plain(t.node),
            [a.name for a in t.ancestors],
            {n: (d.schema.type, d.required, plain(d.default), repr(d.schema.constraints))
             for n, d in t.properties.items()} if t.kind in ("node", "relationship", "capability", "data") else {},
        )
        for t in types
    }  # fmt: skip


def types_of(bundle: Bundle) -> dict[tuple[str, str, str], Any]:
    opened = open_template(bundle, Problems())
    assert opened is not None
    return picture(opened.types)


@quick
@given(templates(), st.data())
def test_inputs_leak_into_no_type_no_form_and_no_other_load(template: Template, data: st.DataObject) -> None:
    bundle = template.bundle
    types, asked, normative = types_of(bundle), form(bundle), picture(normative_types(SIMPLE))
    first = load(bundle, template.inputs)
    for _ in range(2):
        load(bundle, {name: data.draw(st.sampled_from(HOSTILE)) for name in template.inputs})
    assert types_of(bundle) == types
    assert form(bundle) == asked
    assert picture(normative_types(SIMPLE)) == normative
    assert load(bundle, template.inputs) == first


@pytest.mark.parametrize("name", SEEDS)
def test_a_load_leaves_nothing_behind_for_the_next_one(name: str) -> None:
    seed = unpack(SEEDS[name])
    first = {other: load(unpack(SEEDS[other])) for other in SEEDS}
    for i in range(20):
        load(unpack(mutate(SEEDS[name], Random(i), list(SEEDS.values()))), {"n": i, "word": "other"})
    assert {other: load(unpack(SEEDS[other])) for other in SEEDS} == first
    assert load(seed) == first[name]


@quick
@given(st.dictionaries(st.sampled_from(["n", "word", "ports", "token", "x"]),
                       st.recursive(st.sampled_from(HOSTILE) | st.text() | st.floats() | st.integers(),
                                    lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=8)),
       st.sampled_from(sorted(SEEDS)))  # fmt: skip
def test_any_input_is_taken_or_refused(inputs: dict[str, Any], name: str) -> None:
    bundle = unpack(SEEDS[name])
    check_loaded(load(bundle, inputs), bundle)


# ---------------------------------------------------------------------------------------------
# order of keys


def shuffled(text: bytes, random: Random) -> bytes:
    """The document with the entries of every map in another order; the version stays first."""
    root = yaml.compose(text, yaml.CSafeLoader)
    if root is None:
        return text
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            random.shuffle(node.value)
            node.value.sort(key=lambda entry: entry[0].value != "tosca_definitions_version")
            stack += [part for entry in node.value for part in entry]
        elif isinstance(node, yaml.SequenceNode):
            stack += node.value
    return yaml.serialize(root, Dumper=yaml.CSafeDumper, allow_unicode=True).encode()


def shuffle(bundle: Bundle, random: Random) -> Bundle:
    return Bundle(bundle.main, {p: shuffled(c, random) if p.endswith("ml") else c for p, c in bundle.files.items()})


def meaning(loaded: Loaded) -> tuple[Any, set[str]]:
    """A topology as maps without order, and the codes of what was found."""
    topology = None if loaded.topology is None else to_json(loaded.topology)
    return topology, {d.code for d in loaded.diagnostics}


def check_order(bundle: Bundle, random: Random) -> None:
    other = shuffle(bundle, random)
    assert meaning(load(other)) == meaning(load(bundle)), other.files[other.main].decode()
    asked, again = form(bundle), form(other)
    assert isinstance(asked, Form) == isinstance(again, Form)
    if isinstance(asked, Form) and isinstance(again, Form):
        assert asked.inputs.keys() == again.inputs.keys()


@quick
@given(templates(), st.integers(0, 2**32))
def test_the_order_of_keys_does_not_matter(template: Template, seed: int) -> None:
    check_order(template.bundle, Random(seed))


@pytest.mark.parametrize("name", SEEDS)
def test_the_order_of_keys_does_not_matter_to_a_seed(name: str) -> None:
    for i in range(10):
        check_order(unpack(SEEDS[name]), Random(i))


ORDERED = ("requirements-and-capabilities", "not_first_line")
"""Templates whose order tells something: who comes first gets what is scarce, or where the version stands."""


@needs_corpora
@pytest.mark.parametrize("name", [n for n in PUBLIC[::7] if not any(word in n for word in ORDERED)])
def test_the_order_of_keys_does_not_matter_to_a_public_template(name: str) -> None:
    bundle = unpack(public(name))
    try:
        other = shuffle(bundle, Random(name))
    except yaml.YAMLError:
        pytest.skip("it is no YAML on purpose")
    (topology, codes), (again, known) = meaning(load(bundle)), meaning(load(other))
    assert known == codes
    assert (topology or {}).get("nodes") == (again or {}).get("nodes")


# ---------------------------------------------------------------------------------------------
# mutated documents


@thorough
@given(st.sampled_from(sorted(SEEDS)), st.integers(0, 2**32))
def test_a_mutated_template_loads_or_is_told_why_not(name: str, seed: int) -> None:
    check(unpack(mutate(SEEDS[name], Random(seed), list(SEEDS.values()))))


@needs_corpora
@thorough
@given(st.sampled_from(PUBLIC or [""]), st.integers(0, 2**32))
def test_a_mutated_public_template_loads_or_is_told_why_not(name: str, seed: int) -> None:
    check(unpack(mutate(public(name), Random(seed), list(SEEDS.values()))))


@quick
@given(st.sampled_from(sorted(SEEDS)), st.integers(0, 2**32))
def test_a_template_mutated_many_times_loads_or_is_told_why_not(name: str, seed: int) -> None:
    random, data = Random(seed), SEEDS[name]
    for _ in range(6):
        data = mutate(data, random, list(SEEDS.values()))
    check(unpack(data))


@quick
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    check(Bundle("main.yaml", {"main.yaml": data}))
