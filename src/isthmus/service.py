"""The use cases, one method each: what the API, the command line, the web page and every dialect call.

Methods raise :mod:`isthmus.errors` and answer :mod:`isthmus.views`. A change writes what is desired and
returns at once; a worker makes it real.
"""

from __future__ import annotations

import asyncio
import re
import secrets as random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from isthmus import catalogue, portrait
from isthmus.changes import carry_over, drop_changed_offers, refuse_odd_sizes, refuse_removals, rescale, scalable
from isthmus.cursors import read_cursor, write_cursor
from isthmus.deployment_records import DeploymentRecords
from isthmus.engine.placing import Sites, place
from isthmus.engine.pulse import Pulse
from isthmus.engine.reconcile import working_phase
from isthmus.engine.state import Power, first_instances
from isthmus.errors import Busy, Conflict, Forbidden, Invalid
from isthmus.identity import Principal
from isthmus.job_service import JobService
from isthmus.keys import make_key_pair
from isthmus.library import Library, Source, Template, refuse_missing_files, secret_inputs
from isthmus.shelf import Shelf
from isthmus.sites.contract import Images, lends
from isthmus.sites.errors import SiteError
from isthmus.store import Store, deployments, history, images, resources
from isthmus.store.deployments import Deployment
from isthmus.topology import Topology, digest
from isthmus.views import (
    AccessView,
    DeploymentSummary,
    DeploymentView,
    Event,
    ImageView,
    LogLine,
    Page,
    PlanView,
    SiteView,
    TemplateView,
    ValidationView,
)

__all__ = ["Service", "Source"]

FEW_NODES = 50
"""A topology of no more is drawn at once, without the help of a thread."""
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Change:
    """What an update wants: whatever is None stays as it is."""

    source: Source | None = None
    inputs: Mapping[str, Any] | None = None
    counts: Mapping[str, int] | None = None


