"""The jobs of deployments, from the service layer: what a job node asks, made into a job like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.engine.job_nodes import JobEnd, JobOrder
from isthmus.errors import Busy, IsthmusError, NotFound
from isthmus.identity import Principal
from isthmus.job_checks import MOST_TASKS
from isthmus.job_service import JobRequest, JobService
from isthmus.job_views import JobView
from isthmus.sites.errors import Permanent, Temporary
from isthmus.topology import quantity
from isthmus.work.job import Container, JobSpec, Launch, Resources
from isthmus.work.verdict import has_ended


class ServedJobDesk:
    """Runs the jobs of deployments as their owners would."""

    def __init__(self, service: JobService):
        self._service = service

    async def submit(self, order: JobOrder) -> str:
        """Make the job of a key, or find it."""
        who = Principal(order.owner, order.vo)
        if known := (await self._service.of_keys(who, [order.key])).get(order.key):
            return known.id
        request = JobRequest(
            job_of(order.properties, order.secrets), order.name, order.site, retry=int(order.properties["retry"]),
            key=order.key,
        )  # fmt: skip
        try:
            return (await self._service.create(who, request))[0].id
        except Busy as error:
            raise Temporary(str(error), error.retry_after) from error
        except IsthmusError as error:
            raise Permanent(f"{error.detail} {error.hint}".strip()) from error

    async def wait(self, order: JobOrder, job: str, seconds: float) -> JobEnd:
        """How a job stands once it has ended, or after a while."""
        who = Principal(order.owner, order.vo)
        try:
            view = await self._service.get(who, job)
            if not has_ended(view.state):
                view = await self._service.wait(who, job, version=view.version, seconds=seconds)
        except Busy as error:
            raise Temporary(str(error), error.retry_after) from error
        except NotFound as error:
            return JobEnd(True, False, None, str(error))
        return JobEnd(has_ended(view.state), view.state == "succeeded", view.exit_code, _words(view))

    async def remove(self, owner: str, vo: str, job: str) -> None:
        """End a job if need be, and forget it."""
        try:
            await self._service.delete(Principal(owner, vo), job)
        except NotFound:
            return
        except Busy as error:
            raise Temporary(str(error), error.retry_after) from error


def job_of(properties: Mapping[str, Any], secrets: frozenset[str]) -> JobSpec:
    """The job that a node's properties describe; what holds a secret is kept from view."""
    p = properties
    env = {str(name): _text(value) for name, value in (p.get("env") or {}).items()}
    hidden = {name: value for name, value in env.items() if any(secret in value for secret in secrets if secret)}
    container = Container(
        "main", p.get("image"), tuple(map(_text, p.get("command") or ())), tuple(map(_text, p.get("args") or ())),
        {name: value for name, value in env.items() if name not in hidden}, hidden,
    )  # fmt: skip
    nodes, memory, time, array = int(p["nodes"]), p.get("memory"), p.get("time"), p.get("array")
    resources = Resources(
        cpus=float(p["cpus"]), memory=int(quantity(memory)) if memory else None, gpus=int(p["gpus"]), nodes=nodes,
        tasks=int(p.get("tasks") or nodes), time=quantity(time) if time else None,
    )  # fmt: skip
    return JobSpec(
        (container,), resources=resources, launch=Launch.EACH if p["each"] else Launch.ONCE,
        # What is longer is refused like any other array, but not before it would fill the memory.
        array=tuple(range(int(array[0]), int(array[1]) + 1)[: MOST_TASKS + 1]) if array else None,
        options={str(name): _text(value) for name, value in (p.get("options") or {}).items()},
    )  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _words(view: JobView) -> str:
    told = next((task.words for task in view.details if task.words and task.state == view.state), "")
    code = f"exit code {view.exit_code}" if view.exit_code else ""
    return f"it {view.state}" + "".join(f": {word}" for word in (view.reason, told or code) if word)
