"""The relations that are made so far: how often each requirement is met, by whom, and in which order."""

from __future__ import annotations

from collections import Counter

from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.resolving.assignments import Assignment
from isthmus.tosca.resolving.capacity import Capacity
from isthmus.tosca.resolving.templates import NodeTemplate, Relation


class Bound:
    """Adds relations to nodes and counts them."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.capacity = Capacity(functions)
        self._met: dict[tuple[str, str], Counter[str]] = {}
        self._order: dict[int, int] = {}
        self._labels: dict[str, set[str]] = {}

    def uses(self, assignment: Assignment, target: NodeTemplate) -> int:
        """How many instances of a node meet the requirement already."""
        met = self._met.get((assignment.node.name, assignment.name))
        return met[target.name] if met is not None else 0

    def add(self, assignment: Assignment, relation: Relation) -> None:
        """Relate the node of an assignment to one that meets it."""
        key = (assignment.node.name, assignment.name)
        self._met.setdefault(key, Counter())[relation.target.name] += relation.count
        self.capacity.check_names(assignment, relation.target, relation.capability)
        self.capacity.take(assignment, relation)
        self._order[id(relation)] = assignment.order
        relation.label = self._label(assignment)
        assignment.node.relate(relation)
        if relation.template is not None:
            self.functions.relations.setdefault(relation.template, relation)

    def sort(self) -> None:
        """Put the relations of every node in the order in which they are written."""
        for node in self.functions.nodes.values():
            node.relations.sort(key=lambda r: self._order[id(r)])

    def _label(self, assignment: Assignment) -> str:
        """A name for the relation that no other of the node has: operations are called by it."""
        labels = self._labels.setdefault(assignment.node.name, set())
        label, number = assignment.label, 2
        while label in labels:
            label, number = f"{assignment.name}.{number}", number + 1
        labels.add(label)
        return label
