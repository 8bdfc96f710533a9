"""The plan, by tables: what is desired and observed on the left, the actions on the right."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from isthmus.engine.plan import Action, Plan, Target, Verb
from isthmus.engine.planner import make_plan
from isthmus.engine.scope import Scope, run_with
from isthmus.engine.state import NETWORK, Desired, Done, Health, Key, Observed, Power, Resource, machine_spec
from isthmus.topology import NodeKind, Stage, Topology

from .topologies import attached, cluster, machine, operation, software, topology, volume

UP = (Stage.CREATE, Stage.CONFIGURE, Stage.START)


def desire(workers: int = 2, power: Power = Power.RUNNING, top: Topology | None = None, **more: object) -> Desired:
    indices = {"controller": (0,), "worker": tuple(range(workers))}
    return replace(Desired(top or cluster(workers), indices, power), **more)


def network() -> dict[Key, Resource]:
    return {Key(NETWORK): Resource(Key(NETWORK), NodeKind.NETWORK, Health.RUNNING)}


def bare(desired: Desired) -> Observed:
    """Every machine up, nothing configured."""
    machines = {
        key: Resource(key, NodeKind.MACHINE, Health.RUNNING, {"private_address": f"10.0.{len(key.node)}.{key.index}"},
                      machine_spec(desired.topology, node))
        for node, key in desired.machines()
    }  # fmt: skip
    return Observed({**network(), **machines})


def converged(desired: Desired) -> Observed:
    """Every machine up, everything run with what it would run with now."""
    observed = bare(desired)
    resources = dict(observed.resources)
    for node in desired.topology.of_kind(NodeKind.SOFTWARE):
        host = desired.topology.host_of(node.name)
        assert host is not None
        for key in desired.keys_of(host.name):
            done: dict[tuple[str, str], Done] = dict(resources[key].done)
            for op in node.staged(*UP):
                done[node.name, op.name] = run_with(op, Scope(desired, observed, key))
            resources[key] = replace(resources[key], done=done)
    return Observed(resources)


def without(observed: Observed, *keys: Key) -> Observed:
    return Observed({k: v for k, v in observed.resources.items() if k not in keys})


def having(observed: Observed, key: Key, **changes: object) -> Observed:
    return Observed({**observed.resources, key: replace(observed.resources[key], **changes)})


def ids(plan: Plan) -> list[str]:
    return [a.id for a in plan.actions]


def find(plan: Plan, id_: str) -> Action:
    return next(a for a in plan.actions if a.id == id_)


def test_nothing_is_done_to_a_converged_deployment() -> None:
    assert not make_plan(desire(), converged(desire()))


def test_the_same_state_gives_the_same_plan() -> None:
    assert make_plan(desire(), bare(desire())) == make_plan(desire(), bare(desire()))


def test_a_new_deployment_is_made_network_first_and_configured_after_its_machines() -> None:
    plan = make_plan(desire(), Observed())
    order = ids(plan)
    assert order[0] == "create:network:.network"
    assert {"create:machine:controller[0]", "create:machine:worker[0]", "create:machine:worker[1]"} <= set(order)
    assert "create:network:.network" in find(plan, "create:machine:worker[1]").after
    assert find(plan, "configure:slave.Standard.create").instances == (Key("worker", 0), Key("worker", 1))


def test_installing_waits_only_for_its_own_machines() -> None:
    after = find(make_plan(desire(), Observed()), "configure:master.Standard.create").after
    assert after == ("create:machine:controller[0]",)


def test_configuring_waits_for_every_machine_that_its_inputs_name() -> None:
    after = find(make_plan(desire(), Observed()), "configure:master.Standard.configure").after
    assert {"create:machine:worker[0]", "create:machine:worker[1]", "configure:master.Standard.create"} <= set(after)


def test_a_dependency_is_started_before_what_needs_it_is_configured() -> None:
    top = topology(
        machine("one"),
        software("app", "one", operation("app", Stage.CREATE), operation("app", Stage.CONFIGURE), needs=("master",)),
        software("master", "one", operation("master", Stage.CREATE), operation("master", Stage.START)),
    )
    plan = make_plan(Desired(top, {"one": (0,)}), Observed())
    assert "configure:master.Standard.start" in find(plan, "configure:app.Standard.configure").after
    assert "configure:master.Standard.create" in find(plan, "configure:app.Standard.create").after


def test_an_added_worker_touches_itself_and_who_must_know_it() -> None:
    wanted = desire(3, top=cluster(2))
    plan = make_plan(wanted, converged(desire(2)))
    assert "create:machine:worker[2]" in ids(plan)
    assert find(plan, "configure:slave.Standard.configure").instances == (Key("worker", 2),)
    assert find(plan, "configure:master.Standard.configure").instances == (Key("controller", 0),)
    assert "configure:master.Standard.create" not in ids(plan)


def test_a_removed_worker_is_stopped_then_forgotten_by_others_then_deleted() -> None:
    plan = make_plan(desire(1, top=cluster(2)), converged(desire(2)))
    order = ids(plan)
    stop, delete = order.index("stop:slave.Standard.stop"), order.index("delete:machine:worker[1]")
    assert stop < order.index("configure:master.Standard.configure") < delete
    assert find(plan, "stop:slave.Standard.stop").optional
    assert find(plan, "configure:master.Standard.configure").why == "workers changed"


def test_a_lost_machine_is_made_again_and_everything_runs_on_it() -> None:
    observed = having(converged(desire()), Key("worker", 1), health=Health.MISSING, done={})
    plan = make_plan(desire(), observed)
    assert find(plan, "create:machine:worker[1]").why == "it is gone"
    assert find(plan, "configure:slave.Standard.create").instances == (Key("worker", 1),)


def test_a_changed_input_runs_only_the_operation_that_has_it_and_what_follows() -> None:
    plan = make_plan(desire(top=cluster(greeting="hi")), converged(desire()))
    assert ids(plan) == ["configure:master.Standard.configure", "configure:master.Standard.start"]
    assert plan.actions[0].why == "greeting changed"
    assert plan.actions[1].why == "it follows configure"


def test_a_changed_script_runs_again() -> None:
    plan = make_plan(desire(top=cluster(code="2")), converged(desire()))
    assert find(plan, "configure:master.Standard.create").why == "its implementation changed"


def test_a_machine_whose_size_changed_is_made_anew() -> None:
    plan = make_plan(desire(top=cluster(mem_size="2 GiB")), converged(desire()))
    assert find(plan, "delete:machine:worker[0]").why == "mem_size changed"
    assert "delete:machine:worker[0]" in find(plan, "create:machine:worker[0]").after


def test_a_broken_machine_is_replaced() -> None:
    plan = make_plan(desire(), having(converged(desire()), Key("worker", 0), health=Health.ERROR))
    assert find(plan, "delete:machine:worker[0]").why == "it is broken"


def test_a_stopped_machine_is_started_and_only_started_software_follows() -> None:
    plan = make_plan(desire(), having(converged(desire()), Key("controller", 0), health=Health.STOPPED))
    assert "start:machine:controller[0]" in ids(plan)
    assert "configure:master.Standard.start" in ids(plan)
    assert "configure:master.Standard.create" not in ids(plan)


def test_stopping_stops_software_in_reverse_then_machines_and_keeps_the_rest() -> None:
    plan = make_plan(desire(power=Power.STOPPED), converged(desire()))
    order = ids(plan)
    assert order.index("stop:slave.Standard.stop") < order.index("stop:machine:worker[0]")
    assert not [i for i in order if i.startswith("delete")]


def test_deleting_takes_everything_down_in_reverse() -> None:
    plan = make_plan(desire(power=Power.ABSENT), converged(desire()))
    order = ids(plan)
    assert order.index("stop:slave.Standard.stop") < order.index("delete:slave.Standard.delete")
    assert order.index("delete:slave.Standard.delete") < order.index("delete:machine:worker[0]")
    assert order[-1] == "delete:network:.network"


def test_deleting_what_is_not_reachable_runs_nothing_on_it() -> None:
    observed = having(converged(desire(1)), Key("worker", 0), health=Health.STOPPED)
    plan = make_plan(desire(1, power=Power.ABSENT), observed)
    assert "stop:slave.Standard.stop" not in ids(plan)
    assert "delete:machine:worker[0]" in ids(plan)


def test_leftovers_that_the_topology_does_not_know_are_deleted() -> None:
    old = Key("gone", 0)
    observed = Observed({**converged(desire()).resources, old: Resource(old, NodeKind.MACHINE, Health.RUNNING)})
    assert ids(make_plan(desire(), observed)) == ["delete:machine:gone[0]"]


def test_one_machine_of_a_node_becomes_an_image_after_it_is_installed_and_before_it_is_configured() -> None:
    wanted = desire(bake_keys={"worker": "k1"})
    plan = make_plan(wanted, Observed())
    images = [a for a in plan.actions if a.target is Target.IMAGE]
    assert [(a.instances, a.after, a.image) for a in images] == [
        ((Key("worker", 0),), ("configure:slave.Standard.create",), "k1")
    ]
    assert images[0].id in find(plan, "configure:slave.Standard.configure").after


def test_machines_from_a_baked_image_are_not_installed_again() -> None:
    wanted = desire(bake_keys={"worker": "k1"}, baked=frozenset({"k1"}))
    plan = make_plan(wanted, Observed())
    assert find(plan, "create:machine:worker[0]").image == "k1"
    assert "configure:slave.Standard.create" not in ids(plan)
    assert not [a for a in plan.actions if a.target is Target.IMAGE]


@given(st.data())
def test_every_action_stands_after_all_that_it_waits_for(data: st.DataObject) -> None:
    wanted = desire(data.draw(st.integers(0, 4)), data.draw(st.sampled_from(Power)), top=cluster(3))
    observed = converged(desire(data.draw(st.integers(0, 4)), top=cluster(3)))
    for key in list(observed.resources):
        if key.node != NETWORK:
            health = data.draw(st.sampled_from(Health))
            observed = having(
                observed, key, health=health, done={} if health is Health.MISSING else observed.resources[key].done
            )
    seen: set[str] = set()
    for action in make_plan(wanted, observed).actions:
        assert seen.issuperset(action.after)
        assert action.why
        seen.add(action.id)
    if wanted.power is Power.ABSENT:
        creates = [i for i in seen if i.startswith(Verb.CREATE)]
        assert not creates


def test_an_image_is_saved_before_anything_of_its_machine_is_configured() -> None:
    top = topology(
        machine("one"),
        software("base", "one", operation("base", Stage.CREATE), operation("base", Stage.CONFIGURE)),
        software("app", "one", operation("app", Stage.CREATE), operation("app", Stage.CONFIGURE), needs=("base",)),
    )
    wanted = replace(Desired(top, {"one": (0,)}), bake_keys={"one": "k"})
    plan = make_plan(wanted, Observed())
    image = find(plan, "create:image:one[0]")
    assert set(image.after) == {"configure:base.Standard.create", "configure:app.Standard.create"}
    assert image.id in _all_before(plan, "configure:app.Standard.configure")


def _all_before(plan: Plan, id_: str) -> set[str]:
    """Every action that ends before another begins."""
    found: set[str] = set()
    waiting = [id_]
    while waiting:
        for other in find(plan, waiting.pop()).after:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def test_an_interrupted_installation_is_still_baked() -> None:
    wanted = desire(1, bake_keys={"worker": "k"})
    observed = having(bare(desire(1)), Key("worker", 0), done={})
    assert "create:image:worker[0]" in ids(make_plan(wanted, observed))


def test_a_configured_machine_never_becomes_an_image() -> None:
    wanted = desire(1, top=cluster(1), bake_keys={"controller": "k"})
    observed = converged(desire(1, top=cluster(1)))
    machine_ = observed.resources[Key("controller", 0)]
    done = {k: d for k, d in machine_.done.items() if k != ("master", "Standard.create")}
    assert "create:image:controller[0]" not in ids(make_plan(wanted, having(observed, Key("controller", 0), done=done)))


def test_machines_whose_network_is_gone_are_made_anew() -> None:
    plan = make_plan(desire(), without(converged(desire()), Key(NETWORK)))
    assert find(plan, "delete:machine:worker[0]").why == "its network is gone"
    assert "create:network:.network" in find(plan, "create:machine:worker[0]").after


def test_scaling_in_does_not_wait_for_what_cannot_be_done() -> None:
    plan = make_plan(desire(1, top=cluster(2, greeting="hi")), converged(desire(2)))
    delete = find(plan, "delete:machine:worker[1]")
    assert delete.after == ()
    assert "configure:master.Standard.start" in delete.eventually


def test_scaling_in_and_stopping_at_once_stops_what_leaves_too() -> None:
    plan = make_plan(desire(1, Power.STOPPED, top=cluster(2)), converged(desire(2)))
    assert set(find(plan, "stop:slave.Standard.stop").instances) == {Key("worker", 0), Key("worker", 1)}


def test_a_broken_machine_is_stopped_with_the_rest() -> None:
    observed = having(converged(desire()), Key("worker", 0), health=Health.ERROR)
    assert "stop:machine:worker[0]" in ids(make_plan(desire(power=Power.STOPPED), observed))


def with_volume(workers: int = 2, *, shared: bool, size: str = "1 GiB") -> Desired:
    top = topology(
        volume("home", size, shared),
        attached(machine("controller"), "home", "/home"),
        attached(machine("worker", workers, 10), "home", "/home"),
    )
    return Desired(top, {"controller": (0,), "worker": tuple(range(workers))})


def volumes_up(desired: Desired, *keys: Key) -> Observed:
    volumes = {k: Resource(k, NodeKind.VOLUME, Health.RUNNING) for k in keys}
    return Observed({**bare(desired).resources, **volumes})


HOME = Key("home", 0)


def test_a_shared_volume_is_made_once_and_before_every_machine_that_attaches_it() -> None:
    plan = make_plan(with_volume(shared=True), Observed())
    assert [i for i in ids(plan) if ":volume:" in i] == ["create:volume:home[0]"]
    for name in ("controller[0]", "worker[0]", "worker[1]"):
        assert "create:volume:home[0]" in find(plan, f"create:machine:{name}").after
    assert "share it" in find(plan, "create:volume:home[0]").why


def test_of_any_other_volume_each_instance_has_its_own() -> None:
    plan = make_plan(with_volume(shared=False), Observed())
    assert {i for i in ids(plan) if ":volume:" in i} == {"create:volume:home[0]", "create:volume:home[1]"}
    assert "create:volume:home[1]" in find(plan, "create:machine:worker[1]").after


def test_one_more_worker_attaches_the_shared_volume_that_is_there_and_one_less_leaves_it() -> None:
    two, three = with_volume(2, shared=True), with_volume(3, shared=True)
    assert ids(make_plan(three, volumes_up(two, HOME))) == ["create:machine:worker[2]"]
    assert ids(make_plan(two, volumes_up(three, HOME))) == ["delete:machine:worker[2]"]
    assert not make_plan(two, volumes_up(two, HOME))


def test_all_that_attach_a_shared_volume_are_made_anew_when_it_is_gone() -> None:
    wanted = with_volume(shared=True)
    plan = make_plan(wanted, bare(wanted))
    assert ids(plan).count("create:volume:home[0]") == 1
    for name in ("controller[0]", "worker[0]", "worker[1]"):
        assert find(plan, f"delete:machine:{name}").why == "its volume home is gone"
        assert {"create:volume:home[0]", f"delete:machine:{name}"} <= set(find(plan, f"create:machine:{name}").after)


def test_a_shared_volume_goes_after_the_last_machine() -> None:
    wanted = replace(with_volume(shared=True), power=Power.ABSENT)
    plan = make_plan(wanted, volumes_up(wanted, HOME))
    assert set(find(plan, "delete:volume:home[0]").after) == {
        f"delete:machine:{m}" for m in ("controller[0]", "worker[0]", "worker[1]")
    }


def test_a_shared_volume_of_size_0_is_not_wanted() -> None:
    wanted = with_volume(shared=True, size="0 GiB")
    assert not [i for i in ids(make_plan(wanted, Observed())) if ":volume:" in i]


def test_a_volume_that_becomes_shared_is_attached_anew() -> None:
    before, after = with_volume(shared=False), with_volume(shared=True)
    plan = make_plan(after, volumes_up(before, HOME, Key("home", 1)))
    assert find(plan, "delete:machine:worker[1]").why == "shared changed"
    assert find(plan, "delete:volume:home[1]").after
