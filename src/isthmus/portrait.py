"""Portraits: rows, topologies and plans drawn as the views that users see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.engine.look import desire, look
from isthmus.engine.observe import load_done
from isthmus.engine.placing import Sites, place
from isthmus.engine.plan import Plan
from isthmus.engine.planner import make_plan
from isthmus.engine.state import Health, Observed, Power
from isthmus.errors import Busy, Conflict, NotFound
from isthmus.placement import NoPlace, Placement
from isthmus.sites.contract import Images, Status, lends
from isthmus.sites.errors import SiteError
from isthmus.sites.registry import capabilities
from isthmus.store.deployments import Deployment
from isthmus.store.resources import ResourceRow
from isthmus.topology import Node, NodeKind, Offer, Stage, Topology
from isthmus.views import (
    ENDED,
    AccessView,
    ActionView,
    DeploymentSummary,
    DeploymentView,
    Event,
    ImageView,
    InstanceView,
    NodeView,
    OfferView,
    OperationView,
    PlanView,
    SiteView,
)

STATUS_SECONDS = 10.0
"""For which a site is asked how it is, when others are shown beside it."""
SECRET = "(secret)"  # noqa: S105  what is shown in place of one


def summarize(row: Any) -> DeploymentSummary:
    """A deployment as a list shows it; ``row`` is a summary row or a whole one."""
    site = row.placement["site"] if row.placement else row.pinned_site
    return DeploymentSummary(
        row.id,
        row.name,
        row.phase,
        row.reason,
        row.template,
        site,
        row.owner,
        row.vo,
        row.created,
        row.updated,
    )


def draw(
    row: Deployment, topology: Topology, rows: Sequence[ResourceRow], latest: Mapping[str, Event]
) -> DeploymentView:
    """A deployment whole: its nodes, their instances, and how far each operation is."""
    s = summarize(row)
    there: dict[str, dict[int, ResourceRow]] = {}
    for resource in rows:
        there.setdefault(resource.node, {})[resource.index] = resource
    return DeploymentView(
        s.id, s.name, s.phase, s.reason, s.template, s.site, s.owner, s.vo, s.created, s.updated,
        version=row.version, inputs=row.inputs, outputs=_hide(row.outputs),
        nodes=[_node(row, topology, node, there, latest) for node in topology.nodes.values()],
    )  # fmt: skip


def _hide(value: Any) -> Any:
    """An output without the secrets that it names."""
    match value:
        case {"$secret": _}:
            return SECRET
        case Mapping():
            return {k: _hide(v) for k, v in value.items()}
        case list():
            return [_hide(v) for v in value]
        case _:
            return value


def _node(
    row: Deployment,
    topology: Topology,
    node: Node,
    there: Mapping[str, Mapping[int, ResourceRow]],
    latest: Mapping[str, Event],
) -> NodeView:
    host = next((r.target for r in node.requirements if r.name == "host"), None)
    machine = topology.host_of(node.name)
    if node.kind is NodeKind.SOFTWARE and machine is not None:
        mine = there.get(machine.name, {})
        indices = sorted({*mine, *row.instances.get(machine.name, ())})
        instances = [_software(node, i, mine.get(i), latest, row.phase) for i in indices]
    else:
        mine = there.get(node.name, {})
        indices = sorted({*mine, *row.instances.get(node.name, ())})
        instances = [_instance(node.name, i, mine.get(i)) for i in indices]
    scaling = node.scaling
    return NodeView(
        node.name, node.type, node.kind, host, scaling.minimum if scaling else 1, scaling.maximum if scaling else 1,
        instances,
    )  # fmt: skip


JOB_STATES: dict[str, str] = {Health.PENDING: "running", Health.RUNNING: "succeeded", Health.ERROR: "failed"}
"""How a job stands, by the health of its resource."""


def _instance(node: str, index: int, row: ResourceRow | None) -> InstanceView:
    name = f"{node}[{index}]"
    if row is None:
        return InstanceView(name, index, "waiting")
    state = JOB_STATES.get(row.state, row.state) if row.kind == NodeKind.JOB else row.state
    return InstanceView(
        name, index, state, row.site, row.site_id, row.attributes.get("private_address"),
        row.attributes.get("public_address"), row.image, row.reason,
    )  # fmt: skip


VERBS = {Stage.STOP: "stop", Stage.DELETE: "delete"}
"""The verbs of actions that run an operation, where it is not `configure`."""


def _software(node: Node, index: int, row: ResourceRow | None, latest: Mapping[str, Event], phase: str) -> InstanceView:
    done = load_done(row.done) if row else {}
    operations = []
    for operation in node.operations:
        ran = (node.name, operation.name) in done
        event = None if ran else latest.get(f"{VERBS.get(operation.stage, 'configure')}:{node.name}.{operation.name}")
        going = "waiting" if phase in ENDED else "running"
        kinds = {"action.started": going, "action.retried": going, "action.failed": "failed"}
        state = "done" if ran else kinds.get(event.kind if event else "", "waiting")
        message = event.message if event and state == "failed" else ""
        operations.append(OperationView(operation.name, state, message))
    up = [o for o in operations if not o.name.endswith((".stop", ".delete"))]
    states = {o.state for o in up}
    state = next((s for s in ("failed", "running") if s in states), "configured" if states <= {"done"} else "waiting")
    return InstanceView(
        f"{node.name}[{index}]", index, "configuring" if state == "running" else state, row.site if row else None,
        reason=next((o.message for o in operations if o.message), ""), operations=operations,
    )  # fmt: skip


def access(row: Deployment, rows: Sequence[ResourceRow], key: str | None, wanted: str | None) -> AccessView:
    """The machine that ``wanted`` names, as ``worker[1]``, ``worker-1`` or ``worker``; else the first."""
    machines = [r for r in rows if r.kind == NodeKind.MACHINE]
    chosen = [
        r
        for r in machines
        if wanted is None or wanted in (r.node, f"{r.node}[{r.index}]", r.attributes.get("hostname"))
    ]
    if not chosen:
        names = ", ".join(f"{r.node}[{r.index}]" for r in machines) or "none"
        raise NotFound(f"{row.name} has no machine {wanted or ''}".rstrip(), hint=f"It has {names}.")
    ssh = chosen[0].attributes.get("ssh")
    name = f"{chosen[0].node}[{chosen[0].index}]"
    if ssh is None or key is None:
        raise Conflict(f"{name} cannot be reached yet: it is {chosen[0].state}")
    return AccessView(name, ssh["host"], ssh["port"], ssh["user"], key, ssh["host_key"])


# ---------------------------------------------------------------------------------------------
# plans


async def plan_new(
    name: str,
    topology: Topology,
    instances: Mapping[str, Sequence[int]],
    placed: Placement | NoPlace,
    sites: Sites,
    owner: str,
) -> PlanView:
    """The plan of a deployment that does not exist yet."""
    counts = {n: len(i) for n, i in instances.items()}
    if isinstance(placed, NoPlace):
        return PlanView(name, None, _offers(placed), [], 0.0, "EUR", False)
    try:
        desired = await desire(topology, instances, Power.RUNNING, sites.get(placed.site), placed.offers, owner)
    except SiteError as error:
        raise Busy(f"{placed.site}: {error}") from error
    return _view(name, placed.site, make_plan(desired, Observed()), _offers(placed), placed.offers, counts)


async def plan_existing(
    row: Deployment, topology: Topology, rows: Sequence[ResourceRow], sites: Sites, marks: Mapping[str, str]
) -> PlanView:
    """The plan of a deployment as ``row`` desires it, from what is there now; nothing is touched."""
    site = row.placement["site"] if row.placement else None
    known = {n: Offer(**o) for n, o in row.placement["offers"].items()} if row.placement else {}
    missing = {n: len(i) for n, i in row.instances.items() if n not in known}
    shown: list[OfferView] = []
    if missing:
        placed = await place(topology, missing, sites, site or row.pinned_site, None)
        shown = _offers(placed)
        if isinstance(placed, NoPlace):
            return PlanView(row.name, site, shown, [], 0.0, "EUR", False)
        site, known = placed.site, {**known, **placed.offers}
    if site is None:
        return PlanView(row.name, None, shown, [], 0.0, "EUR", True)
    try:
        desired, observed = await look(row, sites.get(site), known, topology, rows, marks)
    except SiteError as error:
        raise Busy(f"{site}: {error}") from error
    counts = {n: len(i) for n, i in row.instances.items()}
    return _view(row.name, site, make_plan(desired, observed), shown, known, counts)


def _view(
    name: str, site: str | None, plan: Plan, shown: Sequence[OfferView], offers: Mapping[str, Offer],
    counts: Mapping[str, int],
) -> PlanView:  # fmt: skip
    actions = [ActionView(a.id, a.verb, a.what, a.why, site, a.after) for a in plan.actions]
    price = sum(offer.price * counts.get(node, 0) for node, offer in offers.items())
    currency = next((o.currency for o in offers.values()), "EUR")
    return PlanView(name, site, shown, actions, price, currency, not actions)


def _offers(placed: Placement | NoPlace) -> list[OfferView]:
    return [
        OfferView(
            c.node, c.offer.site, c.offer.flavour, c.offer.image, c.offer.cpus, c.offer.memory, c.offer.price,
            c.offer.currency, c.offer.quota_left, c.offer.refusal, c.chosen, c.reason,
        )
        for c in placed.considered
    ]  # fmt: skip


async def site(name: str, sites: Sites, machines: int) -> SiteView:
    """A site as it is now; one that cannot even be opened says why."""
    try:
        driver = sites.get(name)
    except SiteError as error:
        return SiteView(name, "", False, str(error), (), machines)
    try:
        async with asyncio.timeout(STATUS_SECONDS):
            status = await driver.status()
    except TimeoutError:
        status = Status(False, f"no answer within {STATUS_SECONDS:g} s")
    except SiteError as error:
        status = Status(False, str(error))
    return SiteView(name, driver.kind, status.ready, status.detail, capabilities(driver), machines)


async def site_images(name: str, sites: Sites) -> list[ImageView]:
    """The baked images of a site; none when it does not answer."""
    try:
        images = lends(sites.get(name), Images)
        kept = await images.list_images() if images is not None else []
    except SiteError:
        return []
    return [ImageView(i.key, name, i.size, i.created, i.created, "", "") for i in kept]
