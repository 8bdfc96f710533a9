"""The nodes of a queue by what each one has: equal ones are counted together. Pure."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

MOST = 64
"""Shapes of a queue that are told of one by one."""
_GIB = 1024**3
Node = Tuple[Optional[float], Optional[int], Optional[Mapping[str, int]]]


def shapes(nodes: Iterable[Node]) -> List[Dict[str, Any]]:
    """Processors, bytes and GPUs by type of each node, as :class:`isthmus.sites.jobs.Nodes`; the largest first.

    What is not told of a node is None. Where machines differ by some bytes only, their memory is told in whole GiB,
    rounded up.
    """
    nodes = list(nodes)
    counted = _count(nodes)
    if len(counted) > MOST:
        counted = _count((cpus, None if m is None else -(-m // _GIB) * _GIB, gpus) for cpus, m, gpus in nodes)
    largest = sorted(counted, key=lambda key: (sum(n for _, n in key[2] or ()), key[0] or 0, key[1] or 0), reverse=True)
    return [
        {
            "count": counted[cpus, memory, gpus],
            "cpus": cpus,
            "memory": memory,
            "gpus": None if gpus is None else dict(gpus),
        }
        for cpus, memory, gpus in largest
    ]


def _count(nodes: Iterable[Node]) -> Dict[Any, int]:
    counted = {}  # type: Dict[Any, int]
    for cpus, memory, gpus in nodes:
        key = cpus, memory, None if gpus is None else tuple(sorted(gpus.items()))
        counted[key] = counted.get(key, 0) + 1
    return counted
