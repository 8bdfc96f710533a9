"""What the operator of a plugin lets pods do, and what they get when they say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isthmus.work.job import Restart

ACCELERATORS: Mapping[str, str] = {
    "nvidia.com/gpu": "", "amd.com/gpu": "", "gpu.intel.com/i915": "", "gpu.intel.com/xe": "",
}  # fmt: skip
"""Extended resources that are GPUs, by name; the type of GPU that each stands for, empty for any."""
MIG = "nvidia.com/mig-"
"""Extended resources that begin so are parts of a GPU; the rest of the name is their type."""
RUNTIME_OPTIONS = frozenset({
    "--nv", "--rocm", "--no-home", "--cleanenv", "--contain", "--containall", "--no-eval", "--writable-tmpfs",
    "--fakeroot", "--compat", "--no-init",
})  # fmt: skip
"""Options of the container runtime that widen nothing."""
INHERENT = frozenset({"--contain", "--no-eval", "--writable-tmpfs"})
"""Those that every container is run with anyway."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's word; the defaults allow nothing that reaches beyond a pod's own files."""

    host_paths: tuple[str, ...] = ()
    """Folders of the node, below which pods may mount what is there."""
    image_paths: tuple[str, ...] = ("/cvmfs",)
    """Folders of the node whose files and folders pods may name as images; whoever may name one reads what is in it."""
    pre_exec: bool = False
    """Whether ``slurm-job.vk.io/pre-exec``, which a shell of the node runs, is taken."""
    confined: bool = False
    """The site's runtime runs containers as an ordinary user, without privileges, on images that stay as they are."""
    restarts: Restart = Restart.ON_FAILURE
    """The farthest restart policy that is followed; a pod with one beyond it runs once.

    The stock plugins never start a container again, and ``Always`` is what pods have that say nothing: followed, it
    would have those that came to their end on a stock plugin run for ever.
    """
    tolerated: tuple[str, ...] = ()
    """Fields that pods may have although they are not honoured."""
    runtime_options: frozenset[str] = RUNTIME_OPTIONS
    flavors: Mapping[str, str] = field(default_factory=dict)
    """Flags by the name that ``slurm-job.vk.io/flavor`` gives."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the site for every job; a pod's flags go over them."""
    accelerators: Mapping[str, str] = field(default_factory=lambda: dict(ACCELERATORS))

    def restart(self, asked: str) -> Restart:
        """What is followed of the restart policy that a pod asks for; raises ValueError where there is no such."""
        order = list(Restart)
        policy = Restart(asked)
        return policy if order.index(policy) <= order.index(self.restarts) else Restart.NEVER
