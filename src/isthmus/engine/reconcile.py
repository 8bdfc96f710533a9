"""Reconciling one deployment: observe, plan, apply, until it is as desired or something stands in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from isthmus.configure import Configurator
from isthmus.engine.graph import Ending, run_plan
from isthmus.engine.job_nodes import JobDesk
from isthmus.engine.journal import Journal
from isthmus.engine.look import look
from isthmus.engine.observe import dump_done
from isthmus.engine.operations import OperationRunner
from isthmus.engine.perform import Context, Performer
from isthmus.engine.placing import Sites, offer_values, place
from isthmus.engine.plan import Plan, Target
from isthmus.engine.planner import make_plan
from isthmus.engine.scope import Scope
from isthmus.engine.state import Desired, Health, Key, Observed, Power, machine_spec
from isthmus.placement import NoPlace
from isthmus.sites.contract import Driver
from isthmus.sites.errors import Permanent, SiteError, Temporary
from isthmus.store import Lease, LeaseLost, deployments, history, leases, resources
from isthmus.store import secrets as secret_rows
from isthmus.store.database import StoreUnavailable
from isthmus.store.deployments import Deployment
from isthmus.store.resources import ResourceRow
from isthmus.topology import NodeKind, Offer, Topology, Unknown, evaluate
from isthmus.views import CONVERGED, Event, Phase

log = structlog.get_logger(__name__)
ROUNDS = 8
"""A plan may show the need of another (what is known after the first); more than a few is a defect."""
BACKOFF = (2.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds before the next run after one that failed for a while, by how many have."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a deployment's bundle means with its inputs, and the bundle's files."""

    topology: Topology
    files: Mapping[str, bytes]


