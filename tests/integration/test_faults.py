"""Faults of sites and of the database: each ends in a clear phase with clear words, and what was begun goes on.

In one process and on the fake site: tests/integration/test_faults_on_machines.py has real machines.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from isthmus.api.app import create_app
from isthmus.api.auth import LOCAL, StaticToken
from isthmus.engine import reconcile
from isthmus.runtime import Runtime, open_runtime
from isthmus.service import Source
from isthmus.settings import Settings, SiteSettings
from isthmus.sites.fake import Fault, Kind, World, audit
from isthmus.store import database
from isthmus.tosca import Bundle
from isthmus.views import DeploymentSummary

from ..postgres import Postgres

TEMPLATE = b"""\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  node_templates:
    front: {type: tosca.nodes.Compute}
    worker:
      type: tosca.nodes.Compute
      capabilities:
        scalable: {properties: {min_instances: 1, max_instances: 8, default_instances: 2}}
    app:
      type: tosca.nodes.SoftwareComponent
      requirements: [host: worker]
      interfaces:
        Standard:
          create: step.sh
          configure: {implementation: step.sh, inputs: {FRONT: {get_attribute: [front, private_address]}}}
"""
SOURCE = Source(bundle=Bundle("app.yaml", {"app.yaml": TEMPLATE, "step.sh": b"#!/bin/sh\n"}))
TOKEN = "a-token-that-is-long-enough"


@dataclass
class Scene:
    """A runtime at work, the API on it, and the world of its site."""

    runtime: Runtime
    api: httpx.AsyncClient
    world: World

    async def deploy(self, name: str = "app") -> str:
        return (await self.runtime.service.create(LOCAL, SOURCE, name=name, inputs={}))[0].id

    async def reached(self, name: str, *phases: str) -> DeploymentSummary:
        return await until(lambda: self._in(name, phases))

    async def _in(self, name: str, phases: tuple[str, ...]) -> DeploymentSummary | None:
        found = await self.runtime.service.state(LOCAL, name)
        return found if found.phase in phases else None

    async def events(self, name: str = "app") -> list[str]:
        return [f"{e.kind} {e.message}" for e in await self.runtime.service.events(LOCAL, name)]


async def until(ask: Callable[[], Any], seconds: float = 120.0) -> Any:
    """What ``ask`` answers once that is true."""
    async with asyncio.timeout(seconds):
        while not (answer := await ask()):  # noqa: ASYNC110 - what happens in the store rings no bell here
            await asyncio.sleep(0.01)
    return answer


@asynccontextmanager
async def opened(home: Path, url: str = "", **options: Any) -> AsyncIterator[Scene]:
    world = home / "world.db"
    site = SiteSettings(name="fake", kind="fake", options={"world": str(world), **options})
    values: dict[str, Any] = {"database_url": url} if url else {}
    settings = Settings(home=home, sites=(site,), tick=0.1, lease=0.5, **values)
    async with open_runtime(settings) as runtime:

        async def check() -> None:
            await runtime.service.list(LOCAL, limit=1)

        app = create_app(runtime.service, StaticToken(TOKEN), check=check)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://isthmus", headers=headers) as api:
            own = World(world)
            try:
                yield Scene(runtime, api, own)
            finally:
                own.close()


@pytest.fixture(autouse=True)
def _haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same patience, on a quicker clock."""
    monkeypatch.setattr(reconcile, "BACKOFF", (0.05,))


@pytest.fixture
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is busy is told at once."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)


# -- sites --------------------------------------------------------------------------------------


