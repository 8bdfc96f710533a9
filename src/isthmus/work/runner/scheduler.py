"""What the agent asks of a site's batch system: the interface of ``isthmus/sites/<kind>/remote``.

Such a module (or package) has a class ``Batch`` with these methods. It travels as ``batch`` next to this package, and
runs under Python 3.8 with the standard library alone; it may import from :mod:`isthmus.work.runner`. It raises
:class:`~isthmus.work.runner.failures.Failure` (or answers one as ``told()``); calls of it come one at a time.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple


class Batch(Protocol):
    """A batch system, as the user sees it who is logged in.

    ``absorb(folder, index=None)`` is optional: streaming sites bring reports and logs up to date in it.
    """

    def __init__(self, config: Dict[str, Any], root: Path): ...

    def submit(self, orders: List[Dict[str, Any]]) -> Sequence[Optional[Dict[str, Any]]]:
        """Hand over each of ``{"id", "folder": Path, "order": dict, "command": argv}``.

        For each None, after its id in the scheduler was written to ``folder/site-id``
        (:func:`~isthmus.work.runner.places.write_whole`), or why not. ``temporary`` says that the scheduler may
        have taken it for all that is known, the other kinds that it has not.
        ``command`` starts the supervisor but for ``--index``.
        """

    def find(self, ids: Sequence[str]) -> Dict[str, str]:
        """Ids in the scheduler of those submissions that it knows by their name, ``isthmus-<id>``."""

    def query(self, site_ids: Dict[str, str]) -> Mapping[str, Mapping[int, Mapping[str, Any]]]:
        """How tasks stand by submission and index, from one command for all.

        A task: ``state`` (a JobState's value), and of ``reason``, ``words``, ``exit_code``, ``host``, ``queued``,
        ``started``, ``ended``, ``cpu_seconds``, ``peak_memory`` and ``site_id`` what is known; ``report``, its
        supervisor's last status in JSON, where no file has that. What the scheduler does not know any more is left
        out. Raises when it did not answer.
        """

    def cancel(
        self, tasks: Dict[str, Tuple[str, Optional[List[int]]]], grace: float, order: Dict[str, Dict[str, Any]]
    ) -> None:
        """End ``{id: (site_id, indices or None for all)}``; ``order`` has the brief of each by id.

        The file ``cancel`` stands in the folders of the tasks already.
        """

    def facilities(self) -> Dict[str, Any]:
        """As :class:`isthmus.sites.jobs.Facilities`, in JSON."""


class Meeting(Protocol):
    """What the nodes of a job that the scheduler started together know of each other: ``rank`` of ``size``.

    Only modules of sites have it whose drivers say ``span`` in the runtime of such jobs.
    """

    rank: int
    size: int

    def post(self, name: str, value: str) -> None:
        """Let the others know something."""

    def read(self, name: str, patience: float) -> str:
        """What another has posted; raises when it has not within so many seconds."""


def load(config: Dict[str, Any], root: Path) -> Batch:
    """The batch system whose module travelled with this program."""
    return importlib.import_module("batch").Batch(config, root)  # type: ignore[no-any-return]


def meet() -> Meeting:
    """The nodes that were given to this job."""
    return importlib.import_module("batch").Meeting()  # type: ignore[no-any-return]
