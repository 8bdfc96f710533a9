"""The driver of an HTCondor pool: jobs are handed over on its submit machine, which is reached over SSH.

Nodes share no files with it. What a job needs travels with it, its reports and logs come back on its output while
it runs, and its outputs when it has ended. All tasks of an array run in a sandbox of their own, and their outputs
come together in one: where two have the same name, the one that ended last stays. So do those of a job of several
processes (launch each), which HTCondor starts together in its parallel universe, on nodes that obey a dedicated
scheduler; a process finds its rank in ``_CONDOR_PROCNO``, their number in ``_CONDOR_NPROCS``. A job of several nodes
whose program starts the processes itself (launch once) gets them there too; it reaches them as
:mod:`isthmus.work.runner.spanning` tells, since nobody may log in to a node.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from isthmus.sites.batch.channel import SshChannel
from isthmus.sites.batch.driver import BatchDriver
from isthmus.sites.errors import Unsupported
from isthmus.sites.htcondor.options import parse_options
from isthmus.work.job import JobSpec, Launch

OPTIONS = ("accounting_group", "disk", "priority", "requirements")
"""What a job may ask for: a group, a size such as ``10GiB``, a whole number, names from the site's list."""


class HTCondorDriver(BatchDriver):
    """A pool. ``options`` are those of :class:`~isthmus.sites.htcondor.options.Options`."""

    kind = "htcondor"
    takes = OPTIONS

    def __init__(self, name: str, options: Mapping[str, object]):
        self.options = parse_options(name, options)
        super().__init__(
            name,
            SshChannel(self.options),
            "isthmus.sites.htcondor.remote",
            folder=self.options.folder,
            config=self.options.config,
            runtime=self.options.runtime_order,
            python=self.options.python,
            carried=True,
            stream=True,
            timeout=self.options.timeout,
        )

    def check(self, spec: JobSpec) -> None:
        """Raise :class:`Unsupported` for what a pool is not asked for here."""
        super().check(spec)
        if self.options.runtime == "none" and any(c.image is not None for c in (*spec.init, *spec.containers)):
            raise Unsupported("image: nothing runs containers on this pool")
        asked, each = spec.resources, _starts_each(spec)
        if each and asked.nodes not in (1, asked.tasks):
            raise Unsupported("resources.nodes: where a pool starts each process, each is on a node of its own")
        if (each or asked.nodes > 1) and spec.array is not None:
            raise Unsupported("array: an HTCondor pool starts one job of several nodes at a time")
        if _spans(spec) and any(c.image is not None for c in (*spec.init, *spec.containers)):
            raise Unsupported("image: on a pool a job of several nodes that starts its processes itself is a plain one")
        if _spans(spec) and len(spec.containers) > 1:
            raise Unsupported("containers: on a pool a job of several nodes that starts its processes itself has one")

    def runtime_for(self, spec: JobSpec) -> Mapping[str, object]:
        """Where HTCondor starts each process with a supervisor of its own, there is nothing left to launch."""
        if _starts_each(spec):
            return {**self.options.runtime_order, "launcher": ["/usr/bin/env"], "processes": 1}
        if _spans(spec):
            return {**self.options.runtime_order, "span": secrets.token_hex(32), "rank": "_CONDOR_PROCNO"}
        return self.options.runtime_order


def _starts_each(spec: JobSpec) -> bool:
    return spec.launch is Launch.EACH and spec.resources.tasks > 1


def _spans(spec: JobSpec) -> bool:
    return spec.resources.nodes > 1 and not _starts_each(spec)
