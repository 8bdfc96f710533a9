"""What a driver raises. The type says what to do: try again later, or give up and say why."""

from __future__ import annotations


class SiteError(Exception):
    """A site did not do what was asked; the message is the site's own words.

    ``reason`` is the word for it that a job gets (:class:`~isthmus.work.job.Reason`), where the type does not say it.
    """

    reason = ""


class Temporary(SiteError):
    """Worth another try after ``delay`` seconds."""

    def __init__(self, message: str, delay: float = 1.0):
        super().__init__(message)
        self.delay = delay


class Unreachable(Temporary):
    """The site, or a machine on it, did not answer in time."""


class QuotaExceeded(Temporary):
    """The site refuses for want of quota or room; somebody may free some."""

    def __init__(self, message: str, delay: float = 60.0):
        super().__init__(message, delay)


class Permanent(SiteError):
    """Trying again without a change would give the same answer."""


class Unsupported(Permanent):
    """The site, or this driver, cannot do what the template asks; the message names it."""
