"""Where jobs may go: what a site cannot give is told before anything is stored, and no silent site is waited for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.engine.job_nodes import JobOrder
from isthmus.engine.pulse import Pulse
from isthmus.errors import Busy, Conflict, Invalid, NotFound, Unsupported
from isthmus.identity import Principal
from isthmus.job_desk import ServedJobDesk
from isthmus.job_rooms import Rooms
from isthmus.job_service import JobRequest, JobService
from isthmus.sites.errors import Permanent, Temporary
from isthmus.sites.errors import Unsupported as NotTaken
from isthmus.sites.jobs import Facilities, Nodes, Partition
from isthmus.store.blobs import Blobs
from isthmus.store.deployments import Deployment
from isthmus.work.job import Container, JobSpec, Resources

from ..store import rows
from .toy import Desk, Toy

GIB = 2**30
ALICE, BOB = Principal("alice", "physics"), Principal("bob", "physics")
TRUE = JobSpec((Container("main", command=("true",)),))
LAPTOP = Partition("local", True, "up", 1, 2, 2, 8 * GIB, wait=0.0, shapes=(Nodes(1, 2, 8 * GIB),))
CLUSTER = Partition(
    "batch", True, "up", 8, 512, 0, 512 * GIB, {"a100": 32}, 30 * 86400.0, wait=60.0,
    shapes=(Nodes(8, 64, 512 * GIB, {"a100": 4}),),
)  # fmt: skip
WIDE = {"command": ["true"], "cpus": 40, "gpus": 0, "nodes": 1, "container": False, "each": False}
"""A job of a template."""


@dataclass
class Site(Toy):
    """A toy that tells what it has, in the end."""

    parts: tuple[Partition, ...] = (LAPTOP,)
    options: tuple[str, ...] = ()
    asked: int = 0
    answers: asyncio.Event | None = None
    pool: bool = False

    def check(self, spec: JobSpec) -> None:
        if unknown := sorted(set(spec.options) - set(self.options)):
            raise NotTaken(f"no option {unknown[0]} here")

    async def facilities(self) -> Facilities:
        self.asked += 1
        self._answer()
        if self.answers is not None:
            await self.answers.wait()
        return Facilities("toy", "1", self.parts, options=self.options, pool=self.pool)


@dataclass
class Places:
    """Sites by name, and deployments that are batch systems by what their template is called."""

    all: dict[str, Any]
    """A text is a site whose settings are wrong, for that reason."""
    shelf: Any = field(default_factory=lambda: SimpleNamespace(load=_load))

    @property
    def sites(self) -> Any:
        return SimpleNamespace(get=self._of_settings)

    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.all if not name.startswith("deployment/"))

    async def get(self, name: str) -> tuple[Any, Any]:
        if name not in self.all:
            raise Temporary(f"{name} cannot be reached yet")
        return self._open(name), self._open(name)

    def _of_settings(self, name: str) -> Any:
        if name not in self.names():
            raise Permanent(f"there is no site {name}")
        return self._open(name)

    def _open(self, name: str) -> Any:
        if isinstance(site := self.all[name], str):
            raise Permanent(f"site {name}: {site}")
        return site


def _load(row: Deployment) -> Any:
    return SimpleNamespace(topology=row.template)


@pytest.fixture(autouse=True)
def batch_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    node = SimpleNamespace(kind="slurm")
    monkeypatch.setattr("isthmus.job_sites.batch_node", lambda topology: node if topology == "slurm-cluster" else None)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


def service_of(desk: Desk, tmp_path: Path, **sites: Any) -> JobService:
    places: Any = Places(sites)
    return JobService(desk.store, places, Blobs(tmp_path / "blobs"), Pulse(), lambda site: None)


def asking(**resources: Any) -> JobSpec:
    return replace(TRUE, resources=Resources(**resources))


def add_deployment(desk: Desk, name: str, template: str = "slurm-cluster", owner: str = "alice") -> str:
    """A deployment that runs; answers its id."""
    id = hashlib.sha256(f"{owner}/{name}".encode()).hexdigest()[:12]
    row = rows.deployment(id=id, name=name, template=template, owner=owner, vo="physics", phase="running")
    rows.add(desk.store, row)
    return id


@pytest.mark.parametrize(
    ("spec", "needs", "words"),
    [
        (TRUE, ("gpu",), "laptop has no GPU"),
        (TRUE, ("containers",), "laptop runs no containers"),
        (TRUE, ("mpi",), "laptop runs no jobs over several nodes"),
        (asking(memory=2**40), (), "laptop has 8.0 GiB of memory on a node, not 1024.0 GiB"),
        (asking(nodes=2, tasks=2), (), "laptop runs no jobs over several nodes"),
        (asking(gpus=1, gpu_type="a100"), (), "laptop has no GPU"),
        (asking(cpus=1, tasks=3), (), "laptop has 2 CPUs on a node, not 3"),
    ],
)
@pytest.mark.parametrize("named", ["laptop", None])
async def test_what_a_site_has_not_is_refused_before_anything_is_stored(
    desk: Desk, tmp_path: Path, spec: JobSpec, needs: tuple[str, ...], words: str, named: str | None
) -> None:
    service = service_of(desk, tmp_path, laptop=Site())
    with pytest.raises(Invalid, match=words) as caught:
        await service.create(ALICE, JobRequest(spec, site=named, needs=needs))
    assert caught.value.code == "no-site"
    assert "isthmus sites show laptop" in caught.value.hint
    assert (await service.list(ALICE)).items == []


@pytest.mark.parametrize("named", ["laptop", None])
async def test_an_option_that_a_site_does_not_take_is_refused_at_once(
    desk: Desk, tmp_path: Path, named: str | None
) -> None:
    service = service_of(desk, tmp_path, laptop=(laptop := Site()))
    with pytest.raises(Unsupported, match="laptop: no option partition here"):
        await service.create(ALICE, JobRequest(replace(TRUE, options={"partition": "x"}), site=named))
    assert laptop.asked == 0


async def test_a_job_that_names_a_partition_goes_where_there_is_one(desk: Desk, tmp_path: Path) -> None:
    hpc = Site(parts=(replace(CLUSTER, default=True), replace(CLUSTER, name="gpu", default=False)),
               options=("partition",))  # fmt: skip
    service = service_of(desk, tmp_path, laptop=Site(), hpc=hpc)
    view, _ = await service.create(ALICE, JobRequest(replace(TRUE, options={"partition": "gpu"})))
    assert (view.site, view.why) == (
        "hpc", "laptop: no option partition here; hpc: chosen: would start it in about 60 s")  # fmt: skip
    with pytest.raises(Invalid, match="hpc: has no partition none, it has batch, gpu"):
        await service.create(ALICE, JobRequest(replace(TRUE, options={"partition": "none"})))


@pytest.mark.parametrize("spec", [asking(gpus=2, gpu_type="a100"), asking(cpus=40), asking(memory=100 * GIB)])
async def test_a_busy_site_that_fits_is_chosen_before_a_free_one_that_does_not(
    desk: Desk, tmp_path: Path, spec: JobSpec
) -> None:
    service = service_of(desk, tmp_path, laptop=Site(), hpc=Site(parts=(CLUSTER,)))
    view, _ = await service.create(ALICE, JobRequest(spec))
    assert view.site == "hpc"


async def test_a_limit_that_a_qos_may_lift_is_left_to_the_site(desk: Desk, tmp_path: Path) -> None:
    service = service_of(desk, tmp_path, hpc=Site(parts=(CLUSTER,), options=("qos",)))
    long = asking(time=40 * 86400.0)
    with pytest.raises(Invalid, match="lets a job run for 30 d, not 40 d"):
        await service.create(ALICE, JobRequest(long))
    await service.create(ALICE, JobRequest(replace(long, options={"qos": "long"})))


@pytest.mark.parametrize("named", ["hpc", None])
async def test_a_site_that_does_not_answer_has_the_job_wait_for_it(
    desk: Desk, tmp_path: Path, named: str | None
) -> None:
    hpc = Site(answers=asyncio.Event())
    service = service_of(desk, tmp_path, hpc=hpc)
    service.sites._rooms = Rooms(service.sites._places, desk.store.now, patience=0.01)
    for _ in range(3):
        view, _ = await service.create(ALICE, JobRequest(TRUE, site=named, needs=("gpu",)))
        assert view.site == "hpc"
        assert view.why.endswith("it did not answer within 0.01 s, so nobody looked whether it has gpu")
    assert hpc.asked == 1
    hpc.answers.set()  # type: ignore[union-attr]
    await asyncio.sleep(0)
    desk.time += 60
    with pytest.raises(Invalid, match="has no GPU"):
        await service.create(ALICE, JobRequest(TRUE, site=named, needs=("gpu",)))


async def test_of_several_sites_one_that_does_not_answer_is_not_chosen(desk: Desk, tmp_path: Path) -> None:
    service = service_of(desk, tmp_path, hpc=Site(away=Temporary("no route to host")), laptop=Site())
    view, _ = await service.create(ALICE, JobRequest(TRUE))
    assert (view.site, view.why) == (
        "laptop", "hpc: does not answer: no route to host; laptop: chosen: has room now")  # fmt: skip


async def test_what_would_fit_where_nobody_answers_now_is_to_be_asked_for_again(desk: Desk, tmp_path: Path) -> None:
    hpc = Site(away=Temporary("no route to host"), parts=(CLUSTER,))
    service = service_of(desk, tmp_path, hpc=hpc, laptop=Site())
    with pytest.raises(Busy, match="no site fits now: hpc: does not answer: no route to host; laptop: has 2 CPUs"):
        await service.create(ALICE, JobRequest(asking(cpus=40)))
    order = JobOrder("alice", "physics", "k", "work", None, WIDE, frozenset())
    with pytest.raises(Temporary, match="no site fits now"):
        await ServedJobDesk(service).submit(order)
    hpc.away = None
    desk.time += 60
    assert (await service.create(ALICE, JobRequest(asking(cpus=40))))[0].site == "hpc"


async def test_a_site_whose_settings_are_wrong_is_told_of(desk: Desk, tmp_path: Path) -> None:
    service = service_of(desk, tmp_path, hpc="host: is missing", laptop=Site(), files=SimpleNamespace())
    wrong = "hpc: cannot be used: host: is missing"
    assert (await service.create(ALICE, JobRequest(TRUE)))[0].why == f"the only site that takes jobs; {wrong}"
    with pytest.raises(Invalid, match=f"laptop has 2 CPUs on a node, not 40; {wrong}"):
        await service.create(ALICE, JobRequest(asking(cpus=40)))
    with pytest.raises(Unsupported, match=f"laptop: no option partition here; {wrong}"):
        await service.create(ALICE, JobRequest(replace(TRUE, options={"partition": "x"})))
    with pytest.raises(Invalid, match="hpc cannot be used: host: is missing"):
        await service.create(ALICE, JobRequest(TRUE, site="hpc"))
    with pytest.raises(Invalid, match="site files takes no jobs"):
        await service.create(ALICE, JobRequest(TRUE, site="files"))
    assert (await service.sites.facilities(ALICE, "hpc")).detail == "site hpc: host: is missing"

    several = service_of(desk, tmp_path, hpc="host: is missing", laptop=Site(), other=Site())
    view, _ = await several.create(ALICE, JobRequest(TRUE))
    assert view.why == f"laptop: chosen: has room now; other: has room now; {wrong}"
    with pytest.raises(Invalid, match=f"no site fits: .*; {wrong}"):
        await several.create(ALICE, JobRequest(asking(cpus=40)))
    with pytest.raises(Invalid, match=f"no site takes jobs; {wrong}"):
        await service_of(desk, tmp_path, hpc="host: is missing").create(ALICE, JobRequest(TRUE))


async def test_jobs_of_a_site_whose_settings_went_wrong_are_still_listed(desk: Desk, tmp_path: Path) -> None:
    await service_of(desk, tmp_path, hpc=Site()).create(ALICE, JobRequest(TRUE, site="hpc"))
    broken = service_of(desk, tmp_path, hpc="host: is missing")
    assert [job.site for job in (await broken.list(ALICE, site="hpc")).items] == ["hpc"]


async def test_no_more_sites_are_remembered_than_needed(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.job_rooms.MOST", 2)
    sites = {name: Site() for name in "abcd"}
    rooms = service_of(desk, tmp_path, away=Site(away=Temporary("no")), **sites).sites._rooms
    for name in ("a", "b", "away", "c"):
        await rooms.of(name, 30)
    await rooms.of("b", 30)
    assert sites["b"].asked == 1
    await rooms.of("a", 30)
    assert sites["a"].asked == 2


async def test_a_job_is_accepted_by_what_a_site_said_and_refused_only_by_what_it_says(
    desk: Desk, tmp_path: Path
) -> None:
    hpc = Site()
    service = service_of(desk, tmp_path, hpc=hpc)
    for _ in range(5):
        await service.create(ALICE, JobRequest(TRUE, site="hpc"))
        desk.time += 60
    assert hpc.asked == 1
    hpc.parts = (CLUSTER,)  # it has grown
    await service.create(ALICE, JobRequest(asking(cpus=40), site="hpc"))
    assert hpc.asked == 2


async def test_requests_at_once_ask_a_site_once(desk: Desk, tmp_path: Path) -> None:
    hpc = Site()
    service = service_of(desk, tmp_path, hpc=hpc)
    await asyncio.gather(*(service.create(ALICE, JobRequest(TRUE, site="hpc")) for _ in range(5)))
    assert hpc.asked == 1


async def test_a_pool_that_is_named_keeps_what_fits_no_machine_yet(desk: Desk, tmp_path: Path) -> None:
    service = service_of(desk, tmp_path, condor=Site(pool=True), laptop=Site())
    await service.create(ALICE, JobRequest(asking(cpus=40), site="condor"))
    with pytest.raises(Invalid, match="condor: has 2 CPUs on a node, not 40; laptop"):
        await service.create(ALICE, JobRequest(asking(cpus=40)))


async def test_an_older_agent_that_tells_nothing_of_its_nodes_is_bounded_by_their_sum(
    desk: Desk, tmp_path: Path
) -> None:
    service = service_of(desk, tmp_path, old=Site(parts=(replace(CLUSTER, shapes=()),)), new=Site(parts=()))
    await service.create(ALICE, JobRequest(asking(cpus=512), site="old"))
    await service.create(ALICE, JobRequest(asking(cpus=5000), site="new"))
    with pytest.raises(Invalid, match="has 512 CPUs on a node, not 513"):
        await service.create(ALICE, JobRequest(asking(cpus=513), site="old"))


async def test_a_batch_system_that_was_deployed_is_named_to_its_owner_only(desk: Desk, tmp_path: Path) -> None:
    mine = add_deployment(desk, "mine")
    add_deployment(desk, "web", "service")
    add_deployment(desk, "hers", owner="bob")
    shadowed = add_deployment(desk, "laptop")
    service = service_of(desk, tmp_path, laptop=Site(), **{f"deployment/{mine}": Site()})
    told = await service.sites.deployed(ALICE)
    assert {(site.name, site.kind, site.ready) for site in told} == {
        ("mine", "slurm", True), (f"deployment/{shadowed}", "slurm", True)}  # fmt: skip
    for name, words in (("nowhere", "no site nowhere"), ("hers", "no site hers"), ("web", "web is no batch system")):
        with pytest.raises(Invalid, match=words):
            await service.create(ALICE, JobRequest(TRUE, site=name))
        with pytest.raises(NotFound, match=words):
            await service.sites.facilities(ALICE, name)
    with pytest.raises(Invalid) as caught:
        await service.create(ALICE, JobRequest(TRUE, site="nowhere"))
    assert caught.value.hint.startswith("The sites are laptop, ")
    assert "mine" in caught.value.hint
    assert "hers" not in caught.value.hint
    view, _ = await service.create(ALICE, JobRequest(TRUE, site="mine"))
    assert view.site == "mine"
    assert (await service.create(ALICE, JobRequest(TRUE)))[0].site == "laptop"


async def test_whose_cluster_is_meant_is_not_guessed(desk: Desk, tmp_path: Path) -> None:
    mine, hers = add_deployment(desk, "mine"), add_deployment(desk, "mine", owner="bob")
    service = service_of(desk, tmp_path, **{f"deployment/{id}": Site() for id in (mine, hers)})
    admin = Principal("root", "physics", admin=True)
    with pytest.raises(Conflict, match="several owners have a deployment mine"):
        await service.create(admin, JobRequest(TRUE, site="mine"))
    for who, site, id in ((BOB, "mine", hers), (admin, hers, hers), (admin, f"deployment/{mine}", mine)):
        view, _ = await service.create(who, JobRequest(TRUE, site=site))
        assert desk.job(view.id).site == f"deployment/{id}"


async def test_a_cluster_that_is_not_up_yet_has_its_jobs_wait(desk: Desk, tmp_path: Path) -> None:
    add_deployment(desk, "mine")
    service = service_of(desk, tmp_path, laptop=Site())
    view, _ = await service.create(ALICE, JobRequest(asking(cpus=5000), site="mine"))
    assert view.why.startswith("named by its owner; it does not answer: deployment/")


async def test_a_job_of_a_template_that_fits_nowhere_fails_with_the_words(desk: Desk, tmp_path: Path) -> None:
    service = service_of(desk, tmp_path, laptop=Site())
    order = JobOrder("alice", "physics", "k", "work", "laptop", WIDE, frozenset())
    with pytest.raises(Permanent, match="laptop has 2 CPUs on a node, not 40 `isthmus sites show laptop`"):
        await ServedJobDesk(service).submit(order)
