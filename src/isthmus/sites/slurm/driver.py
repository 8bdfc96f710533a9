"""The driver of a Slurm cluster: jobs are handed over on its login node, which is reached over SSH.

Login node and nodes share the folder in which submissions lie. What is asked of Slurm is in
:mod:`isthmus.sites.slurm.remote`, which runs there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from isthmus.sites.batch.channel import SshChannel
from isthmus.sites.batch.driver import BatchDriver
from isthmus.sites.errors import Unsupported
from isthmus.sites.slurm.options import parse_options
from isthmus.sites.slurm.remote.handing import OPTIONS, launcher, refuse
from isthmus.work.job import JobSpec, Launch
from isthmus.work.runner.failures import Failure


class SlurmDriver(BatchDriver):
    """A cluster. ``options`` are those of :class:`~isthmus.sites.slurm.options.Options`."""

    kind = "slurm"
    takes = tuple(sorted(OPTIONS))

    def __init__(self, name: str, options: Mapping[str, object]):
        self.options = parse_options(name, options)
        super().__init__(
            name,
            SshChannel(self.options),
            "isthmus.sites.slurm.remote",
            folder=self.options.folder,
            config=self.options.config,
            runtime=self.options.runtime_order,
            python=self.options.python,
            timeout=self.options.timeout,
        )

    def check(self, spec: JobSpec) -> None:
        """Raise :class:`Unsupported`, naming what Slurm is not asked for."""
        try:
            refuse({"options": spec.options, "resources": dataclasses.asdict(spec.resources)})
        except Failure as failure:
            raise Unsupported(failure.message) from None

    def runtime_for(self, spec: JobSpec) -> Mapping[str, object]:
        """What the supervisor is told: with several processes, how ``srun`` starts them."""
        runtime = super().runtime_for(spec)
        if spec.launch is not Launch.EACH:
            return runtime
        given = {"options": spec.options, "resources": dataclasses.asdict(spec.resources)}
        return {**runtime, "launcher": launcher(given, self.options.bin or "")}
