"""Where this dialect meets the runtime: the jobs of one site, as the service keeps them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from isthmus.api.dialects.interlink.jobs import PodJobs
from isthmus.errors import Unsupported


def open_pod_jobs(site: str) -> AbstractAsyncContextManager[PodJobs]:
    """The jobs of a site for as long as the context is open.

    Raises :class:`~isthmus.errors.Unsupported` while the service of this version keeps no jobs.
    """
    raise Unsupported(f"The server of this version keeps no jobs, so that nothing can be run on {site}.")
