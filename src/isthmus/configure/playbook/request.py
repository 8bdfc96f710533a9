"""What the server tells a playbook's process: which playbook, on which machines, with which inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Host:
    """One machine: its inputs, and the Python that its agent found."""

    name: str
    python: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One run. ``folder`` holds ``bundle``, with the playbook ``entry`` in it, and ``tmp``."""

    folder: str
    entry: str
    hosts: tuple[Host, ...]

    def dump(self) -> bytes:
        """The request as JSON."""
        return json.dumps(asdict(self)).encode()


def load_request(text: bytes) -> Request:
    """The request that :meth:`Request.dump` made."""
    data = json.loads(text)
    return Request(data["folder"], data["entry"], tuple(Host(**host) for host in data["hosts"]))
