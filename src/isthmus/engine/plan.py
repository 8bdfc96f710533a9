"""The plan: the ordered graph of actions that turns what was observed into what is desired.

Pure: no clock, no network, no database. The same desired and observed state give the same plan, and a
converged deployment gives an empty one. Create, update, scale, repair, stop and delete are this one
function; only the desired state differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from isthmus.engine.scope import Scope, is_independent, operation_references, run_with
from isthmus.engine.state import (
    NETWORK,
    Desired,
    Health,
    Key,
    Observed,
    Power,
    Resource,
    machine_spec,
    volume_mounts,
)
from isthmus.topology import Node, NodeKind, Operation, Reference, Stage, Topology, Unknown, describe

UP = (Stage.CREATE, Stage.CONFIGURE, Stage.START)


class Verb(StrEnum):
    CREATE = "create"
    CONFIGURE = "configure"
    START = "start"
    STOP = "stop"
    DELETE = "delete"


class Target(StrEnum):
    """What kind of thing an action acts on."""

    NETWORK = "network"
    VOLUME = "volume"
    MACHINE = "machine"
    IMAGE = "image"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True)
class Action:
    """One idempotent step. ``after`` names the actions that must have ended well before it begins.

    An ``optional`` action may fail without failing the plan: what is on its way out, or only saves
    time later. ``instances`` are machines, except for a network or volume, where they are its own.
    """

    id: str
    verb: Verb
    target: Target
    node: str
    instances: tuple[Key, ...]
    why: str
    after: tuple[str, ...] = ()
    operation: str | None = None
    image: str | None = None
    optional: bool = False

    @property
    def what(self) -> str:
        """The action's object as a person would say it: ``slurm configure on worker[0], worker[1]``."""
        on = ", ".join(map(str, self.instances))
        if self.target is Target.OPERATION:
            return f"{self.node} {(self.operation or '').partition('.')[2]} on {on}"
        if self.target is Target.IMAGE:
            return f"image of {on}"
        return "network" if self.target is Target.NETWORK else f"{self.target} {on}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in an order in which each stands after all that it waits for."""

    actions: tuple[Action, ...]

    def __bool__(self) -> bool:
        return bool(self.actions)

    def render(self) -> str:
        """The plan as lines that a person can read."""
        return "\n".join(f"{a.verb:<9} {a.what}: {a.why}" for a in self.actions) or "nothing to do"


def make_plan(desired: Desired, observed: Observed) -> Plan:
    """The plan from ``observed`` to ``desired``."""
    return Plan(_Planner(desired, observed).plan())


