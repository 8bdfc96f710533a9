"""Asking tasks to end: a file that their supervisors watch for, then the scheduler's own way."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .briefs import Brief, read_brief
from .locks import Turns, locked
from .places import Places, checked_index, folder
from .scheduler import Batch
from .submissions import Submissions, site_id

_Tasks = Dict[str, Tuple[str, Optional[List[int]]]]


def cancel(
    places: Places, submissions: Submissions, batch: Batch, turns: Turns,
    tasks: Mapping[str, Any], grace: Optional[float],
) -> None:  # fmt: skip
    """End ``tasks`` (id to indices, None for all), gently for ``grace`` seconds (None: what each order says)."""
    by_grace: Dict[float, Tuple[_Tasks, Dict[str, Brief]]] = {}
    for id, chosen in sorted(tasks.items()):
        place = places.submission(id)
        indices = None if chosen is None else [checked_index(index) for index in chosen]
        with contextlib.suppress(FileNotFoundError), locked(place):
            found = _find(submissions, id, place)
            if found is None:
                continue
            brief = read_brief(place)
            ending = brief["indices"] if indices is None else [i for i in indices if i in set(brief["indices"])]
            for index in ending:
                _mark(place, index, grace)
            if found and ending:
                seconds = brief["grace"] if grace is None else max(0.0, float(grace))
                group, briefs = by_grace.setdefault(seconds, ({}, {}))
                group[id] = (found, indices)
                briefs[id] = brief
    for seconds, (group, briefs) in sorted(by_grace.items()):
        with turns:
            batch.cancel(group, seconds, briefs)


def _find(submissions: Submissions, id: str, place: Path) -> Optional[str]:
    """The scheduler's id, asked for by name where it was not written down; None when there is none."""
    known = site_id(place)
    if known or (known is None and not submissions.is_doubtful(place)):
        return known
    return submissions.find([id]).get(id, known)


def _mark(place: Path, index: int, grace: Optional[float]) -> None:
    """Leave the file that a supervisor watches for; it has the seconds of grace, unless the order's are meant."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with folder(place, ("tasks", str(index)), make=True) as task:
        descriptor = os.open("cancel", flags, 0o600, dir_fd=task)
        try:
            os.write(descriptor, b"" if grace is None else "{:g}\n".format(max(0.0, float(grace))).encode())
        finally:
            os.close(descriptor)