class Service:
    """Everything that a user can ask. Safe to call from one event loop at a time."""

    def __init__(
        self,
        store: Store,
        sites: Sites,
        library: Library,
        shelf: Shelf,
        pulse: Pulse,
        wake: Callable[[], None],
        jobs: JobService,
    ):
        self.store = store
        self.places = sites
        self.library = library
        self.records = DeploymentRecords(shelf, pulse, wake)
        self.pulse = pulse
        self.jobs = jobs

    # -- templates --------------------------------------------------------------------------

    async def catalogue(self) -> Sequence[TemplateView]:
        """Every template of the catalogue, with its form."""
        return [catalogue.entry(name) for name in catalogue.names()]

    async def template(self, name: str) -> TemplateView:
        return catalogue.entry(name)

    async def template_inputs(self, name: str) -> Mapping[str, Any]:
        """The inputs of a template of the catalogue as JSON Schema (2020-12)."""
        return catalogue.inputs_schema(name)

    async def validate(self, source: Source, inputs: Mapping[str, Any]) -> ValidationView:
        """All that is wrong with a template, or worth a remark."""
        return await asyncio.to_thread(lambda: self.library.check(source.open(), inputs))

    # -- plans ------------------------------------------------------------------------------

    async def plan(
        self, who: Principal, source: Source, *, name: str, inputs: Mapping[str, Any], site: str | None = None
    ) -> PlanView:
        """What creating a deployment would do, and where; nothing is touched."""
        template = await asyncio.to_thread(self._open, source, inputs)
        instances = first_instances(template.topology)
        counts = {node: len(indices) for node, indices in instances.items()}
        placed = await place(template.topology, counts, self.places, site, None)
        return await portrait.plan_new(
            name, template.topology, instances, placed, self.places, f"{who.vo}/{who.subject}"
        )

    async def plan_existing(
        self, who: Principal, ref: str, *, source: Source | None = None,
        inputs: Mapping[str, Any] | None = None, counts: Mapping[str, int] | None = None,
    ) -> PlanView:  # fmt: skip
        """What an update, a scaling, or just another look at a deployment would do; nothing is touched."""
        row, change = await self.records.find(who, ref), Change(source, inputs, counts)
        before, after = await self.records.template(row), await self._changed_template(row, change)
        refuse_removals(before.topology, after.topology)
        wanted = await self._wanted(row, change, before, after)
        rows, marks = await self.store.reading(
            lambda c: (resources.of_deployment(c, row.id), self.store.vault.marks(c, row.id))
        )
        return await portrait.plan_existing(wanted, after.topology, rows, self.places, marks)

    # -- deployments ------------------------------------------------------------------------

    async def create(
        self, who: Principal, source: Source, *, name: str | None = None, inputs: Mapping[str, Any],
        site: str | None = None, idempotency_key: str | None = None,
    ) -> tuple[DeploymentView, bool]:  # fmt: skip
        """Accept a new deployment; says whether it is new or the one that this idempotency key made before."""
        template = await self._template(source, inputs)
        refuse_missing_files(template)
        refuse_odd_sizes(template.topology)
        if site is not None and site not in self.places.names():
            raise Invalid(f"there is no site {site}", hint=f"There is {', '.join(self.places.names())}.")
        request = self.store.vault.fingerprint(digest([template.bundle.digest, name, inputs, site]))
        if idempotency_key is not None:
            made = await self.records.of_key(who, idempotency_key)
            if made is not None:
                return await self._repeat(who, made, request), False
        row = self._new_row(who, source, template, name, inputs, site, idempotency_key, request)
        private, public = make_key_pair(row.name)
        secrets = {"ssh-key": private, "ssh-key.pub": public, **secret_inputs(template, inputs)}
        try:
            await self.records.add(row, template.bundle, secrets)
        except IntegrityError:
            return await self._collide(who, row, request), False
        if len(template.topology.nodes) <= FEW_NODES:
            return portrait.draw(row, template.topology, (), {}), True
        return await asyncio.to_thread(portrait.draw, row, template.topology, (), {}), True

    async def _template(self, source: Source, inputs: Mapping[str, Any]) -> Template:
        """What a source means; without a thread, which would cost more, when a catalogue's was used lately."""
        if source.catalogue and (known := self.library.recall(source.open(), inputs)):
            return known
        return await asyncio.to_thread(self._open, source, inputs)

    def _open(self, source: Source, inputs: Mapping[str, Any]) -> Template:
        return self.library.load(source.open(), inputs)

    def _new_row(
        self, who: Principal, source: Source, template: Template, name: str | None, inputs: Mapping[str, Any],
        site: str | None, idempotency_key: str | None, request: str,
    ) -> Deployment:  # fmt: skip
        now = self.store.now()
        name = name or f"{_slug(source.label)}-{random.token_hex(2)}"
        if not NAME.fullmatch(name):
            raise Invalid(f"{name!r} is no name: use up to 63 of a-z, 0-9 and -, not at the ends")
        return Deployment(
            id=random.token_hex(6), name=name, owner=who.subject, vo=who.vo, template=source.label,
            bundle=template.bundle.digest, inputs={k: v for k, v in inputs.items() if k not in template.secrets},
            pinned_site=site, placement=None, instances=first_instances(template.topology),
            power=Power.RUNNING, version=1, converged_version=0, phase="pending", reason="", outputs={},
            cancelled=False, attempts=0, due=now, idempotency_key=idempotency_key, request_digest=request,
            created=now, updated=now,
        )  # fmt: skip

    async def _repeat(self, who: Principal, made: Deployment, request: str) -> DeploymentView:
        if made.request_digest != request:
            raise Invalid("this idempotency key was used for another request", code="idempotency-key-reused")
        return await self.get(who, made.id)

    async def _collide(self, who: Principal, row: Deployment, request: str) -> DeploymentView:
        """Two at once used the same name or idempotency key: the first has won."""
        key = row.idempotency_key
        if key is not None:
            made = await self.records.of_key(who, key)
            if made is not None:
                return await self._repeat(who, made, request)
        raise Conflict(
            f"you have a deployment called {row.name} already",
            hint="Choose another name, or delete it first.",
        )

    async def list(
        self, who: Principal, *, cursor: str | None = None, limit: int = 50, phase: str | None = None
    ) -> Page:
        """A page of the deployments that ``who`` may see, the youngest first."""
        after, owner = read_cursor(cursor), None if who.admin else who.subject
        rows = await self.store.reading(
            lambda c: deployments.summaries(c, who.vo, owner, after=after, limit=limit + 1, phase=phase)
        )
        more = write_cursor(rows[limit - 1].created, rows[limit - 1].id) if len(rows) > limit else None
        return Page([portrait.summarize(row) for row in rows[:limit]], more)

    async def get(self, who: Principal, ref: str) -> DeploymentView:
        """One deployment, by id or name, with its nodes and instances."""
        row = await self.records.find(who, ref)
        return await self._view(row)

    async def state(self, who: Principal, ref: str) -> DeploymentSummary:
        """Where a deployment stands, and no more: the cheapest thing to ask."""
        return portrait.summarize(await self.records.summary(who, ref))

    # -- changes ----------------------------------------------------------------------------

    async def update(
        self, who: Principal, ref: str, *, source: Source | None = None,
        inputs: Mapping[str, Any] | None = None, version: int | None = None,
    ) -> DeploymentView:  # fmt: skip
        """Change template or inputs; inputs that are not given keep their value. Only what changed is touched."""
        return await self._change(who, ref, Change(source, inputs), version, "updated")

    async def scale(
        self, who: Principal, ref: str, node: str, count: int, *, remove: Sequence[int] = (), version: int | None = None
    ) -> DeploymentView:  # fmt: skip
        """Give a node ``count`` machines. Those in ``remove`` go first, then the youngest."""
        row = await self.records.alive(who, ref)
        topology = (await self.records.template(row)).topology
        machine = scalable(topology, node, count)
        unknown = set(remove) - set(row.instances.get(machine.name, ()))
        if unknown:
            raise Invalid(f"{machine.name} has no instance {', '.join(map(str, sorted(unknown)))}")
        if remove and count > len(row.instances[machine.name]) - len(set(remove)):
            raise Invalid(
                f"removing {len(set(remove))} of {len(row.instances[machine.name])} leaves fewer than {count}"
            )
        ages = await self.records.ages(row, machine.name)
        indices = rescale(row.instances.get(machine.name, []), count, remove, ages)
        instances = {**row.instances, machine.name: indices}
        await self.records.save(who, row, version, f"scaled {machine.name} to {count}", instances=instances)
        return await self.get(who, row.id)

    async def start(self, who: Principal, ref: str) -> DeploymentView:
        """Start a stopped deployment."""
        return await self._set_power(who, ref, Power.RUNNING, "started")

    async def stop(self, who: Principal, ref: str) -> DeploymentView:
        """Stop every machine, keeping disks, volumes and addresses where the site can."""
        return await self._set_power(who, ref, Power.STOPPED, "stopped")

    async def delete(self, who: Principal, ref: str) -> DeploymentView:
        """Take everything down, in reverse order; what is deleted already stays so."""
        row = await self.records.find(who, ref)
        if row.power != Power.ABSENT or row.phase in ("failed", "cancelled"):
            await self.records.save(who, row, None, "deleted", power=Power.ABSENT, idempotency_key=None)
        return await self.get(who, row.id)

    async def resume(self, who: Principal, ref: str) -> DeploymentView:
        """Go on with what failed or was cancelled, now."""
        row = await self.records.find(who, ref)
        if row.phase == "deleted":
            raise Conflict(f"{row.name} is deleted")
        phase = working_phase(row)
        await self.records.nudge(who, row, "resumed", attempts=0, cancelled=False, phase=phase, reason="")
        return await self.get(who, row.id)

    async def cancel(self, who: Principal, ref: str) -> DeploymentView:
        """Stop working on a deployment. What was made stays, until it is resumed or deleted."""
        row = await self.records.find(who, ref)
        if row.due is None:
            raise Conflict(f"nothing is going on in {row.name}: it is {row.phase}")
        await self.records.nudge(who, row, "cancelled", cancelled=True)
        return await self.get(who, row.id)

    async def _set_power(self, who: Principal, ref: str, power: Power, word: str) -> DeploymentView:
        row = await self.records.alive(who, ref)
        if row.power != power:
            await self.records.save(who, row, None, word, power=power)
        return await self.get(who, row.id)

    async def _change(self, who: Principal, ref: str, change: Change, version: int | None, word: str) -> DeploymentView:
        row = await self.records.alive(who, ref)
        before, after = await self.records.template(row), await self._changed_template(row, change)
        refuse_missing_files(after)
        refuse_odd_sizes(after.topology)
        refuse_removals(before.topology, after.topology)
        wanted = await self._wanted(row, change, before, after)
        archive = await asyncio.to_thread(after.bundle.to_zip) if after.bundle.digest != row.bundle else b""

        def more(c: Connection) -> None:
            current = deployments.get(c, row.id)
            assert current is not None, "rows of deployments are never removed"
            # A worker may have chosen a site since this row was read, without making it a new version.
            deployments.place(c, row.id, drop_changed_offers(current.placement, before.topology, after.topology))
            for name, value in secret_inputs(after, {**row.inputs, **(change.inputs or {})}).items():
                self.store.vault.put(c, row.id, name, value)

        values = {"bundle": wanted.bundle, "template": wanted.template, "inputs": wanted.inputs,
                  "instances": wanted.instances}  # fmt: skip
        await self.records.save(who, row, version, word, [more], archive, **values)
        return await self.get(who, row.id)

    async def _changed_template(self, row: Deployment, change: Change) -> Template:
        bundle = change.source.open() if change.source else await self.records.bundle(row)
        return await asyncio.to_thread(self.library.load, bundle, {**row.inputs, **(change.inputs or {})})

    async def _wanted(self, row: Deployment, change: Change, before: Template, after: Template) -> Deployment:
        """The row as a change would leave it."""
        instances = carry_over(before.topology, after.topology, row.instances)
        for node, count in (change.counts or {}).items():
            machine = scalable(after.topology, node, count)
            ages = await self.records.ages(row, machine.name)
            instances[machine.name] = rescale(instances[machine.name], count, (), ages)
        return replace(
            row, bundle=after.bundle.digest, template=change.source.label if change.source else row.template,
            inputs={k: v for k, v in {**row.inputs, **(change.inputs or {})}.items() if k not in after.secrets},
            instances=instances, placement=drop_changed_offers(row.placement, before.topology, after.topology),
        )  # fmt: skip

    # -- history and access -----------------------------------------------------------------

    async def events(self, who: Principal, ref: str, *, after: int = 0, limit: int = 500) -> Sequence[Event]:
        row = await self.state(who, ref)
        return await self.store.reading(lambda c: history.events_after(c, row.id, after, limit))

    async def logs(
        self, who: Principal, ref: str, *, after: int = 0, limit: int = 1000, instance: str | None = None
    ) -> Sequence[LogLine]:
        """Lines that operations printed, of all machines or of one such as ``worker[1]``."""
        row = await self.state(who, ref)
        return await self.store.reading(lambda c: history.lines_after(c, row.id, after, limit, instance))

    async def wait_changed(self, ref: str, timeout: float) -> None:
        """Return when something new may be known of a deployment (given by id), or after ``timeout`` seconds.

        Another process may have written it, which nothing here hears: so never wait long.
        """
        await self.pulse.wait(ref, min(timeout, 0.5))

    async def access(self, who: Principal, ref: str, instance: str | None) -> AccessView:
        """How to reach a machine by SSH: ``worker[1]``, ``worker-1``, ``worker``, or the first one."""
        row = await self.records.find(who, ref)

        def query(c: Connection) -> tuple[Sequence[resources.ResourceRow], str | None]:
            return resources.of_deployment(c, row.id), self.store.vault.get(c, row.id, "ssh-key")

        rows, key = await self.store.reading(query)
        return portrait.access(row, rows, key, instance)

    # -- sites and images -------------------------------------------------------------------

    async def sites(self) -> Sequence[SiteView]:
        """Every site, whether it can be used now, and how many machines it has of ours."""
        machines = await self.store.reading(resources.count_machines)
        return await asyncio.gather(*(portrait.site(n, self.places, machines.get(n, 0)) for n in self.places.names()))

    async def images(self) -> Sequence[ImageView]:
        """The baked images that the sites keep, whoever baked them, with what is known of their use."""
        known = {(i.site, i.key): i for i in await self.store.reading(images.all_images)}
        shown = await asyncio.gather(*(portrait.site_images(name, self.places) for name in self.places.names()))
        return [known.get((i.site, i.key), i) for of_site in shown for i in of_site]

    async def prune_images(self, who: Principal, *, unused_for: float, keys: Sequence[str] = ()) -> Sequence[ImageView]:
        """Delete baked images that nobody used for so many seconds (of those in ``keys``, if any are given)."""
        if not who.admin:
            raise Forbidden("only those who run this server may delete its images")
        limit = self.store.now() - unused_for
        old = [i for i in await self.images() if i.used <= limit and (not keys or i.key in keys)]
        for image in old:
            try:
                driver = self.places.get(image.site)
                if keeper := lends(driver, Images):
                    await keeper.delete_image(image.key)
            except SiteError as error:
                raise Busy(f"{image.site}: {error}") from error
            await self.store.writing(partial(images.remove, site=image.site, key=image.key))
        return old

    # -- inside -----------------------------------------------------------------------------

    async def _view(self, row: Deployment) -> DeploymentView:
        try:
            topology = (await self.records.template(row)).topology
        except Invalid:
            topology = Topology({})  # what cannot be read any more can still be shown and deleted

        def query(c: Connection) -> tuple[Sequence[resources.ResourceRow], Mapping[str, Event]]:
            return resources.of_deployment(c, row.id), history.latest_by_action(c, row.id)

        rows, latest = await self.store.reading(query)
        return portrait.draw(row, topology, rows, latest)


def _slug(text: str) -> str:
    stem = text.rpartition("/")[2].rpartition(".")[0] or text
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:50] or "deployment"
