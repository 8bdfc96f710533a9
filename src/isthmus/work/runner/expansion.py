"""``$(NAME)`` in commands, arguments and subPathExpr, as Kubernetes expands it before it starts a container."""

from __future__ import annotations

import re
from typing import Mapping, Match

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, values: Mapping[str, str]) -> str:
    """``text`` with references resolved; ``$$`` is a dollar, and what is not known stays as written."""

    def resolve(found: Match[str]) -> str:
        name = found[1]
        return "$" if name is None else values.get(name, found[0])

    return _REFERENCE.sub(resolve, text)
