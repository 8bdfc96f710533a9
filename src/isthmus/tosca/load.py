"""From a bundle and inputs to a topology: the steps in their order."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from isthmus.topology import Topology
from isthmus.tosca.assembly import assemble
from isthmus.tosca.bundle import Bundle
from isthmus.tosca.diagnostics import Diagnostic, Exhausted, Problems, Severity
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.grammar import check_keys, map_at
from isthmus.tosca.reading.documents import Map
from isthmus.tosca.reading.imports import Document, read_documents
from isthmus.tosca.resolving.artifacts import Artifacts
from isthmus.tosca.resolving.inputs import Inputs, parse_inputs
from isthmus.tosca.resolving.nodes import read_nodes
from isthmus.tosca.resolving.refused import without_broken
from isthmus.tosca.resolving.requirements import bind_requirements
from isthmus.tosca.typesystem.types import Types


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of a template: a topology unless a diagnostic is an error.

    ``deployable`` is whether the topology can be made real as it stands: nothing was refused either.
    ``secrets`` are the names of inputs that are secrets: the topology refers to the value of input NAME as
    ``Secret("input:NAME")``. ``leniencies`` are the names of what was accepted beyond the specification.
    """

    topology: Topology | None
    diagnostics: tuple[Diagnostic, ...]
    secrets: tuple[str, ...] = ()
    leniencies: tuple[str, ...] = ()

    @property
    def deployable(self) -> bool:
        return self.topology is not None and all(d.severity is Severity.WARNING for d in self.diagnostics)


@dataclass(frozen=True, slots=True)
class Opened:
    """A template whose documents and types are known: what :func:`load` and :func:`form` begin with.

    ``topology`` is the `topology_template` of TOSCA 1.x, the `service_template` of TOSCA 2.0.
    """

    document: Document
    topology: Map | None
    types: Types


def open_template(bundle: Bundle, problems: Problems) -> Opened | None:
    """Read documents and types; None when there is nothing to go on with."""
    documents = read_documents(bundle, problems)
    if not documents:
        return None
    types = Types(problems)
    for document in documents.values():
        types.add(document)
    main = documents[bundle.main]
    topology = map_at(main.root, "service_template" if main.version == 2 else "topology_template", problems)
    if topology is not None:
        check_keys(topology, "topology_template", problems)
    return Opened(main, topology, types)


def load(bundle: Bundle, inputs: Mapping[str, Any] = MappingProxyType({})) -> Loaded:
    """Resolve a template with values for its inputs.

    Never raises for what a bundle or an input holds; every mistake found is in the diagnostics.
    """
    with _collecting_later(bundle):
        return _load(bundle, inputs)


@contextmanager
def _collecting_later(bundle: Bundle) -> Iterator[None]:
    """Pause Python's search for cyclic garbage while a large template is read.

    Hundreds of thousands of values are made, none of which is garbage until the end; looking through all of
    them again and again would take half of the time, and grow faster than the template.
    """
    if len(bundle.files.get(bundle.main, b"")) < _LARGE or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


_LARGE = 2**16
"""Bytes from which a document is large."""


def _load(bundle: Bundle, inputs: Mapping[str, Any]) -> Loaded:
    problems = Problems()
    functions = Functions(problems, Artifacts(bundle, problems))
    topology = None
    try:
        opened = open_template(bundle, problems)
        if opened is not None:
            topology = _resolve(opened, inputs, functions)
    except Exhausted:
        topology = None
    if topology is not None and problems.refused:
        topology = without_broken(topology)
    return Loaded(
        None if problems.failed else topology,
        (*problems.list(), *bundle.remarks),
        functions.inputs.secrets if functions.inputs is not None else (),
        tuple(problems.leniencies),
    )


def _resolve(opened: Opened, inputs: Mapping[str, Any], functions: Functions) -> Topology:
    types, topology, main, problems = opened.types, opened.topology, opened.document, functions.problems
    declared = map_at(topology, "inputs", problems)
    names = frozenset(declared.entries) if declared is not None else frozenset[str]()
    definitions = parse_inputs(topology, types, main)
    functions.custom = types.custom
    functions.inputs = Inputs(definitions, names, inputs, functions.converter, problems)
    functions.inputs.check()
    read_nodes(topology, types, main, functions)
    bind_requirements(topology, types, main, functions)
    result = assemble(main, topology, types, functions)
    types.custom.check_all()
    types.check_all(Converter(problems, lambda name, node, scope: BROKEN))
    functions.inputs.check_unused(topology)
    return result