class Reconciler:
    """Brings leased deployments to their desired state."""

    def __init__(
        self, journal: Journal, sites: Sites, configurator: Configurator, desk: JobDesk,
        load: Callable[[Deployment], Loaded], *, actions_at_once: int, machine_timeout: float,
        operation_timeout: float,
    ):  # fmt: skip
        self.journal = journal
        self.sites = sites
        self.configurator = configurator
        self.desk = desk
        self.load = load
        self.actions_at_once = actions_at_once
        self.machine_timeout = machine_timeout
        self.operation_timeout = operation_timeout

    async def __call__(self, lease: Lease, interrupt: asyncio.Event) -> None:
        """Work on one deployment until it is converged, stuck or interrupted; gives the lease back."""
        row = await self._row(lease)
        if row.cancelled:
            await self._leave(row, lease, "cancelled", "by its owner", None)
            return
        try:
            # A look at what should be at rest changes its phase only when there is work.
            at_rest = row.phase in CONVERGED and row.converged_version == row.version
            if not at_rest and row.phase != (phase := working_phase(row)):
                row = await self._enter(row, lease, phase, "")
            await self._work(row, lease, interrupt)
        except SiteError as error:
            await self._fail(row, lease, error)
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            # A defect of ours must be seen by the owner, and must not stop the other deployments.
            log.exception("reconciling failed", deployment=row.id)
            told = f"a defect of the server ({type(error).__name__}) stopped the work; its log tells more"
            await self._fail(row, lease, Temporary(told, delay=60))

    async def _row(self, lease: Lease) -> Deployment:
        row = await self.journal.read(lambda c: deployments.get(c, lease.deployment))
        assert row is not None, "rows of deployments are never removed"
        return row

    async def _rows(self, deployment: str) -> list[ResourceRow]:
        return await self.journal.read(lambda c: resources.of_deployment(c, deployment))

    async def _work(self, row: Deployment, lease: Lease, interrupt: asyncio.Event) -> None:
        loaded = await self._load(row)
        for _ in range(ROUNDS):
            if interrupt.is_set():
                return await self._hand_over(lease)
            row, driver, offers = await self._placed(row, lease, loaded)
            rows = await self._rows(row.id)
            marks = await self.journal.read(partial(self.journal.store.vault.marks, deployment=row.id))
            desired, observed = await look(row, driver, offers, loaded.topology, rows, marks)
            await self._note(lease, rows, desired, observed, driver)
            plan = make_plan(desired, observed)
            if not plan:
                return await self._converged(row, lease, desired, observed)
            if row.phase in CONVERGED and row.phase != "deleted":
                row = await self._enter(row, lease, working_phase(row), "it is not as it should be")
            ending = await self._apply(plan, row, lease, driver, offers, loaded, desired, interrupt)
            if ending.failures:
                raise _worst(plan, ending)
        raise Temporary("the plan does not come to an end", delay=60)

    async def _load(self, row: Deployment) -> Loaded:
        try:
            return await asyncio.to_thread(self.load, row)
        except Permanent:
            if row.power != Power.ABSENT:
                raise
            return Loaded(Topology({}), {})  # what cannot be read any more can still be deleted

    # -- look -------------------------------------------------------------------------------

    async def _placed(
        self, row: Deployment, lease: Lease, loaded: Loaded
    ) -> tuple[Deployment, Driver, dict[str, Offer]]:
        """Where the deployment stands, chosen now when it was not yet; raises when it fits nowhere."""
        rows = await self._rows(row.id)
        if row.placement is None and row.power != Power.RUNNING and not rows:
            return row, NOWHERE, {}
        known = row.placement["offers"] if row.placement else {}
        missing = {n: i for n, i in row.instances.items() if n not in known and n in loaded.topology.nodes}
        if row.power == Power.RUNNING and (missing or row.placement is None):
            # Machines that are there already make room when they are made anew.
            there = {(r.node, r.index) for r in rows}
            wanted = {n: sum((n, index) not in there for index in i) for n, i in missing.items()}
            row = await self._place(row, lease, loaded, wanted)
        if row.placement is None:
            return row, await self.sites.prepare(rows[0].site, self._progress(row.id)), {}
        driver = await self.sites.prepare(row.placement["site"], self._progress(row.id))
        return row, driver, {n: Offer(**o) for n, o in row.placement["offers"].items()}

    async def _place(self, row: Deployment, lease: Lease, loaded: Loaded, counts: Mapping[str, int]) -> Deployment:
        """Choose offers for machines that have none: on the deployment's site once it has one."""
        before = row.placement or {"site": row.pinned_site, "offers": {}}
        progress = self._progress(row.id)
        placed = await place(loaded.topology, counts, self.sites, before["site"], progress)
        if isinstance(placed, NoPlace):
            raise Temporary(f"no site fits: {placed}", delay=60)
        offers = {**before["offers"], **{n: offer_values(o) for n, o in placed.offers.items()}}
        await self._guarded(lease, placement={"site": placed.site, "offers": offers})
        return await self._row(lease)

    async def _note(
        self, lease: Lease, rows: Sequence[ResourceRow], desired: Desired, observed: Observed, driver: Driver
    ) -> None:
        """Write down what the site shows of machines otherwise than the rows, so that operations read the same."""
        known = {Key(r.node, r.index): r for r in rows}
        topology, now = desired.topology, self.journal.store.now()
        changed = []
        for key, resource in observed.resources.items():
            row, shown = known.get(key), resource.attributes
            if resource.kind is not NodeKind.MACHINE or resource.health is Health.MISSING:
                continue
            if row is None or row.site_id != shown["tosca_id"]:
                spec = machine_spec(topology, topology.nodes[key.node]) if key.node in topology.nodes else {}
                row = ResourceRow(lease.deployment, key.node, key.index, NodeKind.MACHINE, driver.name,
                                  shown["tosca_id"], Health.PENDING, "", shown, row.spec if row else spec,
                                  dump_done(resource.done), row.image if row else None, now, now)  # fmt: skip
            elif resource.health is Health.RUNNING and _moved(row, shown):
                ssh = (
                    {"ssh": {**row.attributes["ssh"], "host": shown["public_address"]}}
                    if "ssh" in row.attributes
                    else {}
                )
                row = replace(row, attributes={**shown, **ssh}, updated=now)
            elif forgotten := {k for k in resource.done if k[0] not in topology.nodes and topology.nodes}:
                kept = {k: d for k, d in resource.done.items() if k not in forgotten}
                row = replace(row, done=dump_done(kept), updated=now)
            else:
                continue
            changed.append(row)
        if changed:
            await self.journal.write(partial(_put_all, lease=lease, rows=changed))

    # -- apply ------------------------------------------------------------------------------

    async def _apply(
        self, plan: Plan, row: Deployment, lease: Lease, driver: Driver, offers: Mapping[str, Offer],
        loaded: Loaded, desired: Desired, interrupt: asyncio.Event,
    ) -> Ending:  # fmt: skip
        private, public = await self.journal.read(partial(self._key_pair, row=row))
        context = Context(row.id, row.template, lease, driver, desired, offers, public, self.machine_timeout,
                          row.owner, row.vo, self.desk)  # fmt: skip
        operations = OperationRunner(row.id, lease, driver, desired, loaded.files, private, self.journal,
                                     self.configurator, self.operation_timeout)  # fmt: skip
        perform = Performer(context, self.journal, operations)
        return await run_plan(plan, perform, at_once=self.actions_at_once, interrupt=interrupt)

    def _key_pair(self, c: Connection, row: Deployment) -> tuple[str, str]:
        vault = self.journal.store.vault
        private, public = vault.get(c, row.id, "ssh-key"), vault.get(c, row.id, "ssh-key.pub")
        if private is None or public is None:
            assert row.power == Power.ABSENT, "every live deployment has the key pair that it was created with"
            return "", ""  # what turns up after a deletion is deleted without a look inside
        return private, public

    def _progress(self, deployment: str) -> Callable[[str], None]:
        loop = asyncio.get_running_loop()

        def progress(text: str) -> None:
            event = Event(0, deployment, self.journal.store.now(), "engine", "site.progress", text)
            asyncio.run_coroutine_threadsafe(self.journal.record(event), loop)

        return progress

    # -- endings ----------------------------------------------------------------------------

    async def _converged(self, row: Deployment, lease: Lease, desired: Desired, observed: Observed) -> None:
        phases: dict[str, Phase] = {
            Power.RUNNING: "running", Power.STOPPED: "stopped", Power.ABSENT: "deleted",
        }  # fmt: skip
        phase, now = phases[row.power], self.journal.store.now()
        outputs = {} if phase == "deleted" else make_outputs(desired, observed)

        def write(c: Connection) -> None:
            values = {
                "phase": phase,
                "reason": "",
                "attempts": 0,
                "cancelled": False,
                "converged_version": row.version,
                "updated": now,
            }
            if phase == "deleted":
                secret_rows.forget(c, row.id)
                for leftover in resources.of_deployment(c, row.id):
                    resources.remove(c, row.id, leftover.node, leftover.index)
            current = deployments.get(c, row.id)
            changed = current is not None and current.version != row.version
            leases.release(c, lease, **values, outputs=outputs, due=now if changed else None)
            if row.phase != phase:
                history.add_events(c, [self._phase_event(row, phase, "ok")])

        await self.journal.write(write)
        self.journal.pulse.beat(row.id)

    async def _fail(self, row: Deployment, lease: Lease, error: SiteError) -> None:
        """Write down what stands in the way, and when to try again where that may help."""
        if isinstance(error, Temporary):
            delay = max(error.delay, BACKOFF[min(row.attempts, len(BACKOFF) - 1)])
            await self._leave(row, lease, "degraded", f"{error}; again in {delay:g} s", delay)
        else:
            await self._leave(row, lease, "failed", str(error), None)

    async def _leave(self, row: Deployment, lease: Lease, phase: Phase, reason: str, delay: float | None) -> None:
        if row.phase == "deleted":
            phase = "deleted"  # it stays so, whatever becomes of what turned up afterwards
        now = self.journal.store.now()
        event = self._phase_event(row, f"{phase}: {reason}", "ok" if phase == "cancelled" else "failed")
        await self.journal.flush()

        def write(c: Connection) -> None:
            current = deployments.get(c, row.id)
            changed = current is not None and (current.version, current.cancelled) != (
                row.version,
                row.cancelled,
            )
            due = now if changed else now + delay if delay is not None else None
            attempts = 0 if changed else row.attempts + 1
            leases.release(c, lease, phase=phase, reason=reason, due=due, attempts=attempts, updated=now)
            history.add_events(c, [event])

        await self.journal.write(write)
        self.journal.pulse.beat(row.id)

    async def _hand_over(self, lease: Lease) -> None:
        """Give back what an interrupt took from us; whoever is next begins at once."""
        await self.journal.flush()
        await self.journal.write(lambda c: leases.release(c, lease))

    async def _enter(self, row: Deployment, lease: Lease, phase: Phase, reason: str) -> Deployment:
        event = self._phase_event(row, f"{phase}: {reason}" if reason else phase, "")

        def write(c: Connection) -> None:
            leases.guard(c, lease, phase=phase, reason=reason, updated=event.time)
            history.add_events(c, [event])

        await self.journal.write(write)
        self.journal.pulse.beat(row.id)
        return replace(row, phase=phase, reason=reason)

    async def _guarded(self, lease: Lease, **values: object) -> None:
        await self.journal.write(lambda c: leases.guard(c, lease, **values))

    def _phase_event(self, row: Deployment, message: str, outcome: str) -> Event:
        return Event(0, row.id, self.journal.store.now(), "engine", "phase.changed", message, outcome=outcome)


