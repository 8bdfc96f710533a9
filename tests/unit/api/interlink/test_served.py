"""Jobs of pods as the service keeps them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.api.auth import LOCAL
from isthmus.api.dialects.interlink.served import ServedPodJobs
from isthmus.errors import Busy, NotFound
from isthmus.work.job import Container, JobSpec

SPEC = JobSpec((Container("main", command=("true",)),))


class Service:
    """Keeps jobs by key; those in ``leaving`` are found by their key only."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}
        self.leaving: set[str] = set()
        self.requests: list[Any] = []

    async def of_keys(self, who: Any, keys: Any) -> dict[str, Any]:
        return {key: SimpleNamespace(id=self.made[key]) for key in keys if key in self.made}

    async def get(self, who: Any, ref: str) -> Any:
        if ref in self.leaving:
            raise NotFound("gone")
        return SimpleNamespace(id=ref)

    async def create(self, who: Any, request: Any) -> Any:
        self.requests.append(request)
        self.made[request.key] = f"job-{len(self.made)}"
        return SimpleNamespace(id=self.made[request.key]), True


async def test_a_pod_that_comes_again_is_no_job_that_is_being_removed() -> None:
    service = Service()
    jobs = ServedPodJobs(service, LOCAL, "hpc")  # type: ignore[arg-type]
    first = await jobs.create(SPEC, "t/p", "uid")
    assert await jobs.create(SPEC, "t/p", "uid") == first
    service.leaving.add(first)
    with pytest.raises(Busy):
        await jobs.create(SPEC, "t/p", "uid")


async def test_a_pod_is_never_run_twice_unasked() -> None:
    service = Service()
    await ServedPodJobs(service, LOCAL, "hpc").create(SPEC, "t/p", "uid")  # type: ignore[arg-type]
    assert [(one.retry, one.site, one.key) for one in service.requests] == [(0, "hpc", "uid")]