async def test_a_quota_that_is_used_up_is_told_and_resume_goes_on_once_there_is_room(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        scene.world.set_fault(
            Fault("create_machine", Kind.QUOTA, "worker", times=None, message="3 of 3 CPUs used", delay=60)
        )
        await scene.deploy()
        found = await scene.reached("app", "degraded")
        assert found.reason in [f"machine worker[{n}]: 3 of 3 CPUs used; again in 60 s" for n in (0, 1)]
        assert "action.failed machine worker[0]: 3 of 3 CPUs used" in await scene.events()
        scene.world.clear_rules()
        await scene.runtime.service.resume(LOCAL, "app")
        await scene.reached("app", "running")
        assert audit(scene.world) == []


async def test_a_site_that_does_not_answer_is_told_and_tried_again_by_itself(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        scene.world.set_fault(
            Fault("create_network", Kind.UNREACHABLE, times=None, message="no answer in 60 s", delay=0.001)
        )
        await scene.deploy()
        found = await scene.reached("app", "degraded")
        assert found.reason.startswith("network: no answer in 60 s; again in ")
        scene.world.clear_rules()
        await scene.reached("app", "running")
        assert audit(scene.world) == []


async def test_an_answer_that_is_lost_on_the_way_doubles_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        for verb in ("create_network", "create_machine", "run", "save_image", "delete_machine", "delete_network"):
            scene.world.set_fault(Fault(verb, Kind.TIMEOUT, times=2, delay=0.001))
        id_ = await scene.deploy()
        await scene.reached("app", "running")
        assert {f"{m.ref.node}{m.ref.index}" for m in scene.world.resources("fake", "machine")} == {
            "front0", "worker0", "worker1",
        }  # fmt: skip
        await scene.runtime.service.delete(LOCAL, "app")
        await scene.reached(id_, "deleted")
        assert [r for r in scene.world.resources("fake") if r.kind != "image"] == []
        assert audit(scene.world) == []


async def test_a_site_that_cannot_be_asked_for_offers_is_told_by_name(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        scene.world.set_fault(Fault("offers", Kind.UNREACHABLE, times=None, message="connection refused"))
        await scene.deploy()
        found = await scene.reached("app", "degraded")
        assert "fake" in found.reason
        assert "connection refused" in found.reason
        scene.world.clear_rules()
        await scene.runtime.service.resume(LOCAL, "app")
        await scene.reached("app", "running")


async def test_a_refusal_for_good_waits_for_a_person(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        scene.world.set_fault(Fault("create_machine", Kind.PERMANENT, times=1, message="your account is blocked"))
        await scene.deploy()
        found = await scene.reached("app", "failed")
        assert found.reason.startswith("machine ")
        assert found.reason.endswith("]: your account is blocked")
        await scene.runtime.service.resume(LOCAL, "app")
        await scene.reached("app", "running")
        assert audit(scene.world) == []


async def test_an_operation_that_fails_is_told_with_its_machine_and_words(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        scene.world.fail_operation("app.Standard.configure", 3, index=1, times=1, message="exit code 3: no such user")
        await scene.deploy()
        found = await scene.reached("app", "failed")
        assert found.reason == "app configure failed on worker[1]: exit code 3: no such user"
        assert any(e.startswith("action.failed app configure on worker[0], worker[1]") for e in await scene.events())
        ran = len(scene.world.runs(label="app.Standard.create"))
        await scene.runtime.service.resume(LOCAL, "app")
        await scene.reached("app", "running")
        assert len(scene.world.runs(label="app.Standard.create")) == ran, "what had run well has not run again"


async def test_a_site_that_fails_while_it_is_deleted_is_asked_again_until_all_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        id_ = await scene.deploy()
        await scene.reached("app", "running")
        scene.world.set_fault(Fault("delete_machine", Kind.UNREACHABLE, times=None, message="no route", delay=0.001))
        await scene.runtime.service.delete(LOCAL, "app")
        assert "no route" in (await scene.reached("app", "degraded")).reason
        scene.world.clear_rules()
        await scene.reached(id_, "deleted")
        assert [r for r in scene.world.resources("fake") if r.kind != "image"] == []


# -- the database -------------------------------------------------------------------------------


@pytest.mark.usefixtures("_little_patience")
async def test_a_locked_database_is_told_as_busy_and_what_was_begun_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path, latency={"run": 0.05}) as scene:
        await scene.deploy("begun")
        await until(lambda: _any_runs(scene))
        holder = sqlite3.connect(tmp_path / "isthmus.db", isolation_level=None, timeout=10)
        holder.execute("BEGIN EXCLUSIVE")
        try:
            refused = await scene.api.post("/v1/deployments", json=_body("refused"))
            _is_busy(refused)
            assert (await scene.api.get("/healthz")).status_code == 200
            assert (await scene.api.get("/v1/deployments/begun/state")).status_code == 200, "readers are not kept out"
            await asyncio.sleep(1.0)  # twice as long as a lease lasts
        finally:
            holder.execute("ROLLBACK")
            holder.close()
        await until(lambda: _is_taken(scene, "/v1/deployments", _body("after")))
        for name in ("begun", "after"):
            await scene.reached(name, "running")
        assert (await scene.api.get("/v1/deployments/refused")).status_code == 404, "what was refused has not happened"
        assert audit(scene.world) == []


@pytest.mark.usefixtures("_little_patience")
async def test_a_database_that_is_gone_is_told_as_busy_and_what_was_begun_goes_on(
    tmp_path: Path, postgres: Postgres
) -> None:
    async with opened(tmp_path, postgres.new_database(), latency={"run": 0.05}) as scene:
        await scene.deploy("begun")
        await until(lambda: _any_runs(scene))
        await asyncio.to_thread(postgres.stop)
        try:
            _is_busy(await scene.api.post("/v1/deployments", json=_body("refused")))
            _is_busy(await scene.api.get("/v1/deployments"))
            _is_busy(await scene.api.get("/v1/deployments/begun/state"))
            _is_busy(await scene.api.get("/readyz"))
            assert (await scene.api.get("/healthz")).status_code == 200
            await asyncio.sleep(1.0)  # twice as long as a lease lasts
        finally:
            await asyncio.to_thread(postgres.start)
        await until(lambda: _is_ready(scene))
        await until(lambda: _is_taken(scene, "/v1/deployments", _body("after")))
        for name in ("begun", "after"):
            await scene.reached(name, "running")
        assert audit(scene.world) == []


@pytest.mark.usefixtures("_little_patience")
async def test_rows_that_another_connection_locks_are_told_as_busy(tmp_path: Path, postgres: Postgres) -> None:
    import psycopg

    url = postgres.new_database()
    async with opened(tmp_path, url) as scene:
        await scene.deploy()
        await scene.reached("app", "running")
        with psycopg.connect(url.replace("+psycopg", "")) as holder:
            holder.execute("LOCK TABLE deployments IN ACCESS EXCLUSIVE MODE")
            _is_busy(await scene.api.get("/v1/deployments"))
            _is_busy(await scene.api.post("/v1/deployments/app/stop"))
            holder.rollback()
        await until(lambda: _is_taken(scene, "/v1/deployments/app/stop"))
        await scene.reached("app", "stopped")


async def _any_runs(scene: Scene) -> bool:
    return bool(scene.world.runs())


async def _is_taken(scene: Scene, path: str, body: Any = None) -> bool:
    """Whether a request is taken; the engine's own writes may keep it out for a moment, which is told as busy."""
    answer = await scene.api.post(path, json=body)
    assert answer.status_code in (202, 503), answer.text
    return answer.status_code == 202


async def _is_ready(scene: Scene) -> bool:
    return (await scene.api.get("/readyz")).status_code == 200


def _body(name: str) -> dict[str, Any]:
    files = {"app.yaml": TEMPLATE.decode(), "step.sh": "#!/bin/sh\n"}
    return {"name": name, "template": {"main": "app.yaml", "files": files}}


def _is_busy(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"]
