"""The jobs of one site as this dialect needs them, from the service layer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Collection, Mapping

from isthmus.api.dialects.interlink.jobs import PodJob
from isthmus.errors import Busy, NotFound, Unsupported
from isthmus.identity import Principal
from isthmus.job_service import JobRequest, JobService
from isthmus.sites.jobs import Facilities, LogOptions
from isthmus.work.job import JobSpec, JobState

LONGEST_NAME = 63


class ServedPodJobs:
    """Jobs that ``who`` has on ``site``; a pod's uid is the key of its job."""

    def __init__(self, service: JobService, who: Principal, site: str):
        self._service = service
        self._who = who
        self._site = site

    async def create(self, spec: JobSpec, name: str, key: str) -> str:
        """Store a job, or find the one of that key. What is asked anew for the same pod changes nothing.

        It is tried once, whoever failed it: a pod is never run twice, Kubernetes's controllers make a new one.
        """
        if known := (await self._service.of_keys(self._who, [key])).get(key):
            try:
                return (await self._service.get(self._who, known.id)).id
            except NotFound:
                raise Busy("the job that this pod had is being removed", retry_after=1) from None
        request = JobRequest(spec, job_name(name), self._site, retry=0, key=key)
        view, _ = await self._service.create(self._who, request)
        return view.id

    async def status(self, keys: Collection[str]) -> Mapping[str, PodJob]:
        found = await self._service.of_keys(self._who, keys)
        return {key: PodJob(now.id, JobState(now.state), now.tasks[0]) for key, now in found.items()}

    async def cancel(self, key: str, grace: float | None) -> None:
        if known := (await self._service.of_keys(self._who, [key])).get(key):
            with contextlib.suppress(NotFound):  # it is being let go already
                await self._service.cancel(self._who, known.id, grace=grace)

    async def remove(self, key: str) -> None:
        if known := (await self._service.of_keys(self._who, [key])).get(key):
            with contextlib.suppress(NotFound):
                await self._service.delete(self._who, known.id)

    async def log(self, key: str, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        known = (await self._service.of_keys(self._who, [key])).get(key)
        if known is None:
            raise NotFound(f"there is no job of pod {key}")
        output, name = self._service.output, container or None
        stream = await output.log(self._who, known.id, index=0, container=name, options=options)
        async for chunk in stream:
            yield chunk

    async def facilities(self) -> Facilities:
        view = await self._service.sites.facilities(self._who, self._site)
        if not view.ready:
            raise Unsupported(f"{self._site}: {view.detail}")
        return Facilities(
            view.scheduler, view.version, tuple(view.partitions), tuple(view.runtimes), tuple(view.accounts), view.user
        )


def job_name(pod: str) -> str:
    """The name of a job for a pod ``NAMESPACE/NAME``: a dot between them, which no namespace has, and cut to fit."""
    return re.sub("[^a-z0-9._-]", "-", pod.replace("/", ".", 1).lower())[:LONGEST_NAME].strip("._-") or "pod"
