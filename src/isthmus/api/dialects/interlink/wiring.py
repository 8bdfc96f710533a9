"""Where this dialect meets the runtime: the jobs of one site, as the service keeps them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isthmus.api.auth import LOCAL
from isthmus.api.dialects.interlink.jobs import PodJobs
from isthmus.api.dialects.interlink.served import ServedPodJobs
from isthmus.settings import load_settings


@asynccontextmanager
async def open_pod_jobs(site: str) -> AsyncIterator[PodJobs]:
    """The jobs of a site for as long as the context is open, kept by this process unless another keeps them.

    Raises :class:`~isthmus.errors.Invalid` when there is no such site, or none that takes jobs.
    """
    from isthmus.runtime import open_runtime

    settings = load_settings().model_copy(update={"worker": False})
    async with open_runtime(settings) as runtime:
        await runtime.service.jobs.sites.taking(LOCAL, site)
        keeping = asyncio.ensure_future(runtime.keeper.run())
        try:
            yield ServedPodJobs(runtime.service.jobs, LOCAL, site)
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
