"""Formatting changes how a document lies on its lines, and nothing else."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus import catalogue
from isthmus.tosca.tools.formatting import FormatError, format_document

from .score import CORPORA


def formatted(text: str) -> str:
    return format_document("t.yaml", textwrap.dedent(text).lstrip("\n").encode()).decode()


def lines(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def test_keys_come_in_the_usual_order_with_their_comments() -> None:
    assert formatted("""
        # Who owns this.

        node_types:
            Own:
                # what it takes
                properties:
                    size: { type: integer }   # in cores
                derived_from: tosca.nodes.Root
        # the version
        tosca_definitions_version:   tosca_simple_yaml_1_3
        description: A thing.
        """) == lines("""
        # Who owns this.

        # the version
        tosca_definitions_version: tosca_simple_yaml_1_3
        description: A thing.

        node_types:
          Own:
            derived_from: tosca.nodes.Root
            # what it takes
            properties:
              size: { type: integer }  # in cores
        """)


def test_names_and_values_keep_their_order() -> None:
    text = lines("""
        tosca_definitions_version: tosca_simple_yaml_1_3

        topology_template:

          node_templates:
            z:
              type: tosca.nodes.Compute
              properties:
                type: x
                description: y
                a: { z: 1, b: 2 }
            a:
              type: tosca.nodes.Compute
        """)
    assert formatted(text) == text


def test_lists_are_indented_below_their_key() -> None:
    assert formatted("""
        imports:
        - a.yaml
        # the second
        -   file:    b.yaml
            namespace_prefix: b
        -
          - nested
        """) == lines("""
        imports:
          - a.yaml
          # the second
          - file: b.yaml
            namespace_prefix: b
          - - nested
        """).replace("  - - nested", "  -\n    - nested")


def test_the_first_key_of_a_list_entry_may_change() -> None:
    assert formatted("""
        imports:
          - namespace_prefix: b
            # which file
            file: b.yaml
        """) == lines("""
        imports:
          # which file
          - file: b.yaml
            namespace_prefix: b
        """)


def test_block_scalars_keep_every_character() -> None:
    assert formatted("""
        description: |
            one
              two

            three
        metadata:
            kept: |+
                text

            folded: >-
                a
                b
            exact: |2
                spaces
        """) == lines("""
        description: |
          one
            two

          three

        metadata:
          kept: |+
            text

          folded: >-
            a
            b
          exact: |2
              spaces
        """)


def test_quotes_anchors_and_flow_collections_stay() -> None:
    text = lines("""
        tosca_definitions_version: "tosca_simple_yaml_1_3"

        dsl_definitions:
          host: &host { num_cpus: 1,
            mem_size: '1 GB' }
          other: &other
            a: "b: c"  # d

        metadata:
          <<: *other
        """)
    assert formatted(text).count("'1 GB'") == 1
    assert formatted(text) == formatted(formatted(text))
    assert "mem_size: '1 GB' }" in formatted(text)


def test_an_alias_is_not_moved_before_its_anchor() -> None:
    text = lines("""
        topology_template: &t
          description: x
        description: &d later
        metadata:
          a: *d
          b: *t
        """)
    assert formatted(text).startswith("topology_template: &t")


def test_deep_comments_stay_with_what_they_follow() -> None:
    assert formatted("""
        node_types:
            A:
                derived_from: B
                # after B
            # after A
        # before the topology
        topology_template:
            description: x
        # the end
        """) == lines("""
        node_types:
          A:
            derived_from: B
            # after B
          # after A

        # before the topology
        topology_template:
          description: x
        # the end
        """)


def test_line_endings_blank_lines_and_the_end_are_made_even() -> None:
    text = b"\xef\xbb\xbf\r\ndescription: x  \r\n\r\n\r\n\r\nmetadata:\r\n  a: 1\r\n\r\n\r\n"
    assert format_document("t.yaml", text) == b"description: x\n\nmetadata:\n  a: 1\n"


def test_a_document_in_flow_style_keeps_its_lines() -> None:
    assert formatted('{"description": "x",   \n "metadata": {}}\n\n') == '{"description": "x",\n "metadata": {}}\n'


def test_a_block_scalar_at_the_end_of_a_file_gets_no_line_more() -> None:
    assert format_document("t.yaml", b"description: |\n    x") == b"description: |\n  x"


@pytest.mark.parametrize(
    "text",
    ["a: [", "a: 1\na: 2\n", "? [a]\n: b\n", "a: *b\n", "- " * 80 + "a\n", "a: 1\n---\nb: 2\n", "", "a: \x85 b\n"],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        format_document("t.yaml", text.encode())


def test_an_explicit_key_is_refused_by_its_line() -> None:
    with pytest.raises(FormatError, match="line 2"):
        formatted("description: x\n? metadata\n: {}\n")


def test_aliases_that_multiply_are_refused_before_anything_is_laid_out() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    with pytest.raises(FormatError) as caught:
        formatted(bomb)
    assert caught.value.diagnostics[0].code == "yaml-alias"


@pytest.mark.parametrize("name", catalogue.names())
def test_the_catalogue_is_formatted_to_something_stable(name: str) -> None:
    for path, content in catalogue.bundle(name).files.items():
        if path.endswith(".yaml"):
            once = format_document(path, content)
            assert format_document(path, once) == once


def characters(text: bytes) -> Counter[str]:
    return Counter("".join(text.decode("utf-8-sig").split()))


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not here")
def test_public_templates_keep_every_character_and_are_stable() -> None:
    done = 0
    for path in sorted(CORPORA.rglob("*.yaml"))[::8]:
        content = path.read_bytes()
        try:
            once = format_document(path.name, content)
        except FormatError:
            continue
        assert format_document(path.name, once) == once, path
        assert characters(once) == characters(content), path
        done += 1
    assert done > 40


SCALARS = st.sampled_from(
    ["1", "x", "'a # b'", '"a: b"', "[ 1, 2 ]", "{ a: 1 }", "~", "|\n{i}    text\n\n{i}    more", ""]
)
KEYS = st.sampled_from(["type", "properties", "requirements", "description", "interfaces", "own", "inputs"])
REMARKS = st.sampled_from(["", "", "\n", "# remark\n", "\n# one\n\n# two\n"])


@st.composite
def blocks(draw: Any, depth: int = 0, indent: int = 0) -> str:
    step, text = draw(st.sampled_from([2, 3, 4])), ""
    as_list = depth and draw(st.booleans())
    keys = draw(st.lists(KEYS, min_size=1, max_size=3, unique=True))
    for key in keys:
        space = " " * indent
        text += "".join(f"{space}{line}\n" if line else "\n" for line in draw(REMARKS).splitlines())
        head = f"{space}-" if as_list else f"{space}{key}:"
        if depth < 3 and draw(st.booleans()):
            text += f"{head}\n{draw(blocks(depth=depth + 1, indent=indent + step))}"
        else:
            text += f"{head} {draw(SCALARS).replace('{i}', space)}\n"
    return text


@given(blocks())
def test_any_document_of_blocks_is_formatted_once_and_for_all(text: str) -> None:
    once = format_document("t.yaml", text.encode())
    assert format_document("t.yaml", once) == once
    assert characters(once) == characters(text.encode())