class _Planner:
    """Collects actions; its methods run in the order in which they stand."""

    def __init__(self, desired: Desired, observed: Observed):
        self.desired = desired
        self.observed = observed
        self.topology = desired.topology
        self.actions: dict[str, Action] = {}
        self.needs = _needs(self.topology)
        self.software = _in_dependency_order(self.topology, self.needs)
        self.saving: dict[str, Key] = {}

    def plan(self) -> tuple[Action, ...]:
        kept = set() if self.desired.power is Power.ABSENT else {key for _, key in self.desired.machines()}
        leaving = [r for k, r in self.observed.resources.items() if r.kind is NodeKind.MACHINE and k not in kept]
        self._take_down(leaving)
        if self.desired.power is Power.RUNNING:
            self._make_up()
        elif self.desired.power is Power.STOPPED:
            self._stop_all()
        self._remove(leaving)
        return tuple(_topological(self.actions))

    # -- up ---------------------------------------------------------------------------------

    def _make_up(self) -> None:
        self._make_network()
        for node, key in self.desired.machines():
            self._make_machine(node, key)
        self._plan_images()
        for node in self.software:
            self._run_up(node)

    def _make_network(self) -> None:
        key = Key(NETWORK)
        if self.desired.network and self.observed.running(key) is None and any(self.desired.instances.values()):
            self._add(Verb.CREATE, Target.NETWORK, NETWORK, (key,), "machines of this deployment share it")

    def _make_machine(self, node: Node, key: Key) -> None:
        found, spec = self.observed.get(key), machine_spec(self.topology, node)
        health = found.health if found else Health.MISSING
        changed = _difference(found, spec) if found and health is not Health.MISSING else ""
        after = [
            self._id(Verb.CREATE, Target.NETWORK, NETWORK, (Key(NETWORK),)),
            *self._make_volumes(node, key),
        ]
        if health is Health.ERROR or changed:
            after.append(self._add(Verb.DELETE, Target.MACHINE, node.name, (key,), changed or "it is broken"))
        elif health is Health.RUNNING:
            return
        if health is Health.STOPPED and not changed:
            self._add(Verb.START, Target.MACHINE, node.name, (key,), "it is stopped", after)
            return
        image = self.desired.bake_keys.get(node.name)
        image = image if image in self.desired.baked else None
        why = {Health.PENDING: "it does not answer yet", Health.ERROR: "in place of the broken one"}
        reason = "in place of the old one" if changed else why.get(health, "it is gone" if found else "it is not there")
        self._add(Verb.CREATE, Target.MACHINE, node.name, (key,), reason, after, image=image)

    def _make_volumes(self, node: Node, key: Key) -> Iterator[str]:
        for volume in volume_mounts(self.topology, node):
            own = Key(volume, key.index)
            if self.observed.running(own) is None:
                yield self._add(Verb.CREATE, Target.VOLUME, volume, (own,), f"{key} mounts it")

    def _plan_images(self) -> None:
        """Keep the first fresh machine of a node as an image once what it installs is installed."""
        for node, key in self.desired.machines():
            bake_key = self.desired.bake_keys.get(node.name)
            create = self.actions.get(self._id(Verb.CREATE, Target.MACHINE, node.name, (key,)))
            if bake_key and bake_key not in self.desired.baked and create and node.name not in self.saving:
                self.saving[node.name] = key

    def _run_up(self, node: Node) -> None:
        for operation in node.staged(*UP):
            host = self.topology.host_of(operation.on)
            if host is None:
                continue
            reasons = {k: why for k in self.desired.keys_of(host.name) if (why := self._stale(node, operation, k))}
            if reasons:
                why = "; ".join(dict.fromkeys(reasons.values()))
                after = self._before(node, operation, host, tuple(reasons))
                self._add(Verb.CONFIGURE, Target.OPERATION, node.name, tuple(reasons), why, after, operation.name)
                self._save_after(node, operation, host)

    def _save_after(self, node: Node, operation: Operation, host: Node) -> None:
        """Plan the image right after the last operation that goes into it."""
        key = self.saving.get(host.name)
        last = [(n.name, o.name) for n in self.software for o in n.staged(Stage.CREATE)
                if is_independent(o) and self.topology.host_of(o.on) == host][-1:]  # fmt: skip
        if key is not None and last == [(node.name, operation.name)]:
            after = [self._operation_id(node, operation)]
            self._add(Verb.CREATE, Target.IMAGE, host.name, (key,), "the next one starts from it", after,
                      image=self.desired.bake_keys[host.name], optional=True)  # fmt: skip

    def _stale(self, node: Node, operation: Operation, key: Key) -> str:
        """Why an operation must run on an instance; empty when it need not."""
        machine = self.observed.get(key)
        if self._id(Verb.CREATE, Target.MACHINE, key.node, (key,)) in self.actions:
            fresh = machine is None or machine.health is not Health.PENDING
            image = self.actions[self._id(Verb.CREATE, Target.MACHINE, key.node, (key,))].image
            if fresh:
                return "" if image and is_independent(operation) else "the machine is new"
        for earlier in node.staged(*UP):
            if earlier.name == operation.name:
                break
            planned = self.actions.get(self._operation_id(node, earlier))
            if planned and key in planned.instances:
                return f"it follows {earlier.name.partition('.')[2]}"
        if operation.stage is Stage.START and self._id(Verb.START, Target.MACHINE, key.node, (key,)) in self.actions:
            return "the machine starts"
        done = machine.done.get((node.name, operation.name)) if machine else None
        if done is None:
            return "it has not run"
        try:
            wanted = run_with(operation, Scope(self.desired, self.observed, key))
        except Unknown as unknown:
            return f"{describe(unknown.what)} may change"
        if wanted.digest == done.digest:
            return ""
        changed = [n for n, d in wanted.inputs.items() if done.inputs.get(n) != d]
        return f"{', '.join(changed)} changed" if changed else "its implementation changed"

    def _before(self, node: Node, operation: Operation, host: Node, keys: tuple[Key, ...]) -> list[str]:
        """What must have ended before an operation runs."""
        before = [i for k in keys for i in self._machine_ids(k)]
        independent = is_independent(operation)
        for other in self.software:
            same = other.name == node.name
            for earlier in other.staged(*UP):
                if same and earlier.name == operation.name:
                    break
                alongside = is_independent(earlier) and self.topology.host_of(earlier.on) == host
                if same or (alongside if independent else other.name in self.needs[node.name]):
                    before.append(self._operation_id(other, earlier))
            if same:
                break
        if not independent:
            before += self._needed_machines(operation)
            before += [a.id for a in self.actions.values() if a.target is Target.IMAGE and a.instances[0] in keys]
            before += [a.id for a in self.actions.values() if a.verb is Verb.STOP and a.target is Target.OPERATION]
        return before

    def _needed_machines(self, operation: Operation) -> Iterator[str]:
        for what in operation_references(operation):
            host = self.topology.host_of(what.node) if isinstance(what, Reference) else None
            for key in self.desired.keys_of(host.name) if host else ():
                yield from self._machine_ids(key)

    def _machine_ids(self, key: Key) -> tuple[str, str]:
        return (
            self._id(Verb.CREATE, Target.MACHINE, key.node, (key,)),
            self._id(Verb.START, Target.MACHINE, key.node, (key,)),
        )

    # -- down -------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        keys = [k for _, k in self.desired.machines() if self.observed.running(k)]
        self._run_down(keys, (Stage.STOP,), "the deployment stops")
        for key in [k for _, k in self.desired.machines() if self._is_up(k)]:
            after = [a.id for a in self.actions.values() if a.target is Target.OPERATION and key in a.instances]
            self._add(Verb.STOP, Target.MACHINE, key.node, (key,), "the deployment stops", after)

    def _is_up(self, key: Key) -> bool:
        found = self.observed.get(key)
        return found is not None and found.health in (Health.RUNNING, Health.PENDING)

    def _take_down(self, leaving: Iterable[Resource]) -> None:
        alive = [r.key for r in leaving if r.health is Health.RUNNING and r.key.node in self.topology.nodes]
        self._run_down(alive, (Stage.STOP, Stage.DELETE), self._farewell())

    def _farewell(self) -> str:
        return "the deployment is deleted" if self.desired.power is Power.ABSENT else "it is no longer wanted"

    def _run_down(self, keys: Iterable[Key], stages: tuple[Stage, ...], why: str) -> None:
        """The operations of the way down, those that others depend on last."""
        keys = list(keys)
        later: dict[str, list[str]] = {}
        for node in reversed(self.software):
            previous: list[str] = [i for n, ids in later.items() if node.name in self.needs[n] for i in ids]
            for operation in node.staged(*stages):
                host = self.topology.host_of(operation.on)
                on = tuple(k for k in keys if host and k.node == host.name and self._has_run(node, operation, k))
                if on:
                    verb = Verb.STOP if operation.stage is Stage.STOP else Verb.DELETE
                    id_ = self._add(verb, Target.OPERATION, node.name, on, why, previous, operation.name, optional=True)
                    previous = [id_]
                    later.setdefault(node.name, []).append(id_)

    def _has_run(self, node: Node, down: Operation, key: Key) -> bool:
        """Whether a node came up on an instance and has not yet been taken down by this operation."""
        done = self.observed.resources[key].done
        return (node.name, down.name) not in done and any((node.name, o.name) in done for o in node.staged(*UP))

    def _remove(self, leaving: Iterable[Resource]) -> None:
        for resource in leaving:
            key = resource.key
            why = "it is gone; forget it" if resource.health is Health.MISSING else self._farewell()
            after = [a.id for a in self.actions.values() if a.target is Target.OPERATION]
            self._add(Verb.DELETE, Target.MACHINE, key.node, (key,), why, after)
        self._remove_volumes()
        network = self.observed.get(Key(NETWORK))
        if network is not None and self.desired.power is Power.ABSENT:
            after = [a.id for a in self.actions.values() if a.target is Target.MACHINE]
            self._add(Verb.DELETE, Target.NETWORK, NETWORK, (network.key,), self._farewell(), after)

    def _remove_volumes(self) -> None:
        wanted = set()
        if self.desired.power is not Power.ABSENT:
            wanted = {Key(v, k.index) for n, k in self.desired.machines() for v in volume_mounts(self.topology, n)}
        for key, resource in self.observed.resources.items():
            if resource.kind is NodeKind.VOLUME and key not in wanted:
                after = [a.id for a in self.actions.values() if a.target is Target.MACHINE and a.verb is Verb.DELETE]
                self._add(Verb.DELETE, Target.VOLUME, key.node, (key,), self._farewell(), after)

    # -- actions ----------------------------------------------------------------------------

    def _add(self, verb: Verb, target: Target, node: str, instances: tuple[Key, ...], why: str,
             after: Iterable[str] = (), operation: str | None = None, *, image: str | None = None,
             optional: bool = False) -> str:  # fmt: skip
        """Add an action; names in ``after`` that are not in the plan fall away."""
        id_ = self._id(verb, target, node, instances, operation)
        waits = tuple(i for i in dict.fromkeys(after) if i in self.actions)
        self.actions[id_] = Action(id_, verb, target, node, instances, why, waits, operation, image, optional)
        return id_

    @staticmethod
    def _id(verb: Verb, target: Target, node: str, instances: tuple[Key, ...], operation: str | None = None) -> str:
        if target is Target.OPERATION:
            return f"{verb}:{node}.{operation}"
        return f"{verb}:{target}:{','.join(map(str, instances)) if target is not Target.NETWORK else node}"

    def _operation_id(self, node: Node, operation: Operation) -> str:
        return self._id(Verb.CONFIGURE, Target.OPERATION, node.name, (), operation.name)


