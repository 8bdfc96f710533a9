"""A server of canned answers, and the commands run against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from isthmus.cli import client, context
from isthmus.cli.client import Endpoint
from isthmus.cli.main import app

SUMMARY = {
    "id": "0123456789ab", "name": "one", "phase": "running", "reason": "", "template": "machine", "site": "local",
    "owner": "local", "vo": "local", "created": 1.0, "updated": 2.0,
}  # fmt: skip
INSTANCE = {
    "name": "worker[0]", "index": 0, "state": "running", "site": "local", "id": "x", "private_address": "10.0.0.2",
    "public_address": None, "image": None, "reason": "",
    "operations": [{"name": "Standard.create", "state": "done", "message": ""}],
}  # fmt: skip
NODE = {
    "name": "worker", "type": "tosca.nodes.Compute", "kind": "machine", "host": None, "minimum": 1, "maximum": 4,
    "instances": [INSTANCE],
}  # fmt: skip
VIEW = {**SUMMARY, "version": 3, "inputs": {"cpus": 2}, "outputs": {"ip": "10.0.0.2", "n": [1]}, "nodes": [NODE]}
PLAN = {
    "deployment": "one", "site": "local", "offers": [], "price": 0.0, "currency": "EUR", "converged": False,
    "actions": [{"id": "a", "verb": "create", "what": "machine worker[0]", "why": "it is not there", "after": []}],
}  # fmt: skip


def event(number: int, kind: str = "action.done", message: str = "machine worker[0]") -> dict[str, Any]:
    return {
        "id": number, "deployment": SUMMARY["id"], "time": 0.0, "who": "engine", "kind": kind, "message": message,
        "node": "worker", "action": "create:machine:worker[0]", "outcome": "ok", "seconds": 1.5,
    }  # fmt: skip


def frames(*events: dict[str, Any]) -> bytes:
    return b"".join(f"id: {e['id']}\nevent: event\ndata: {json.dumps(e)}\n\n".encode() for e in events)


Answer = httpx.Response | Callable[[httpx.Request], httpx.Response]


class Canned:
    """Answers by method and path; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answers: dict[str, Answer] = {}

    def on(self, what: str, body: Any = None, status: int = 200) -> None:
        self.answers[what] = lambda _: httpx.Response(status, json=body)

    def problem(self, what: str, status: int, **members: Any) -> None:
        body = {"title": "A title", "status": status, "code": "code", **members}
        self.on(what, body, status)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.get(f"{request.method} {request.url.path.removeprefix('/v1')}")
        if answer is None:
            return httpx.Response(404, json={"title": "Not found", "status": 404, "detail": str(request.url.path)})
        return answer(request) if callable(answer) else answer

    def body_of(self, what: str) -> Any:
        method, _, path = what.partition(" ")
        [found] = [r for r in self.asked if (r.method, r.url.path) == (method, f"/v1{path}")]
        return json.loads(found.content)

    def deployment(self, *events: dict[str, Any], phase: str = "running") -> None:
        """One deployment, called `one`, that ends in that phase once the events are told."""
        ended = {**SUMMARY, "phase": phase, "reason": "because" if phase == "failed" else ""}
        for ref in ("one", str(SUMMARY["id"])):
            self.on(f"GET /deployments/{ref}", {**VIEW, "phase": phase})
            self.on(f"GET /deployments/{ref}/state", ended)
            self.answers[f"GET /deployments/{ref}/events"] = self._history(events)

    @staticmethod
    def _history(events: tuple[dict[str, Any], ...]) -> Callable[[httpx.Request], httpx.Response]:
        def tell(request: httpx.Request) -> httpx.Response:
            if request.url.params.get("follow"):
                seen = int(request.headers["last-event-id"])
                told = b"retry: 1000\n\n" + frames(*[e for e in events if e["id"] > seen])
                return httpx.Response(200, content=told, headers={"Content-Type": "text/event-stream"})
            after = int(request.url.params.get("after", 0))
            return httpx.Response(200, json={"items": [e for e in events if e["id"] > after]})

        return tell


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Canned:
    server = Canned()
    endpoint = Endpoint("http://server", "token-of-the-test", local=True)
    monkeypatch.setattr(context, "find_endpoint", lambda *_: endpoint)
    opened = lambda e: httpx.Client(  # noqa: E731
        transport=httpx.MockTransport(server), base_url=e.url, headers={"Authorization": f"Bearer {e.token}"}
    )
    monkeypatch.setattr(client, "_open", opened)
    monkeypatch.setattr(client.time, "sleep", lambda _: None)
    return server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def call(*words: str, **options: Any) -> Any:
        monkeypatch.setattr("sys.argv", ["isthmus", *words])
        return CliRunner().invoke(app, list(words), prog_name="isthmus", **options)

    return call