def _moved(row: ResourceRow, shown: Mapping[str, Any]) -> bool:
    return any(row.attributes.get(name) != shown[name] for name in ("private_address", "public_address"))


def _put_all(c: Connection, lease: Lease, rows: Sequence[ResourceRow]) -> None:
    leases.guard(c, lease)
    for row in rows:
        resources.put(c, row)


class _Nowhere:
    """The site of a deployment that was deleted before any was chosen: it has nothing."""

    name = kind = "nowhere"


NOWHERE: Any = _Nowhere()


def working_phase(row: Deployment) -> Phase:
    """What the work on a deployment is called while it goes on."""
    if row.power == Power.ABSENT:
        return "deleting"
    if row.power == Power.STOPPED:
        return "stopping"
    if row.converged_version == 0:
        return "deploying"
    return "starting" if row.phase in ("stopped", "starting") else "updating"


def _worst(plan: Plan, ending: Ending) -> SiteError:
    """What a failed run is told by: something permanent if there was any, and of what it was said."""
    worst, error = min(ending.failures.items(), key=lambda failure: isinstance(failure[1], Temporary))
    action = next(a for a in plan.actions if a.id == worst)
    if action.target is not Target.OPERATION:  # operations name themselves, and the one machine that failed
        error.args = (f"{action.what}: {error}",)
    return error


class _Mask(dict[str, str]):
    """Stands for every secret in what is shown."""

    def __missing__(self, name: str) -> str:
        return "(secret)"


MASK = _Mask()


def make_outputs(desired: Desired, observed: Observed) -> dict[str, Any]:
    """The values of a topology's outputs; None for what is not known."""
    outputs = {}
    for name, output in desired.topology.outputs.items():
        try:
            outputs[name] = evaluate(output.value, Scope(desired, observed, secrets=MASK))
        except Unknown:
            outputs[name] = None
    return outputs