def _difference(found: Resource, spec: Mapping[str, object]) -> str:
    if not found.spec:
        return ""
    names = [n for n in sorted({*found.spec, *spec}) if found.spec.get(n) != spec.get(n)]
    return f"{', '.join(names)} changed" if names else ""


def _needs(topology: Topology) -> Mapping[str, frozenset[str]]:
    """For each software node, all others that must be up before its own configuration runs."""
    direct: dict[str, set[str]] = {}
    for node in topology.of_kind(NodeKind.SOFTWARE):
        targets = {r.target for r in node.requirements}
        for operation in node.staged(*UP):
            asked = [w for w in operation_references(operation) if isinstance(w, Reference)]
            targets.update(w.node for w in asked)
        direct[node.name] = {t for t in targets if t != node.name and topology.nodes[t].kind is NodeKind.SOFTWARE}
    return {name: _closure(name, direct) for name in direct}


def _closure(name: str, direct: Mapping[str, set[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [*direct[name]]
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting.extend(direct[other])
    return frozenset(found - {name})


def _in_dependency_order(topology: Topology, needs: Mapping[str, frozenset[str]]) -> list[Node]:
    """The software nodes, each after those that it needs; the template's order otherwise."""
    ordered: list[Node] = []
    placed: set[str] = set()
    waiting = list(topology.of_kind(NodeKind.SOFTWARE))
    while waiting:
        node = next((n for n in waiting if needs[n.name] <= placed), waiting[0])
        waiting.remove(node)
        placed.add(node.name)
        ordered.append(node)
    return ordered


def _topological(actions: Mapping[str, Action]) -> Iterator[Action]:
    """The actions, each after those that it waits for, otherwise in the order in which they were added."""
    placed: set[str] = set()
    waiting = dict(actions)
    while waiting:
        ready = [a for a in waiting.values() if placed.issuperset(a.after)]
        for action in ready:
            yield action
            placed.add(action.id)
            del waiting[action.id]
