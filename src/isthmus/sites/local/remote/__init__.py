"""This machine as a batch system: what the agent asks of the queue on it, and the queue itself.

One process for each folder of jobs starts what fits, in the order it came. All of this travels in the runner
program as ``batch`` (Python 3.8 or newer, nothing but the standard library).
"""

from .batch import Batch as Batch
