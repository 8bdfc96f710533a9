"""Performing one action of a plan: the only place with side effects on sites and machines.

Every step writes its intent before it acts and its outcome after, guarded by the lease. Each is safe to
repeat: whoever comes next after a crash finds what was made and goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

from sqlalchemy import Connection

from isthmus.engine.baking import installed
from isthmus.engine.job_nodes import JobDesk, JobOrder, batch_system, job_files, job_spec
from isthmus.engine.journal import Journal
from isthmus.engine.observe import IMAGE_TAG, dump_done, machine_attributes
from isthmus.engine.operations import OperationRunner
from isthmus.engine.plan import Action, Target, Verb
from isthmus.engine.state import (
    Desired,
    Done,
    Health,
    Key,
    OperationKey,
    is_shared,
    machine_spec,
    volume_key,
    volume_mounts,
)
from isthmus.sites.contract import (
    C,
    Driver,
    Images,
    Machine,
    Machines,
    MachineSpec,
    Mount,
    Networks,
    Ref,
    SharedVolumes,
    Volumes,
    label,
    lends,
)
from isthmus.sites.errors import Permanent, SiteError, Temporary, Unreachable, Unsupported
from isthmus.store import Lease, history, leases, resources
from isthmus.store import images as image_rows
from isthmus.store.resources import ResourceRow
from isthmus.topology import Node, NodeKind, Offer, Stage, quantity
from isthmus.views import Event, ImageView

PATIENCE = 10.0
"""Seconds: a site that asks for a longer delay is asked again in a later run, not in this one."""
TRIES = 4
JOB_PATIENCE = 5.0
"""Seconds between looks at whether a job that runs is still ours to wait for."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all actions of one run share."""

    deployment: str
    template: str
    lease: Lease
    driver: Driver
    desired: Desired
    offers: Mapping[str, Offer]
    public_key: str
    machine_timeout: float
    owner: str
    vo: str
    desk: JobDesk


