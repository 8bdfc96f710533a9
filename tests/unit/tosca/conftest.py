"""What every test of the language uses: templates as text, resolved in memory."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from isthmus.topology import Topology
from isthmus.tosca import Bundle, Loaded, load

HEAD = "tosca_definitions_version: tosca_simple_yaml_1_3\n"


def make_bundle(text: str, files: dict[str, str | bytes] | None = None) -> Bundle:
    text = textwrap.dedent(text).lstrip("\n")
    if "tosca_definitions_version" not in text:
        text = HEAD + text
    content = {"template.yaml": text.encode()}
    content |= {
        p: textwrap.dedent(c).lstrip("\n").encode() if isinstance(c, str) else c for p, c in (files or {}).items()
    }
    return Bundle("template.yaml", content)


@pytest.fixture
def bundle() -> Callable[..., Bundle]:
    """Makes a bundle of a template's text and further files."""
    return make_bundle


@pytest.fixture
def loaded() -> Callable[..., Loaded]:
    """Loads a template's text with further files and inputs."""

    def run(text: str, files: dict[str, str | bytes] | None = None, **inputs: Any) -> Loaded:
        return load(make_bundle(text, files), inputs)

    return run


@pytest.fixture
def resolved(loaded: Callable[..., Loaded]) -> Callable[..., Topology]:
    """The topology of a template in which nothing is wrong."""

    def run(text: str, files: dict[str, str | bytes] | None = None, **inputs: Any) -> Topology:
        result = loaded(text, files, **inputs)
        assert result.topology is not None, "\n".join(d.render() for d in result.diagnostics)
        return result.topology

    return run


@pytest.fixture
def refused(loaded: Callable[..., Loaded]) -> Callable[..., list[tuple[str, int, int]]]:
    """Code, line and column of each error and refusal of a template that must have some; lines count the head as 1."""

    def run(text: str, files: dict[str, str | bytes] | None = None, **inputs: Any) -> list[tuple[str, int, int]]:
        result = loaded(text, files, **inputs)
        assert not result.deployable
        errors = [d for d in result.diagnostics if d.severity != "warning"]
        assert errors
        return [(d.code, d.position.line, d.position.column) if d.position else (d.code, 0, 0) for d in errors]

    return run
