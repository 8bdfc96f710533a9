"""Makes the plan: the ordered graph of actions that turns what was observed into what is desired.

Pure: no clock, no network, no database. The same desired and observed state give the same plan, and a
converged deployment gives an empty one. Create, update, scale, repair, stop and delete are this one
function; only the desired state differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

from isthmus.engine.job_nodes import job_spec, jobs_in_order, leads_to
from isthmus.engine.needs import UP, ends_around, in_dependency_order, needs_of, turned
from isthmus.engine.plan import Action, Plan, Target, Verb
from isthmus.engine.scope import Scope, is_independent, operation_references, run_with
from isthmus.engine.state import (
    NETWORK,
    Desired,
    Health,
    Key,
    Observed,
    Power,
    Resource,
    is_shared,
    machine_spec,
    volume_key,
    volume_mounts,
)
from isthmus.topology import Node, NodeKind, Operation, Reference, Stage, Unknown, describe


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
        self.covers: dict[str, frozenset[Key]] = {}
        self.needs = needs_of(self.topology)
        self.software = in_dependency_order(self.topology, self.needs)
        self.installs = self._installs()
        self.saving: dict[str, Key] = {}
        self.remade: dict[Key, str] = {}
        self.stops: list[str] = []
        self.ends: dict[str, list[str]] = {}

    def plan(self) -> tuple[Action, ...]:
        kept = set() if self.desired.power is Power.ABSENT else {key for _, key in self.desired.machines()}
        leaving = [r for k, r in self.observed.resources.items() if r.kind is NodeKind.MACHINE and k not in kept]
        if self.desired.power is Power.RUNNING:
            self.remade = {k: why for node, k in self.desired.machines() if (why := self._why_remake(node, k))}
        self._take_down(leaving)
        if self.desired.power is Power.RUNNING:
            self._make_up()
        elif self.desired.power is Power.STOPPED:
            self._stop_machines()
        self._remove(leaving)
        return tuple(_topological(self.actions))

    # -- up ---------------------------------------------------------------------------------

    def _make_up(self) -> None:
        self.stops = [a.id for a in self.actions.values() if a.verb is Verb.STOP and a.target is Target.OPERATION]
        self._make_network()
        for node, key in self.desired.machines():
            self._make_machine(node, key)
        installed = {n.name: self._run_up(n, [o for o in n.staged(*UP) if is_independent(o)]) for n in self.software}
        self._save_images()
        for node in self.software:
            last = self._run_up(node, [o for o in node.staged(*UP) if not is_independent(o)])
            around = ends_around(node.name, self.needs, self.ends)
            self.ends[node.name] = last or around + installed[node.name]
        self._run_jobs()

    def _run_jobs(self) -> None:
        """Plan those jobs that have not run to a good end, each when all that it leads to is up."""
        for node in jobs_in_order(self.topology):
            key = Key(node.name)
            if why := self._why_run(node, key):
                self._add(Verb.CREATE, Target.JOB, node.name, (key,), why, self._before_job(node))

    def _why_run(self, node: Node, key: Key) -> str:
        found = self.observed.get(key)
        if found is None:
            return "it has not run"
        if found.health is Health.PENDING:
            return "it has not ended"
        if found.health is not Health.RUNNING:
            return "it failed"
        return "" if found.spec == job_spec(self.topology, node) else "what it runs has changed"

    def _before_job(self, node: Node) -> Iterator[str]:
        for name in leads_to(node):
            yield from self.ends.get(name, ())
            yield self._id(Verb.CREATE, Target.JOB, name, (Key(name),))
            host = self.topology.host_of(name)
            for key in self.desired.keys_of(host.name) if host else ():
                yield from self._machine_ids(key)

    def _why_remake(self, node: Node, key: Key) -> str:
        """Why a machine that is there must be made anew; empty when it may stay."""
        found = self.observed.get(key)
        if found is None or found.health is Health.MISSING:
            return ""
        if found.health is Health.ERROR:
            return "it is broken"
        if self.desired.network and self.observed.running(Key(NETWORK)) is None:
            return "its network is gone"
        for volume in volume_mounts(self.topology, node):
            own = volume_key(self.topology, volume, key)
            if self.observed.running(own) is None and volume in found.spec.get("mounts", {}):
                return f"its volume {volume} is gone"
        return _difference(found, machine_spec(self.topology, node))

    def _make_network(self) -> None:
        key = Key(NETWORK)
        if self.desired.network and self.observed.running(key) is None and any(self.desired.instances.values()):
            self._add(Verb.CREATE, Target.NETWORK, NETWORK, (key,), "machines of this deployment share it")

    def _make_machine(self, node: Node, key: Key) -> None:
        found = self.observed.get(key)
        health = found.health if found else Health.MISSING
        after = [self._id(Verb.CREATE, Target.NETWORK, NETWORK, (Key(NETWORK),)), *self._make_volumes(node, key)]
        if key in self.remade:
            down = self._operations_on(key)
            after.append(self._add(Verb.DELETE, Target.MACHINE, node.name, (key,), self.remade[key], eventually=down))
        elif health is Health.RUNNING:
            return
        elif health is Health.STOPPED:
            self._add(Verb.START, Target.MACHINE, node.name, (key,), "it is stopped", after)
            return
        image = self.desired.bake_keys.get(node.name)
        image = image if image in self.desired.baked else None
        pending = "it does not answer yet" if health is Health.PENDING else "it is gone" if found else "it is not there"
        why = "in place of the old one" if key in self.remade else pending
        why += ", from its baked image" if image else ""
        self._add(Verb.CREATE, Target.MACHINE, node.name, (key,), why, after, image=image)

    def _operations_on(self, key: Key) -> list[str]:
        return [a.id for a in self.actions.values() if a.target is Target.OPERATION and key in self.covers[a.id]]

    def _make_volumes(self, node: Node, key: Key) -> Iterator[str]:
        for volume in volume_mounts(self.topology, node):
            own = volume_key(self.topology, volume, key)
            if self.observed.running(own) is None:
                why = "machines of this deployment share it" if is_shared(self.topology.nodes[volume]) else ""
                yield self._add(Verb.CREATE, Target.VOLUME, volume, (own,), why or f"{key} mounts it")

    def _save_images(self) -> None:
        """Plan images: of each node the first machine that is installed now and was never configured."""
        for node, key in self.desired.machines():
            bake_key, installs = self.desired.bake_keys.get(node.name), self.installs.get(node.name, ())
            after = [i for i in (self._operation_id(*install) for install in installs) if key in self.covers.get(i, ())]
            found = None if key in self.remade else self.observed.get(key)
            if bake_key is None or bake_key in self.desired.baked or node.name in self.saving or not after:
                continue
            if found is None or found.health is Health.MISSING or found.done.keys() <= set(installs):
                self.saving[node.name] = key
                self._add(Verb.CREATE, Target.IMAGE, node.name, (key,), "the next one starts from it", after,
                          image=bake_key, optional=True)  # fmt: skip

    def _run_up(self, node: Node, operations: Iterable[Operation]) -> list[str]:
        """Plan those of a node's operations that must run somewhere; answers the last one."""
        last: list[str] = []
        for operation in operations:
            host = self.topology.host_of(operation.on)
            if host is None:
                continue
            reasons = {k: why for k in self.desired.keys_of(host.name) if (why := self._stale(node, operation, k))}
            if reasons:
                why = "; ".join(dict.fromkeys(reasons.values()))
                after = self._before(node, operation, host, tuple(reasons))
                last = [
                    self._add(Verb.CONFIGURE, Target.OPERATION, node.name, tuple(reasons), why, after, operation.name)
                ]
        return last

    def _installs(self) -> Mapping[str, list[tuple[str, str]]]:
        """For each machine node, the operations that may go into its image, in the order in which they run."""
        found: dict[str, list[tuple[str, str]]] = {}
        for node in self.software:
            for operation in node.staged(Stage.CREATE):
                if is_independent(operation) and (host := self.topology.host_of(operation.on)):
                    found.setdefault(host.name, []).append((node.name, operation.name))
        return found

    def _stale(self, node: Node, operation: Operation, key: Key) -> str:
        """Why an operation must run on an instance; empty when it need not."""
        machine = self.observed.get(key)
        if self._id(Verb.CREATE, Target.MACHINE, key.node, (key,)) in self.actions:
            fresh = key in self.remade or machine is None or machine.health is not Health.PENDING
            image = self.actions[self._id(Verb.CREATE, Target.MACHINE, key.node, (key,))].image
            if fresh:
                return "" if image and is_independent(operation) else "the machine is new"
        for earlier in node.staged(*UP):
            if earlier.name == operation.name:
                break
            if key in self.covers.get(self._operation_id(node.name, earlier.name), ()):
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
        """What must have ended before an operation runs; of a chain its last action stands for all."""
        before = [i for k in keys for i in self._machine_ids(k)]
        earlier = takewhile(lambda o: o.name != operation.name, node.staged(*UP))
        before += [self._operation_id(node.name, o.name) for o in earlier]
        if is_independent(operation):
            alongside = takewhile(lambda install: install[0] != node.name, self.installs[host.name])
            return before + [self._operation_id(*install) for install in alongside]
        before += ends_around(node.name, self.needs, self.ends)
        before += self._needed_machines(operation)
        if (saved := self.saving.get(host.name)) in keys and saved is not None:
            before.append(self._id(Verb.CREATE, Target.IMAGE, host.name, (saved,)))
        return before + self.stops

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

    def _stop_machines(self) -> None:
        waits: dict[Key, list[str]] = {}
        for action in self.actions.values():
            for key in action.instances if action.target is Target.OPERATION else ():
                waits.setdefault(key, []).append(action.id)
        for key in [k for _, k in self.desired.machines() if self._is_up(k)]:
            self._add(Verb.STOP, Target.MACHINE, key.node, (key,), "the deployment stops", waits.get(key, ()))

    def _is_up(self, key: Key) -> bool:
        found = self.observed.get(key)
        return found is not None and found.health in (Health.RUNNING, Health.PENDING, Health.ERROR)

    def _take_down(self, leaving: Iterable[Resource]) -> None:
        """The way down of what leaves and, when the whole deployment stops, of what stays."""
        alive = (r.key for r in leaving if r.health is Health.RUNNING and r.key.node in self.topology.nodes)
        why = dict.fromkeys(alive, self._farewell())
        why |= {k: "its machine is made anew" for k in self.remade if self.observed.running(k)}
        gone = frozenset(why)
        if self.desired.power is Power.STOPPED:
            staying = (k for _, k in self.desired.machines() if self.observed.running(k))
            why |= dict.fromkeys(staying, "the deployment stops")
        self._run_down(why, gone)

    def _farewell(self) -> str:
        return "the deployment is deleted" if self.desired.power is Power.ABSENT else "it is no longer wanted"

    def _run_down(self, why: Mapping[Key, str], gone: frozenset[Key]) -> None:
        """The operations of the way down on the machines in ``why``, those that others depend on last.

        Only the machines in ``gone`` run those that delete.
        """
        there: dict[str, list[Key]] = {}
        for key in why:
            there.setdefault(key.node, []).append(key)
        dependents, ends = turned(self.needs), dict[str, list[str]]()
        for node in reversed(self.software):
            previous = ends_around(node.name, dependents, ends)
            for operation in node.staged(Stage.STOP, Stage.DELETE):
                host, stops = self.topology.host_of(operation.on), operation.stage is Stage.STOP
                asked = [k for k in (there.get(host.name, ()) if host else ()) if stops or k in gone]
                on = tuple(k for k in asked if self._has_run(node, operation, k))
                if on:
                    verb, reasons = Verb.STOP if stops else Verb.DELETE, "; ".join(dict.fromkeys(why[k] for k in on))
                    previous = [self._add(verb, Target.OPERATION, node.name, on, reasons, previous, operation.name,
                                          optional=True)]  # fmt: skip
            ends[node.name] = previous

    def _has_run(self, node: Node, down: Operation, key: Key) -> bool:
        """Whether a node came up on an instance and has not yet been taken down by this operation."""
        done = self.observed.resources[key].done
        return (node.name, down.name) not in done and any((node.name, o.name) in done for o in node.staged(*UP))

    def _remove(self, leaving: Iterable[Resource]) -> None:
        operations = [a for a in self.actions.values() if a.target is Target.OPERATION]
        followed = {i for a in operations for i in a.after}
        after = [a.id for a in operations if a.id not in followed]
        after += self._remove_jobs()
        for resource in leaving:
            key = resource.key
            why = "it is gone; forget it" if resource.health is Health.MISSING else self._farewell()
            self._add(Verb.DELETE, Target.MACHINE, key.node, (key,), why, eventually=after)
        self._remove_volumes()
        network = self.observed.get(Key(NETWORK))
        if network is not None and self.desired.power is Power.ABSENT:
            after = [a.id for a in self.actions.values() if a.target is Target.MACHINE]
            self._add(Verb.DELETE, Target.NETWORK, NETWORK, (network.key,), self._farewell(), after)

    def _remove_jobs(self) -> list[str]:
        """Plan to end and forget the jobs that are no longer wanted, before what they run on goes."""
        wanted = {node.name for node in self.topology.of_kind(NodeKind.JOB)}
        absent = self.desired.power is Power.ABSENT
        leaving = [r.key for r in self.observed.resources.values() if r.kind is NodeKind.JOB]
        return [
            self._add(Verb.DELETE, Target.JOB, key.node, (key,), self._farewell())
            for key in leaving
            if absent or key.node not in wanted
        ]

    def _remove_volumes(self) -> None:
        wanted = set()
        if self.desired.power is not Power.ABSENT:
            machines = self.desired.machines()
            wanted = {volume_key(self.topology, v, k) for n, k in machines for v in volume_mounts(self.topology, n)}
        for key, resource in self.observed.resources.items():
            if resource.kind is NodeKind.VOLUME and key not in wanted:
                after = [a.id for a in self.actions.values() if a.target is Target.MACHINE and a.verb is Verb.DELETE]
                self._add(Verb.DELETE, Target.VOLUME, key.node, (key,), self._farewell(), after)

    # -- actions ----------------------------------------------------------------------------

    def _add(self, verb: Verb, target: Target, node: str, instances: tuple[Key, ...], why: str,
             after: Iterable[str] = (), operation: str | None = None, *, image: str | None = None,
             optional: bool = False, eventually: Iterable[str] = ()) -> str:  # fmt: skip
        """Add an action, or more instances to one; names of others that are not in the plan fall away."""
        id_ = self._id(verb, target, node, instances, operation)
        waits, ends = (tuple(i for i in dict.fromkeys(ids) if i in self.actions) for ids in (after, eventually))
        if (same := self.actions.get(id_)) is not None:
            instances = tuple(dict.fromkeys((*same.instances, *instances)))
            waits = tuple(dict.fromkeys((*same.after, *waits)))
        self.actions[id_] = Action(id_, verb, target, node, instances, why, waits, operation, image, optional, ends)
        self.covers[id_] = frozenset(instances)
        return id_

    @staticmethod
    def _id(verb: Verb, target: Target, node: str, instances: tuple[Key, ...], operation: str | None = None) -> str:
        if target is Target.OPERATION:
            return f"{verb}:{node}.{operation}"
        return f"{verb}:{target}:{','.join(map(str, instances)) if target is not Target.NETWORK else node}"

    def _operation_id(self, node: str, operation: str) -> str:
        return self._id(Verb.CONFIGURE, Target.OPERATION, node, (), operation)


def _difference(found: Resource, spec: Mapping[str, object]) -> str:
    if not found.spec:
        return ""
    names = [n for n in sorted({*found.spec, *spec}) if found.spec.get(n) != spec.get(n)]
    return f"{', '.join(names)} changed" if names else ""


def _topological(actions: Mapping[str, Action]) -> list[Action]:
    """The actions by the longest way that leads to them, then in the order in which they were added.

    Each was added after those that it waits for.
    """
    depth: dict[str, int] = {}
    for action in actions.values():
        depth[action.id] = max((depth[i] + 1 for i in (*action.after, *action.eventually)), default=0)
    return sorted(actions.values(), key=lambda a: depth[a.id])