class Performer:
    """Performs actions of one deployment's plan."""

    def __init__(self, context: Context, journal: Journal, operations: OperationRunner):
        self.context = context
        self.journal = journal
        self.operations = operations
        self._verbs: Mapping[tuple[Verb, Target], Callable[[Action], Awaitable[None]]] = {
            (Verb.CREATE, Target.NETWORK): self._create_network,
            (Verb.DELETE, Target.NETWORK): self._delete_network,
            (Verb.CREATE, Target.VOLUME): self._create_volume,
            (Verb.DELETE, Target.VOLUME): self._delete_volume,
            (Verb.CREATE, Target.MACHINE): self._create_machine,
            (Verb.START, Target.MACHINE): self._start_machine,
            (Verb.STOP, Target.MACHINE): self._stop_machine,
            (Verb.DELETE, Target.MACHINE): self._delete_machine,
            (Verb.CREATE, Target.IMAGE): self._save_image,
            (Verb.CREATE, Target.JOB): self._run_job,
            (Verb.DELETE, Target.JOB): self._delete_job,
            (Verb.CONFIGURE, Target.OPERATION): self.operations.run_up,
            (Verb.STOP, Target.OPERATION): self.operations.run_down,
            (Verb.DELETE, Target.OPERATION): self.operations.run_down,
        }

    async def __call__(self, action: Action) -> None:
        """Perform ``action``, trying again what the site says is temporary; raises its SiteError."""
        begun = self.journal.store.now()
        await self._record(action, "action.started", action.what)
        try:
            await self._try(action)
        except SiteError as error:
            seconds = self.journal.store.now() - begun
            await self._record(action, "action.failed", f"{action.what}: {error}", "failed", seconds)
            raise
        await self._record(action, "action.done", action.what, "ok", self.journal.store.now() - begun)

    async def _try(self, action: Action) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                return await self._verbs[action.verb, action.target](action)
            except Temporary as error:
                delay = error.delay * 2 ** (attempt - 1)
                if attempt == TRIES or delay > PATIENCE:
                    raise
                await self._record(action, "action.retried", f"{action.what}: {error}; again in {delay:g} s")
                await asyncio.sleep(delay)
        raise AssertionError("the last try returns or raises")

    async def _record(
        self, action: Action, kind: str, message: str, outcome: str = "", seconds: float | None = None
    ) -> None:
        """Write down how an action stands, unless the lease is lost: then nothing more shall be done."""
        event = Event(0, self.context.deployment, self.journal.store.now(), "engine", kind, message,
                      action.node, action.id, outcome, seconds)  # fmt: skip
        await self._guarded(lambda c: history.add_events(c, [event]))
        self.journal.pulse.beat(self.context.deployment)

    # -- networks and volumes ---------------------------------------------------------------

    async def _create_network(self, action: Action) -> None:
        networks = self._lent(Networks, "networks")
        ref = self._ref(action.instances[0])
        await self._put(self._row(action.instances[0], NodeKind.NETWORK, Health.PENDING))
        network = await networks.create_network(ref, self._tags())
        row = self._row(action.instances[0], NodeKind.NETWORK, Health.RUNNING)
        await self._put(replace(row, site_id=network.id, attributes={"cidr": network.cidr}))

    async def _delete_network(self, action: Action) -> None:
        if networks := lends(self.context.driver, Networks):
            await networks.delete_network(self._ref(action.instances[0]))
        await self._forget(action.instances[0])

    async def _create_volume(self, action: Action) -> None:
        key = action.instances[0]
        node = self.context.desired.topology.nodes[key.node]
        if is_shared(node):
            create = self._lent(SharedVolumes, "volumes that machines share").create_shared_volume
        else:
            create = self._lent(Volumes, "volumes").create_volume
        await self._put(self._row(key, NodeKind.VOLUME, Health.PENDING))
        volume = await create(self._ref(key), int(quantity(node.properties["size"])), self._tags())
        await self._put(replace(self._row(key, NodeKind.VOLUME, Health.RUNNING), site_id=volume.id))

    async def _delete_volume(self, action: Action) -> None:
        if volumes := lends(self.context.driver, Volumes):
            await volumes.delete_volume(self._ref(action.instances[0]))
        await self._forget(action.instances[0])

    # -- machines ---------------------------------------------------------------------------

    async def _create_machine(self, action: Action) -> None:
        machines, key = self._lent(Machines, "machines"), action.instances[0]
        known = await self._recorded(key)
        if known is None or known.site_id is None:
            spec = machine_spec(self.context.desired.topology, self.context.desired.topology.nodes[key.node])
            known = replace(self._row(key, NodeKind.MACHINE, Health.PENDING), spec=spec)
            await self._put(known)
        machine = await machines.create_machine(await self._machine_spec(key, action.image))
        if known.site_id != machine.id:
            known = self._made(key, machine)
            await self._put(known)
        await self._wait_until_it_answers(known, machine)

    def _made(self, key: Key, machine: Machine) -> ResourceRow:
        """The row of a machine that was just made; what its image brought along need not run."""
        topology, image = self.context.desired.topology, machine.tags.get(IMAGE_TAG)
        baked = image is not None and image == self.context.desired.bake_keys.get(key.node)
        done = self._installed[key.node] if baked else {}
        return replace(
            self._row(key, NodeKind.MACHINE, Health.PENDING), site_id=machine.id, image=image, done=dump_done(done),
            spec=machine_spec(topology, topology.nodes[key.node]), attributes=machine_attributes(machine),
        )  # fmt: skip

    @cached_property
    def _installed(self) -> Mapping[str, Mapping[OperationKey, Done]]:
        return installed(self.context.desired.topology)

    async def _recorded(self, key: Key) -> ResourceRow | None:
        return await self.journal.read(lambda c: resources.get(c, self.context.deployment, key.node, key.index))

    async def _machine_spec(self, key: Key, image_key: str | None) -> MachineSpec:
        offer = self.context.offers[key.node]
        topology = self.context.desired.topology
        image, tags = offer.image, self._tags()
        if image_key is not None:
            images = self._lent(Images, "images")
            found = await images.find_image(image_key)
            if found is None:
                raise Temporary(f"the baked image {image_key} went away", delay=0)
            image, tags = found.id, {**tags, IMAGE_TAG: image_key}
            now = self.journal.store.now()
            await self.journal.write(lambda c: image_rows.touch(c, self.context.driver.name, image_key, now))
        mounts = volume_mounts(topology, topology.nodes[key.node]).items()
        attached = tuple(Mount(self._ref(volume_key(topology, v, key)), path) for v, path in mounts)
        nested = "nested_containers" in machine_spec(topology, topology.nodes[key.node])
        network = (self._ref(Key(".network")),) if self.context.desired.network else ()
        return MachineSpec(
            self._ref(key), image, offer.flavour, offer.cpus, offer.memory, offer.disk,
            self.context.public_key, network, attached, tags, nested,
        )  # fmt: skip

    async def _wait_until_it_answers(self, row: ResourceRow, machine: Machine) -> None:
        """Write down a machine that answers as running, and one that never did as broken.

        One that answered before is only waited for: nobody but its owner may give up what is on its disk.
        """
        before = row.attributes.get("ssh")
        host_key = before["host_key"] if before else machine.host_key
        try:
            host_key = await self.operations.wait_ready(machine, host_key, self.context.machine_timeout)
        except Temporary as error:
            state = Health.PENDING if before else Health.ERROR
            await self._put(replace(row, state=state, reason=str(error)))
            raise Unreachable(str(error), delay=max(error.delay, PATIENCE + 1)) from error
        attributes = {**machine_attributes(machine), **self.operations.access(machine, host_key)}
        await self._put(replace(row, state=Health.RUNNING, reason="", attributes=attributes))

    async def _start_machine(self, action: Action) -> None:
        machines, key = self._lent(Machines, "machines"), action.instances[0]
        row = await self.operations.change_done(key, self._forget_starts)
        machine = await machines.start_machine(self._ref(key))
        await self._wait_until_it_answers(replace(row, site_id=machine.id), machine)

    def _forget_starts(self, done: dict[OperationKey, Done]) -> None:
        """What was started or stopped on a machine has to be started again once it was down."""
        for node in self.context.desired.topology.nodes.values():
            for operation in node.staged(Stage.START, Stage.STOP):
                done.pop((node.name, operation.name), None)

    async def _stop_machine(self, action: Action) -> None:
        machines, key = self._lent(Machines, "machines"), action.instances[0]
        row = await self.operations.change_done(key, self._forget_starts)
        await machines.stop_machine(self._ref(key))
        await self._put(replace(row, state=Health.STOPPED))

    async def _delete_machine(self, action: Action) -> None:
        if machines := lends(self.context.driver, Machines):
            await machines.delete_machine(self._ref(action.instances[0]))
        await self._forget(action.instances[0])

    async def _save_image(self, action: Action) -> None:
        images, key = self._lent(Images, "images"), action.instances[0]
        assert action.image is not None, "a plan names the key of an image that it saves"
        await self.operations.clean_for_image(key)
        try:
            image = await images.save_image(self._ref(key), action.image)
        finally:
            await self.operations.restore_after_image(key)
        view = ImageView(image.key, self.context.driver.name, image.size, image.created, image.created,
                         key.node, self.context.template)  # fmt: skip
        await self.journal.write(lambda c: image_rows.put(c, view))

    # -- jobs -------------------------------------------------------------------------------

    async def _run_job(self, action: Action) -> None:
        """Have a job run to its end; one that failed before is run anew."""
        key, topology = action.instances[0], self.context.desired.topology
        node, spec = topology.nodes[key.node], job_spec(topology, topology.nodes[key.node])
        row = await self._recorded(key)
        ran = [*row.attributes.get("ran", ())] if row else []
        if row is None or row.spec != spec or row.state != Health.PENDING:
            ran += [row.site_id] if row and row.site_id else []
            row = replace(self._row(key, NodeKind.JOB, Health.PENDING), spec=spec, attributes={"ran": ran}, site="")
            await self._put(row)
        order = await self._order(node, len(ran) + 1)
        job = await self.context.desk.submit(order)
        row = replace(row, site_id=job, attributes={"ran": ran, "job": job})
        await self._put(row)
        while not (end := await self.context.desk.wait(order, job, JOB_PATIENCE)).ended:
            await self._guarded(lambda c: None)
        attributes = {**row.attributes, "exit_code": end.exit_code}
        if end.succeeded:
            await self._put(replace(row, state=Health.RUNNING, attributes=attributes))
            return
        await self._put(replace(row, state=Health.ERROR, reason=end.words, attributes=attributes))
        raise Permanent(f"{end.words}; `isthmus logs job:{job}` shows what it printed")

    async def _order(self, node: Node, tries: int) -> JobOrder:
        properties, secrets = await self.operations.evaluate_job(node)
        topology = self.context.desired.topology
        on = f"deployment/{self.context.deployment}" if batch_system(topology, node) else properties.get("site")
        # What it runs with may change between two tries of an action that a crash came between, its key not.
        key = f"{self.context.deployment}/{node.name}/{job_spec(topology, node)['digest'][:16]}/{tries}"
        return JobOrder(
            self.context.owner, self.context.vo, key, label(node.name), str(on) if on else None, properties, secrets,
            job_files(properties, self.operations.files),
        )  # fmt: skip

    async def _delete_job(self, action: Action) -> None:
        row = await self._recorded(action.instances[0])
        ran = [*row.attributes.get("ran", ()), row.site_id] if row is not None else []
        for job in filter(None, ran):
            await self.context.desk.remove(self.context.owner, self.context.vo, job)
        await self._forget(action.instances[0])

    # -- rows -------------------------------------------------------------------------------

    def _lent(self, capability: type[C], word: str) -> C:
        found = lends(self.context.driver, capability)
        if found is None:
            raise Unsupported(f"site {self.context.driver.name} has no {word}")
        return found

    def _ref(self, key: Key) -> Ref:
        return Ref(self.context.deployment, key.node, key.index)

    def _tags(self) -> dict[str, str]:
        return {"isthmus.template": self.context.template}

    def _row(self, key: Key, kind: NodeKind, state: Health) -> ResourceRow:
        now, driver = self.journal.store.now(), self.context.driver
        return ResourceRow(self.context.deployment, key.node, key.index, kind, driver.name, None, state,
                           created=now, updated=now)  # fmt: skip

    async def _put(self, row: ResourceRow) -> None:
        await self._guarded(partial(_put, row=replace(row, updated=self.journal.store.now())))

    async def _forget(self, key: Key) -> None:
        await self._guarded(lambda c: resources.remove(c, self.context.deployment, key.node, key.index))

    async def _guarded(self, change: Callable[[Connection], None]) -> None:
        def write(c: Connection) -> None:
            leases.guard(c, self.context.lease)
            change(c)

        await self.journal.write(write)


def _put(c: Connection, row: ResourceRow) -> None:
    resources.put(c, row)
