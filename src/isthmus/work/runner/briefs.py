"""What the agent keeps of an order for as long as its submission has a folder: no secrets, and little to read.

The order itself has secrets; they are taken out of it when all its tasks have ended.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Set

from .failures import Permanent
from .places import (
    checked_digest,
    checked_id,
    checked_index,
    mode,
    parts,
    read_small,
    write_json,
)
from .removing import remove_tree

Brief = Dict[str, Any]
TASKS = 100_000


def make_brief(order: object) -> Brief:
    """The brief of an order; :class:`Permanent` when the order is not well-formed."""
    try:
        return _brief(order)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Permanent("not an order: {}: {}".format(type(error).__name__, error)) from None


def _brief(order: Any) -> Brief:
    spec = order["spec"]
    indices = [checked_index(index) for index in order["indices"]]
    if not 0 < len(indices) <= TASKS or len(set(indices)) != len(indices):
        raise ValueError("its tasks are not between 1 and {} different ones".format(TASKS))
    inputs = []
    for given in spec.get("inputs") or ():
        if given.get("digest") is None:
            raise Permanent("input {}: a URL is pulled before the order is handed over".format(given.get("path")))
        inputs.append({"path": "/".join(parts(given["path"])), "digest": checked_digest(given["digest"]),
                       "mode": mode(given["mode"])})  # fmt: skip
    files = [file for volume in spec.get("volumes") or () for file in volume.get("files") or ()]
    outputs = [{"path": "/".join(parts(o["path"])), "url": o.get("url")} for o in spec.get("outputs") or ()]
    return {
        "id": checked_id(order["id"]),
        "name": str(order["name"]),
        "indices": indices,
        "grace": float(spec.get("grace", 30)),
        "inputs": inputs,
        "files": sorted({checked_digest(file["digest"]) for file in files if file.get("digest") is not None}),
        "outputs": outputs,
    }


def read_brief(folder: Path) -> Brief:
    """The brief of a submission; OSError when it has none, or it was never finished."""
    try:
        brief = json.loads(read_small(folder, ("brief.json",), 64 * 1024 * 1024))
        return {**brief, "indices": [int(index) for index in brief["indices"]]}
    except (ValueError, KeyError, TypeError) as error:
        raise OSError("{}: not a brief: {}".format(folder, error)) from None


def digests(brief: Brief) -> Set[str]:
    """The blobs that a submission needs."""
    return {given["digest"] for given in brief["inputs"]} | set(brief["files"])


def forget_secrets(folder: Path) -> None:
    """Take the secrets out of the order of a submission that has ended."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        order = json.loads(read_small(folder, ("order.json",), 64 * 1024 * 1024))
        held = [c for c in _containers(order["spec"]) if c.get("secrets")]
        held_files = [v for v in order["spec"].get("volumes") or () if v.get("files")]
        for container in held:
            container["secrets"] = {}
        for volume in held_files:
            volume["files"] = []
        if held or held_files:
            write_json(folder / "order.json", order)
        if held_files:
            _remove_volumes(folder)


def _remove_volumes(folder: Path) -> None:
    """Remove what supervisors have left that were killed before they could: with a node, say."""
    with contextlib.suppress(OSError):
        for index in os.listdir(str(folder / "tasks")):
            with contextlib.suppress(OSError):
                remove_tree(folder / "tasks" / index / "volumes")


def _containers(spec: Dict[str, Any]) -> List[Dict[str, Any]]:
    return list(spec.get("init") or ()) + list(spec.get("containers") or ())
