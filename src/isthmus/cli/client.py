"""The API as the commands call it: JSON in, JSON out, streams that survive a lost connection."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from isthmus.cli.failures import UNREACHABLE, Failure
from isthmus.cli.output import note

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds for which a stream tries to find its server again."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is, and the token for it. ``local`` ones are never asked through a proxy."""

    url: str
    token: str
    local: bool


class Client:
    """Calls one server. ``find`` tells where it is, and is asked again when the server has gone."""

    def __init__(self, find: Callable[[], Endpoint]):
        self._find = find
        self._endpoint = find()
        self._http = _open(self._endpoint)
        self._answered = 0.0
        """When the server last said something that was no failure."""

    def twin(self) -> Client:
        """Another client of the same server, for another thread."""
        return Client(self._find)

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, params=params)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, json={} if body is None else body, headers=headers)

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Make a request to ``/v1``; raises :class:`Failure` with what the server said."""
        params = {k: v for k, v in options.pop("params", {}).items() if v is not None}
        try:
            answer = self._send(method, f"/v1{path}", params=params, **options)
        except httpx.HTTPError as error:
            raise _unreachable(self._endpoint.url, error) from None
        if answer.is_success:
            self._answered = time.monotonic()
            return answer.json() if answer.content else None
        raise Failure.of_problem(_problem(answer))

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        """Every item of a paged list."""
        cursor = None
        while True:
            page = self.get(path, cursor=cursor, **params)
            yield from page["items"]
            if not (cursor := page.get("cursor")):
                return

    def follow(self, path: str, after: int = 0, **params: Any) -> Iterator[Any]:
        """Items of a stream as they come, None now and then when all is quiet.

        A lost connection is made again, and goes on after the last item that came.
        """
        lost_since: float | None = None
        while True:
            try:
                for item in self._read(path, after, params):
                    lost_since = None
                    after = item["id"] if item else after
                    yield item
            except httpx.HTTPError as error:
                now = time.monotonic()
                lost_since = lost_since or now
                if now - lost_since > PATIENCE:
                    raise _unreachable(self._endpoint.url, error) from None
            time.sleep(0.2)
            self._reconnect()

    def content(self, path: str, *, endless: bool = False, **params: Any) -> Iterator[bytes]:
        """The bytes of an answer as they come; raises :class:`Failure`, also when the connection is lost.

        An ``endless`` one may be silent for long.
        """
        timeout = httpx.Timeout(60, connect=10, read=None) if endless else httpx.USE_CLIENT_DEFAULT
        query = {k: v for k, v in params.items() if v is not None}
        try:
            with self._http.stream("GET", f"/v1{path}", params=query, timeout=timeout) as answer:
                if not answer.is_success:
                    answer.read()
                    raise Failure.of_problem(_problem(answer))
                for chunk in answer.iter_bytes():
                    self._answered = time.monotonic()
                    yield chunk
        except httpx.HTTPError as error:
            raise _unreachable(self._endpoint.url, error) from None

    def patiently(self, ask: Callable[[], T]) -> T:
        """What ``ask`` answers; while the server cannot be reached, it is looked for and asked again."""
        lost_since: float | None = None
        told = False
        while True:
            try:
                return ask()
            except Failure as failure:
                now = time.monotonic()
                # What was answered in between, if only for a while, was not lost before.
                lost_since = now if lost_since is None or self._answered > lost_since else lost_since
                if failure.code != UNREACHABLE or now - lost_since > PATIENCE:
                    raise
                if now - lost_since > 2 and not told:
                    told = True
                    note(f"isthmus: {failure.summary} It is asked again for {PATIENCE:.0f} s. {failure.detail}")
            time.sleep(0.3)
            self._reconnect()

    def _read(self, path: str, after: int, params: Mapping[str, Any]) -> Iterator[Any]:
        query = {"follow": "true", **{k: v for k, v in params.items() if v is not None}}
        headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
        with self._http.stream("GET", f"/v1{path}", params=query, headers=headers) as answer:
            if not answer.is_success:
                answer.read()
                raise Failure.of_problem(_problem(answer))
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])
                elif line and not line.startswith(("id: ", "event: ")):
                    yield None

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.ConnectError:
            # It never saw the request: safe to look for it again, whatever the method.
            if not self._endpoint.local:
                raise
            self._reconnect()
            return self._http.request(method, path, **options)

    def _reconnect(self) -> None:
        with contextlib.suppress(Failure):
            self._endpoint = self._find()
            self._http.close()
            self._http = _open(self._endpoint)


def _open(endpoint: Endpoint) -> httpx.Client:
    return httpx.Client(
        base_url=endpoint.url,
        headers={"Authorization": f"Bearer {endpoint.token}"},
        timeout=httpx.Timeout(60, connect=10),
        trust_env=not endpoint.local,
        # The local one speaks plain HTTP on loopback: reading the system's certificates would be for nothing.
        verify=not endpoint.local,
    )


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError):
        body = answer.json()
        if isinstance(body, dict) and "title" in body:
            return body
    return {"title": f"The server answered {answer.status_code}", "status": answer.status_code}


def _unreachable(url: str, error: Exception) -> Failure:
    return Failure(
        f"No answer from {url}.",
        code=UNREACHABLE,
        detail=str(error),
        hint="isthmus server status tells more.",
    )
