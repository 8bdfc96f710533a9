"""What Slurm says when it does not do what it was asked, by what that means for another try. Pure."""

from __future__ import annotations

import re
from typing import List

from isthmus.work.runner.failures import Failure, Permanent, Quota, Temporary

BUSY = (
    "unable to contact slurm controller",
    "slurm_load_",
    "socket timed out",
    "zero bytes were transmitted",
    "connection refused",
    "connection timed out",
    "connection reset",
    "communication connection failure",
    "unexpected message received",
    "transport endpoint",
    "unable to establish controller machine",
    "unable to establish configuration source",
    "could not establish a configuration source",
    "slurm backup controller in standby mode",
    "protocol authentication error",
    "invalid authentication credential",
    "munge",
    "unable to connect to database",
    "sending persistconninit",
    "slurmdbd",
    "slurm temporarily unable to accept job",
    "insufficient memory",
    "resource temporarily unavailable",
)
"""Its controller, or the way there, is down or overwhelmed: nobody has judged the request."""
LATER = ("required partition not available", "job/step already completing", "node is not responding")
QUOTA = (
    "submitjob",  # AssocMaxSubmitJobLimit, QOSMaxSubmitJobPerUserLimit, …
    "maxjobs",
    "maximum number of jobs",
    "job count limit",
    "disk quota exceeded",
    "no space left",
)
LIMIT = re.compile(r"\b(?:QOS|Assoc)[A-Za-z]+")
"""Names of limits: one that is not about the number of jobs says that this job is too large for ever."""
_VAGUE = "job violates accounting/qos policy"
_NOISE = re.compile(r"^(?:s[a-z]+: )?(?:error: |fatal: )?", re.IGNORECASE)


def is_busy(said: str) -> bool:
    """Whether the controller is what is wrong."""
    low = said.lower()
    return any(sign in low for sign in BUSY)


def refusal(said: str) -> Failure:
    """What ``sbatch`` said when it failed, as an error."""
    words, low = tidy(said), said.lower()
    if any(sign in low for sign in QUOTA):
        return Quota(words)
    if is_busy(said) or any(sign in low for sign in LATER):
        return Temporary(words)
    if _VAGUE in low and not LIMIT.search(said):
        return Quota(words)
    return Permanent(words)


def tidy(said: str) -> str:
    """The lines of a message in one, without what names the command."""
    lines: List[str] = []
    for line in said.splitlines():
        line = _NOISE.sub("", line.strip()).strip()
        if line and line not in lines:
            lines.append(line)
    return "; ".join(lines)[:2000] or "Slurm gave no reason"
