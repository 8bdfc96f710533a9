"""What of the slurm driver runs on the login node: the batch module of the agent, over Slurm's own commands.

It travels with the agent as ``batch``, and runs under Python 3.8 with the standard library alone.
"""

from __future__ import annotations

from .batch import Batch as Batch
