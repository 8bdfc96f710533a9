"""A service that keeps deployments in a dict, and a client of the app around it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from isthmus.api.app import build
from isthmus.api.auth import StaticToken
from isthmus.api.gate import Gate
from isthmus.api.streams import Closing
from isthmus.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from isthmus.identity import Principal
from isthmus.views import (
    AccessView,
    DeploymentSummary,
    DeploymentView,
    DiagnosticView,
    Event,
    ImageView,
    LogLine,
    Page,
    PlanView,
    SiteView,
    TemplateView,
    ValidationView,
)

from .fake_jobs import FakeJobs

TOKEN = "a-token-that-is-long-enough"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


class FakeService:
    """What the routes call, without an engine."""

    def __init__(self) -> None:
        self.deployments: dict[str, DeploymentView] = {}
        self.keys: dict[str, tuple[Any, str]] = {}
        self.history: list[Event] = []
        self.calls: list[tuple[str, Any]] = []
        self.news = asyncio.Event()
        self.broken: Exception | None = None
        self.jobs = FakeJobs()

    def add_event(self, message: str) -> None:
        self.history.append(Event(len(self.history) + 1, "0" * 12, 1.0, "me", "action.done", message))
        self.news.set()

    async def catalogue(self) -> list[TemplateView]:
        return [TemplateView("machine", "A machine", "One host", "1.0")]

    async def template(self, name: str) -> TemplateView:
        if name != "machine":
            raise NotFound(f"No template is called {name}.", hint="See isthmus catalogue list.")
        return (await self.catalogue())[0]

    async def template_inputs(self, name: str) -> dict[str, Any]:
        await self.template(name)
        return {"type": "object", "properties": {"cpus": {"type": "integer"}}}

    async def validate(self, source: Any, inputs: Any) -> ValidationView:
        self.calls.append(("validate", source))
        found = DiagnosticView("error", "type-unknown", "No type x", file="a.yaml", line=3, column=7)
        return ValidationView(False, False, 1, 0, 0, (), (found,))

    async def plan(self, who: Any, source: Any, **options: Any) -> PlanView:
        return PlanView(options["name"], None, (), (), 0.0, "EUR", False)

    async def plan_existing(self, who: Any, ref: str, **options: Any) -> PlanView:
        self.calls.append(("plan_existing", options))
        return PlanView(ref, None, (), (), 0.0, "EUR", True)

    async def create(
        self, who: Any, source: Any, *, name: Any, inputs: Any, site: Any, idempotency_key: Any
    ) -> tuple[DeploymentView, bool]:
        self.calls.append(("create", (source, inputs, site)))
        if self.broken:
            raise self.broken
        body = (source, name, inputs)
        if idempotency_key in self.keys:
            known, number = self.keys[idempotency_key]
            if known != body:
                raise Invalid("This key was used for something else.", code="idempotency-key-reused")
            return self.deployments[number], False
        if any(d.name == name for d in self.deployments.values()):
            raise Conflict(f"{name} is in use.", code="name-in-use")
        number = f"{len(self.deployments):012x}"
        view = DeploymentView(
            number, name or "made-up", "pending", "", "t", site, who.subject, who.vo, 1.0, 1.0, inputs=inputs
        )
        self.deployments[number] = view
        if idempotency_key:
            self.keys[idempotency_key] = (body, number)
        return view, True

    async def list(self, who: Any, *, cursor: Any = None, limit: int, phase: Any = None) -> Page:
        found = list(self.deployments.values())[int(cursor or 0) :]
        more = str(int(cursor or 0) + limit) if len(found) > limit else None
        return Page(found[:limit], more)

    async def get(self, who: Any, ref: str) -> DeploymentView:
        for view in self.deployments.values():
            if ref in (view.id, view.name):
                return view
        raise NotFound(f"You have no deployment {ref}.")

    async def state(self, who: Any, ref: str) -> DeploymentSummary:
        v = await self.get(who, ref)
        return DeploymentSummary(
            v.id, v.name, v.phase, v.reason, v.template, v.site, v.owner, v.vo, v.created, v.updated
        )

    async def update(self, who: Any, ref: str, *, source: Any, inputs: Any, version: Any) -> DeploymentView:
        view = await self.get(who, ref)
        if version not in (None, view.version):
            raise PreconditionFailed(f"It is at version {view.version}.")
        new = replace(view, version=view.version + 1, inputs=inputs or view.inputs)
        self.deployments[view.id] = new
        return new

    async def scale(self, who: Any, ref: str, node: str, count: int, *, remove: Any, version: Any) -> DeploymentView:
        self.calls.append(("scale", (node, count, remove, version)))
        return await self.get(who, ref)

    async def stop(self, who: Any, ref: str) -> DeploymentView:
        return await self.get(who, ref)

    start = resume = cancel = delete = stop

    async def events(self, who: Any, ref: str, *, after: int, limit: int) -> list[Event]:
        await self.get(who, ref)
        return [e for e in self.history if e.id > after][:limit]

    async def logs(self, who: Any, ref: str, *, after: int, limit: int, instance: Any) -> list[LogLine]:
        return [LogLine(4, ref, 1.0, instance or "worker-0", "Standard.create", "hello")] if after < 4 else []

    async def wait_changed(self, ref: str, timeout: float) -> None:
        self.news.clear()
        await asyncio.wait_for(self.news.wait(), timeout)

    async def access(self, who: Any, ref: str, instance: str | None) -> AccessView:
        await self.get(who, ref)
        return AccessView(instance or "worker[0]", "10.0.0.2", 22, "root", "KEY", None)

    async def sites(self) -> list[SiteView]:
        return [SiteView("local", "local", True, "", ("machines",))]

    async def images(self) -> list[ImageView]:
        return []

    async def prune_images(self, who: Principal, *, unused_for: float, keys: Any) -> list[ImageView]:
        if not who.admin:
            raise Forbidden("only those who run this server may delete its images")
        self.calls.append(("prune", (unused_for, keys)))
        return []


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def closing() -> Closing:
    return Closing()


@functools.cache
def built() -> Any:
    """The app without its gate, made once: describing its routes to Pydantic takes a while."""
    return build(None, None)  # type: ignore[arg-type]


@pytest.fixture
def app(service: FakeService, closing: Closing) -> Any:
    inner, authenticator = built(), StaticToken(TOKEN)
    inner.state.service, inner.state.authenticator, inner.state.closing = service, authenticator, closing
    return Gate(inner, service, authenticator, limit=64 * 1024)  # type: ignore[arg-type]


@pytest.fixture
async def client(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here", headers=AUTH) as client:
        yield client
