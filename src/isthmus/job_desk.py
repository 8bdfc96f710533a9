"""The jobs of deployments, from the service layer: what a job node asks, made into a job like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

from isthmus.engine.job_nodes import JobEnd, JobOrder
from isthmus.errors import Busy, IsthmusError, NotFound
from isthmus.identity import Principal
from isthmus.job_service import JobRequest, JobService
from isthmus.job_views import JobView
from isthmus.sites.errors import Permanent, Temporary
from isthmus.work import notation
from isthmus.work.job import Container, JobSpec, Launch, Resources, S3Access
from isthmus.work.job_node import array_of, faults, input_of, keep_of, memory_of, output_of, seconds_of
from isthmus.work.verdict import has_ended

_SHOWN = ("image", "command", "args", "workdir", "inputs", "outputs", "options")
_LEAST_SECRET = 8
"""Characters of a secret that is looked for in what is shown: a shorter one is in many a word by chance."""


class ServedJobDesk:
    """Runs the jobs of deployments as their owners would."""

    def __init__(self, service: JobService):
        self._service = service

    async def submit(self, order: JobOrder) -> str:
        """Make the job of a key, or find it."""
        who = Principal(order.owner, order.vo)
        if known := (await self._service.of_keys(who, [order.key])).get(order.key):
            return known.id
        request = _request(order)
        try:
            for digest in await self._service.missing_blobs(who, list(order.files)):
                await self._service.put_blob(who, digest, _once(order.files[digest]))
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
    """The job that a node's properties describe; what holds a secret is kept from view. Raises ValueError."""
    for _, words in faults(properties):
        raise ValueError(words)
    p = properties
    told = [secret for secret in secrets if len(secret) >= _LEAST_SECRET]
    for name in _SHOWN:  # an attribute of another node may have one
        if any(secret in text for text in _within(p.get(name)) for secret in told):
            raise ValueError(f"{name} is shown to whoever sees the job, and holds a secret; secrets or env hides one")
    env = _texts(p.get("env"))
    hidden = {name: value for name, value in env.items() if any(secret in value for secret in secrets if secret)}
    container = Container(
        "main", p.get("image") or None, tuple(map(_text, p.get("command") or ())),
        tuple(map(_text, p.get("args") or ())), {name: value for name, value in env.items() if name not in hidden},
        {**hidden, **_texts(p.get("secrets"))}, workdir=p.get("workdir") or None,
    )  # fmt: skip
    array, limit = array_of(p["array"]) if p.get("array") not in (None, "") else (None, None)
    return JobSpec(
        (container,), resources=_resources(p), launch=Launch.EACH if p["each"] else Launch.ONCE, array=array,
        array_limit=limit, inputs=tuple(map(input_of, p.get("inputs") or ())),
        outputs=tuple(map(output_of, p.get("outputs") or ())), options=_texts(p.get("options")),
        s3=S3Access(**{k: v for k, v in _texts(p["s3"]).items() if v}) if p.get("s3") else None,
    )  # fmt: skip


def _resources(p: Mapping[str, Any]) -> Resources:
    nodes, memory, time = int(p["nodes"]), p.get("memory"), p.get("time")
    gpus, gpu_type = notation.gpus(p.get("gpus") or 0)
    return Resources(
        float(p["cpus"]), memory_of(memory) if memory else None, gpus, gpu_type, nodes, int(p.get("tasks") or nodes),
        seconds_of(time) if time else None,
    )  # fmt: skip


def _request(order: JobOrder) -> JobRequest:
    """What the job service is asked; what a node does not say is as the service has it."""
    p = order.properties
    try:
        spec = job_of(p, order.secrets)
    except ValueError as error:
        raise Permanent(f"{order.name}: {error}") from error
    request = JobRequest(spec, order.name, order.site, tuple(map(_text, p.get("needs") or ())), key=order.key)
    if p.get("retry") is not None:
        request = replace(request, retry=int(p["retry"]))
    return replace(request, keep=keep_of(p["keep"])) if p.get("keep") is not None else request


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _texts(values: Any) -> dict[str, str]:
    return {str(name): _text(value) for name, value in (values or {}).items()}


def _within(value: Any) -> Iterator[str]:
    """All texts of a value."""
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        for item in value:
            yield from _within(item)
    else:
        yield _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _words(view: JobView) -> str:
    told = next((task.words for task in view.details if task.words and task.state == view.state), "")
    code = f"exit code {view.exit_code}" if view.exit_code else ""
    return f"it {view.state}" + "".join(f": {word}" for word in (view.reason, told or code) if word)
