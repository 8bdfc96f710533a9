"""The plugin: what the API server of interLink asks of a site, answered by jobs.

POST /create         one object with the job's id; the same uid again gets the same answer
POST, DELETE /delete
GET, POST /status    how the pods of the body stand; an empty list is a ping
GET, POST /getLogs   streamed
GET /system-info
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.responses import PlainTextResponse, Response

from isthmus.api.dialects.interlink import logs
from isthmus.api.dialects.interlink.door import Call, Malformed, Route, read_json
from isthmus.api.dialects.interlink.jobs import PodJobs
from isthmus.api.dialects.interlink.ping import NodeFace, answer_ping
from isthmus.api.dialects.interlink.pod import PodOrder, translate
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.api.dialects.interlink.statuses import status_of
from isthmus.api.dialects.interlink.wire import AskedPod, JobIds
from isthmus.errors import Busy
from isthmus.sites.jobs import Facilities

log = logging.getLogger(__name__)
T = TypeVar("T")
PATIENCE = 90.0
"""Seconds that a busy service is asked again: the virtual kubelet gives up after 120, and never tries again."""
FACILITIES_TIMEOUT = 20.0
_LARGE = 256 * 1024
"""Bytes from which a body is read in a thread, so that others are answered meanwhile."""


class Plugin:
    """Answers for one site. ``now`` is the time in seconds since the epoch."""

    def __init__(
        self,
        jobs: PodJobs,
        policy: Policy | None = None,
        face: NodeFace | None = None,
        *,
        patience: float = PATIENCE,
        now: Callable[[], float] = time.time,
    ):
        self._jobs = jobs
        self._policy = policy or Policy()
        self._face = face or NodeFace()
        self._patience = patience
        self._now = now
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        self._facilities: Facilities | None = None

    def routes(self) -> Mapping[str, Route]:
        """The handlers by path."""
        return {
            "/create": Route(self.create, ("POST",)),
            "/delete": Route(self.delete, ("POST", "DELETE")),
            "/status": Route(self.status, ("GET", "POST")),
            "/getLogs": Route(self.logs, ("GET", "POST")),
            "/system-info": Route(self.system_info, ("GET",)),
        }

    async def create(self, call: Call) -> Response:
        """A pod becomes a job. What cannot be honoured fails the pod at once, with the names of its fields."""
        order = await _read(call.body, self._translate)
        if order.passed:
            log.warning("pod %s (%s): not honoured, as the operator wants: %s", order.name, order.key, order.passed)
        async with self._turn(order.key):
            number = await self._persist(lambda: self._jobs.create(order.spec, order.name, order.key))
        return _json(JobIds(PodUID=order.key, PodJID=number).model_dump())

    def _translate(self, body: Any) -> PodOrder:
        return translate(body, self._policy)

    async def delete(self, call: Call) -> Response:
        """The job is asked to end within the pod's grace, and let go then. The virtual kubelet never asks twice."""
        pod = await _read(call.body, _asked_pod)
        key, grace = pod.metadata.uid, pod.metadata.deletion_grace_period_seconds
        if grace is None:
            grace = pod.spec.termination_grace_period_seconds
        async with self._turn(key):
            await self._persist(lambda: self._jobs.cancel(key, grace))
            await self._persist(lambda: self._jobs.remove(key))
        return PlainTextResponse("deleted")

    async def status(self, call: Call) -> Response:
        """Exactly the pods that were asked for, from one query."""
        pods = await _read(call.body or b"[]", _asked_pods)
        if not pods:
            return await self._ping()
        found = await self._jobs.status(list(pods))
        statuses = (status_of(pod, found.get(uid), self._policy) for uid, pod in pods.items())
        return _json([one.model_dump() for one in statuses if one is not None])

    async def _ping(self) -> Response:
        """200 as long as the plugin can speak for itself: one failed ping stops scheduling for half a minute."""
        trouble = await self._look()
        answer = answer_ping(self._face, self._facilities, trouble, accelerators=self._policy.accelerators)
        return _json(answer.model_dump(by_alias=True, exclude_none=True))

    async def _look(self) -> str:
        """Ask the site what it offers; the words of why not if it does not answer, and what it said before holds."""
        try:
            self._facilities = await asyncio.wait_for(self._jobs.facilities(), FACILITIES_TIMEOUT)
        except Exception as error:
            log.warning("the site does not tell what it offers: %s", error)
            return f"The site does not answer: {getattr(error, 'detail', '') or type(error).__name__}"
        return ""

    async def logs(self, call: Call) -> Response:
        """A container's output, with all options that Kubernetes has."""
        request = logs.read_request(call.body)
        options = logs.options_of(request.opts, self._now())
        return await logs.stream(self._jobs.log(request.pod_uid, request.container_name, options))

    async def system_info(self, call: Call) -> Response:
        """How the site is, for people; always 200."""
        trouble = await self._look()
        found = self._facilities
        lines = ["PARTITION AVAIL TIMELIMIT NODES"]
        for one in found.partitions if found is not None and not trouble else ():
            limit = "infinite" if one.time_limit is None else str(int(one.time_limit))
            star = "*" if one.default else ""
            lines.append(f"{one.name}{star} {one.state} {limit} {one.nodes if one.nodes is not None else '?'}")
        info = {
            "status": "error" if trouble else "ok",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._now())),
            "slurm_connected": not trouble and found is not None and found.scheduler == "slurm",
            "sinfo_output": "\n".join(lines) if not trouble else "",
            "scheduler": found.scheduler if found is not None else "",
            "version": found.version if found is not None else "",
        }
        return _json({**info, "error": trouble} if trouble else info)

    async def _persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Do it, again and again while the service is busy, for as long as the caller can wait."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return await attempt()
            except Busy as busy:
                if time.monotonic() + busy.retry_after > deadline:
                    raise
                await asyncio.sleep(busy.retry_after)

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        """Requests about one pod come one after the other: a delete does not overtake a create that waits."""
        lock, users = self._turns.get(key, (asyncio.Lock(), 0))
        self._turns[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._turns.pop(key)
            if users > 1:
                self._turns[key] = (lock, users - 1)


async def _read(content: bytes, make: Callable[[Any], T]) -> T:
    if len(content) < _LARGE:
        return make(read_json(content))
    return await asyncio.to_thread(lambda: make(read_json(content)))


def _asked_pod(body: Any) -> AskedPod:
    try:
        return AskedPod.model_validate(body)
    except ValidationError as error:
        raise Malformed(logs.tell(error)) from None


def _asked_pods(body: Any) -> dict[str, AskedPod]:
    """The pods of a status request by uid, in their order."""
    if body is None:
        return {}
    if not isinstance(body, list):
        raise Malformed("The body must be a list of pods.")
    pods = map(_asked_pod, body)
    return {pod.metadata.uid: pod for pod in pods}


def _json(value: Any) -> Response:
    return Response(to_json(value), media_type="application/json")
