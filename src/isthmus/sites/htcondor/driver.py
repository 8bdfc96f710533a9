"""The driver of an HTCondor pool: jobs are handed over on its submit machine, which is reached over SSH.

Nodes share no files with it. What a job needs travels with it, its reports and logs come back on its output while
it runs, and its outputs when it has ended. All tasks of an array run in a sandbox of their own, and their outputs
come together in one: where two have the same name, the one that ended last stays. So do those of a job of several
processes (launch each), which HTCondor starts together in its parallel universe, on nodes that obey a dedicated
scheduler; a process finds its rank in ``_CONDOR_PROCNO``, their number in ``_CONDOR_NPROCS``.
"""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.sites.batch.channel import SshChannel
from isthmus.sites.batch.driver import BatchDriver, refuse_unknown
from isthmus.sites.errors import Unsupported
from isthmus.sites.htcondor.options import parse_options
from isthmus.work.job import JobSpec, Launch

OPTIONS = ("accounting_group", "disk", "priority", "requirements")
"""What a job may ask for: a group, a size such as ``10GiB``, a whole number, names from the site's list."""


class HTCondorDriver(BatchDriver):
    """A pool. ``options`` are those of :class:`~isthmus.sites.htcondor.options.Options`."""

    kind = "htcondor"

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
        refuse_unknown(spec, OPTIONS)
        if self.options.runtime == "none" and any(c.image is not None for c in (*spec.init, *spec.containers)):
            raise Unsupported("image: nothing runs containers on this pool")
        asked, each = spec.resources, spec.launch is Launch.EACH and spec.resources.tasks > 1
        if asked.nodes > 1 and not (each and asked.nodes == asked.tasks):
            raise Unsupported(
                "resources.nodes: a job is on one node of a pool, or starts one process on each (launch each); "
                "a pool does not let one node start what runs on others"
            )
        if each and spec.array is not None:
            raise Unsupported("array: an HTCondor pool starts one job of several processes at a time")

    def runtime_for(self, spec: JobSpec) -> Mapping[str, object]:
        """Where HTCondor starts each process with a supervisor of its own, there is nothing left to launch."""
        each = spec.launch is Launch.EACH and spec.resources.tasks > 1
        return {**self.options.runtime_order, **({"launcher": ["/usr/bin/env"], "processes": 1} if each else {})}
