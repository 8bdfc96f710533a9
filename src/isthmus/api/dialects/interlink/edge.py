"""The API server: what the virtual kubelet asks at the edge of a site, passed on to a plugin.

    POST /create      DELETE /delete      GET /status      GET /getLogs      POST /pinglink      POST /updateCache

No path looks at the method, as in the stock one. Where a plugin is faulty, the pod is told so: an answer for
another pod, a container that the pod does not have (it would end the virtual kubelet), no containers at all
(they would count as success), a pod that is left out for good (it would run for ever).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.responses import PlainTextResponse, Response

from isthmus.api.dialects.interlink import logs
from isthmus.api.dialects.interlink.door import Call, Malformed, Route, read_json
from isthmus.api.dialects.interlink.memory import Statuses
from isthmus.api.dialects.interlink.retrieval import retrieve
from isthmus.api.dialects.interlink.statuses import known_containers, status_of
from isthmus.api.dialects.interlink.upstream import Broken, Reply, Unreached, Upstream
from isthmus.api.dialects.interlink.wire import AskedPod, CreateRequest, NamedContainer
from isthmus.errors import Unsupported

log = logging.getLogger(__name__)
PATIENCE = 60.0
"""Seconds for which a plugin that is not there is tried again, where the virtual kubelet would not."""
PAUSE = 1.0
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})
"""As Go's html package writes them."""


