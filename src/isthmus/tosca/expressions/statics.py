"""Checks expressions where there is no graph to ask yet, as in the validation clauses of types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.topology import Call
from isthmus.tosca.expressions.arguments import NOTHING
from isthmus.tosca.expressions.evaluation import Evaluation
from isthmus.tosca.typesystem.typed import INTEGER, STRING, Typed

if TYPE_CHECKING:
    from isthmus.tosca.diagnostics import Problems
    from isthmus.tosca.expressions.custom import CustomFunctions
    from isthmus.tosca.expressions.syntax import FunctionCall
    from isthmus.tosca.resolving.templates import Scope

UNKNOWN = Call("unknown", ())
"""Stands for a value that only a template has."""

_COUNTS: dict[str, tuple[int, int | None]] = {
    "get_input": (1, None),
    "get_property": (2, None),
    "get_attribute": (2, None),
    "get_artifact": (2, None),
    "available_allocation": (2, None),
    "node_index": (0, 0),
    "relationship_index": (0, 0),
    "get_secret": (1, 1),
}
_RESULTS = {"node_index": INTEGER, "relationship_index": INTEGER, "get_artifact": STRING, "get_secret": STRING}


class Statics:
    """An evaluation in which whatever asks the graph is unknown; its ``converter`` works expressions out."""

    def __init__(self, problems: Problems, custom: CustomFunctions) -> None:
        self._evaluation = Evaluation(problems, self, custom)
        self.converter = self._evaluation.converter

    def query(self, call: FunctionCall, scope: Scope) -> Typed:
        """An unknown value, if the call has as many arguments as it needs."""
        if not self._evaluation.expressions.counted(call, *_COUNTS[call.name]):
            return NOTHING
        return Typed(UNKNOWN, _RESULTS.get(call.name))