class Edge:
    """Answers the virtual kubelet in front of one plugin."""

    def __init__(
        self,
        upstream: Upstream,
        statuses: Statuses | None = None,
        *,
        patience: float = PATIENCE,
        pause: float = PAUSE,
    ):
        self._upstream = upstream
        self._statuses = statuses or Statuses()
        self._patience = patience
        self._pause = pause

    def routes(self) -> Mapping[str, Route]:
        """The handlers by path."""
        return {
            "/create": Route(self.create),
            "/delete": Route(self.delete),
            "/status": Route(self.status),
            "/getLogs": Route(self.logs),
            "/pinglink": Route(self.ping),
            "/updateCache": Route(self.update_cache),
        }

    async def create(self, call: Call) -> Response:
        """Any status of success with the right object is success; all else fails the pod, and says why."""
        try:
            request = CreateRequest.model_validate(read_json(call.body))
        except ValidationError as error:
            raise Malformed(logs.tell(error)) from None
        if request.jobscript_url:
            raise Unsupported("jobscriptURL: the job is made from the pod, not from a script")
        pod = _asked(request.pod)
        try:
            status, body = await self._persist("/create", to_json(retrieve(request)), call.session)
        except (Unreached, Broken) as error:
            return PlainTextResponse(_words(call.session, f"The plugin cannot be reached: {error}"), 500)
        if not _succeeded(status):
            return PlainTextResponse(_words(call.session, _text(body)), status)
        return self._created(pod.metadata.uid, body, call.session)

    def _created(self, uid: str, body: bytes, session: str) -> Response:
        ids = _parse(body)
        if isinstance(ids, list) and len(ids) == 1:
            ids = ids[0]
        if not isinstance(ids, dict) or not isinstance(ids.get("PodJID"), str) or not ids["PodJID"]:
            return PlainTextResponse(_words(session, f"The plugin named no job: {_text(body)}"), 500)
        if ids.get("PodUID") != uid:
            return PlainTextResponse(_words(session, f"The plugin answered for another pod: {_text(body)}"), 500)
        return _json({"PodUID": uid, "PodJID": ids["PodJID"]})

    async def delete(self, call: Call) -> Response:
        """The virtual kubelet never asks again, so that a plugin that is just away is waited for."""
        pod = _asked(read_json(call.body))
        self._statuses.forget(pod.metadata.uid)
        try:
            status, body = await self._persist("/delete", call.body, call.session)
        except (Unreached, Broken) as error:
            return PlainTextResponse(_words(call.session, f"The plugin cannot be reached: {error}"), 500)
        if not _succeeded(status):
            return PlainTextResponse(_words(call.session, _text(body)), status)
        return PlainTextResponse("Pod deleted")

    async def status(self, call: Call) -> Response:
        """The pods of the body, as the plugin shows them now; without any, all that is remembered."""
        pods = _listed(call.body)
        if not pods:
            return _json(self._statuses.all() or None)
        asked = {pod.metadata.uid: pod for pod in map(_asked, pods)}
        try:
            status, body = await self._send("GET", "/status", to_json(pods), call.session)
        except (Unreached, Broken) as error:
            log.warning("%s: no answer to /status: %s", call.session, error)
            return PlainTextResponse("", 500)
        if not _succeeded(status):
            return PlainTextResponse(_words(call.session, _text(body)), status)
        answer = _parse(body)
        if not isinstance(answer, list):
            log.warning("%s: the plugin's answer to /status is no list", call.session)
            return PlainTextResponse("")
        return _json(self._sort(asked, answer) or None)

    def _sort(self, asked: Mapping[str, AskedPod], answer: Sequence[Any]) -> list[dict[str, Any]]:
        """One status for each pod, in the order they were asked for; what was not asked for is dropped."""
        by_uid = {one.get("UID"): one for one in answer if isinstance(one, dict) and isinstance(one.get("UID"), str)}
        found = []
        for uid, pod in asked.items():
            status = _safe(pod, by_uid[uid]) if uid in by_uid else None
            if status is not None:
                self._statuses.remember(uid, status)
            else:
                status = self._missing(uid, pod)
            if status is not None:
                found.append(status)
        return found

    def _missing(self, uid: str, pod: AskedPod) -> dict[str, Any] | None:
        known, lost = self._statuses.left_out(uid)
        if lost and (ended := status_of(pod, None)) is not None:
            return ended.model_dump()
        return known

    async def logs(self, call: Call) -> Response:
        """The plugin's stream, chunk by chunk; who goes away ends it at the plugin too."""
        request = logs.read_request(call.body)
        if request.opts.tail and (request.opts.bytes or request.opts.limit_bytes):
            raise Malformed("Both Tail and LimitBytes set. Set only one of them")
        try:
            reply = await self._upstream.send("GET", "/getLogs", call.body, call.session)
            if _succeeded(reply.status):
                return logs.LogResponse(_until_broken(reply), reply.close)
            body = await reply.read()
        except (Unreached, Broken) as error:
            return PlainTextResponse(_words(call.session, f"The plugin cannot be reached: {error}"), 500)
        return PlainTextResponse(_words(call.session, _text(body)), reply.status)

    async def ping(self, call: Call) -> Response:
        """The plugin's answer as it is; the text 503 after that of a failure, as the stock one writes it."""
        try:
            status, body = await self._send("GET", "/status", b"[]", call.session)
        except (Unreached, Broken) as error:
            log.warning("%s: no answer to the ping: %s", call.session, error)
            return PlainTextResponse("503", 500)
        if not _succeeded(status):
            return PlainTextResponse(_words(call.session, _text(body)) + "503", status)
        return Response(body)

    async def update_cache(self, call: Call) -> Response:
        """Forget what is remembered of a pod, named by its uid or sent whole."""
        text = _text(call.body).strip().strip('"')
        body = _parse(call.body)
        if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
            text = str(body["metadata"].get("uid", ""))
        self._statuses.forget(text)
        return PlainTextResponse("Updated cache")

    async def _persist(self, path: str, body: bytes, session: str) -> tuple[int, bytes]:
        """Ask until the plugin is there: nothing was sent to one that was not."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return await self._send("POST", path, body, session)
            except Unreached:
                if time.monotonic() + self._pause > deadline:
                    raise
                await asyncio.sleep(self._pause)

    async def _send(self, method: str, path: str, body: bytes, session: str) -> tuple[int, bytes]:
        reply = await self._upstream.send(method, path, body, session)
        return reply.status, await reply.read()


async def _until_broken(reply: Reply) -> AsyncIterator[bytes]:
    try:
        async for chunk in reply.chunks:
            yield chunk
    except Broken as error:
        # The status is sent; the log ends here, as it would if its container had.
        log.warning("a log broke off: %s", error)


def _asked(body: Any) -> AskedPod:
    try:
        return AskedPod.model_validate(body)
    except ValidationError as error:
        raise Malformed(logs.tell(error)) from None


def _listed(content: bytes) -> list[Any]:
    body = _parse(content)
    return body if isinstance(body, list) else []


def _parse(content: bytes) -> Any:
    try:
        return from_json(content)
    except ValueError:
        return None


def _safe(pod: AskedPod, status: Mapping[str, Any]) -> dict[str, Any] | None:
    """A plugin's status with the pod's own containers only; None when it has none of them."""
    containers = _of_pod(known_containers(pod), status.get("containers"))
    init = _of_pod(pod.spec.init_containers, status.get("initContainers"))
    if not containers:
        return None
    metadata = pod.metadata
    return {
        "name": metadata.name,
        "UID": metadata.uid,
        "namespace": metadata.namespace,
        "JID": status.get("JID") if isinstance(status.get("JID"), str) else "",
        "containers": containers,
        "initContainers": init,
    }


def _of_pod(named: Sequence[NamedContainer], statuses: Any) -> list[dict[str, Any]]:
    names = {one.name for one in named}
    given = statuses if isinstance(statuses, list) else []
    return [one for one in given if isinstance(one, dict) and one.get("name") in names]


def _succeeded(status: int) -> bool:
    return 200 <= status < 300


def _words(session: str, text: str) -> str:
    """A failure in the words of the stock API server."""
    return f"HTTP InterLink session {session}:  call exit status: 500. Body: {text.translate(_ESCAPES)}"


def _text(body: bytes) -> str:
    return body[:10_000].decode(errors="replace")


def _json(value: Any) -> Response:
    return Response(to_json(value), media_type="application/json")
