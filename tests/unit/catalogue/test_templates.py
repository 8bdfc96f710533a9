"""The curated templates: that they load, that their forms are whole, and the rules that each keeps."""

import re
from functools import cache
from xml.etree import ElementTree

import pytest
import yaml

from isthmus import catalogue
from isthmus.engine.state import is_shared, volume_mounts
from isthmus.errors import NotFound
from isthmus.topology import NodeKind, Secret, Stage, evaluate, references
from isthmus.tosca import load

NAMES = catalogue.names()
CLUSTERS = [n for n in NAMES if "worker" in load(catalogue.bundle(n)).topology.nodes]


@cache
def topology_of(name, **inputs):
    loaded = load(catalogue.bundle(name), inputs)
    assert [d.render() for d in loaded.diagnostics] == []
    return loaded.topology


def operations(name):
    return [(node, o) for node in topology_of(name).nodes.values() for o in node.operations]


def scripts(name):
    return {p: c.decode() for p, c in catalogue.bundle(name).files.items() if p.endswith(".sh")}


def test_the_catalogue_has_the_templates_that_the_manual_names():
    assert NAMES == ("dask-cluster", "htcondor-pool", "machine", "slurm-cluster")


@pytest.mark.parametrize("name", NAMES)
def test_a_template_loads_without_inputs_and_without_a_word(name):
    assert topology_of(name).nodes


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_has_every_file_that_its_operations_need_and_no_other(name):
    used = {a.path for _, o in operations(name) for a in (o.implementation, *o.dependencies)}

    assert set(catalogue.bundle(name).files) == used | {"template.yaml", "types.yaml"}


@pytest.mark.parametrize("name", NAMES)
def test_every_input_has_a_help_text_a_default_and_a_tab_that_exists(name):
    entry = catalogue.entry(name)

    assert entry.title
    assert entry.description
    assert re.fullmatch(r"\d+\.\d+\.\d+", entry.version)
    for shown in entry.inputs:
        assert shown.description.endswith("."), shown
        assert shown.default is not None, shown
        assert shown.tab in entry.tabs, shown


@pytest.mark.parametrize("name", NAMES)
def test_every_output_says_what_it_is(name):
    entry = catalogue.entry(name)

    assert "address" in entry.outputs
    assert all(entry.outputs.values())


@pytest.mark.parametrize("name", NAMES)
def test_an_icon_is_a_small_picture_that_loads_nothing(name):
    drawing = catalogue.icon(name)

    assert ElementTree.fromstring(drawing).tag == "{http://www.w3.org/2000/svg}svg"
    assert len(drawing) < 4096
    assert b"href" not in drawing


@pytest.mark.parametrize("name", NAMES)
def test_what_is_baked_into_an_image_is_known_before_any_machine_and_holds_no_secret(name):
    created = [o for _, o in operations(name) if o.stage is Stage.CREATE]

    assert created
    assert [list(references(dict(o.inputs))) for o in created] == [[] for _ in created]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_input_is_refused(name):
    wrong = {"cpus": 0} if name == "machine" else {"workers": 65}

    assert load(catalogue.bundle(name), wrong).topology is None


@pytest.mark.parametrize("name", ["machine", "dask-cluster"])
def test_a_package_name_that_is_an_option_is_refused(name):
    assert load(catalogue.bundle(name), {"packages": ["--allow-downgrades"]}).topology is None
    assert load(catalogue.bundle(name), {"packages": ["g++", "python3-numpy"]}).topology is not None


@pytest.mark.parametrize("name", CLUSTERS)
def test_workers_can_be_scaled_and_begin_with_the_count_asked_for(name):
    scaling = topology_of(name, workers=5).nodes["worker"].scaling

    assert (scaling.minimum, scaling.maximum, scaling.default) == (1, 64, 5)


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_worker_knows_nothing_of_its_peers_so_that_one_more_touches_no_other(name):
    topology = topology_of(name)
    workers = [n for n in topology.of_kind(NodeKind.SOFTWARE) if topology.host_of(n.name).name == "worker"]

    assert workers
    for node in workers:
        for operation in node.operations:
            asked = [r for r in references(dict(operation.inputs)) if not isinstance(r, Secret)]
            assert all(r.own or r.node != "worker" for r in asked), operation.name


@pytest.mark.parametrize("name", CLUSTERS)
def test_head_and_workers_are_configured_at_once_because_neither_depends_on_the_other(name):
    for node in topology_of(name).of_kind(NodeKind.SOFTWARE):
        assert [r.name for r in node.requirements] == ["host"]


def test_the_controller_gets_its_workers_in_one_order():
    (configure,) = topology_of("slurm-cluster").nodes["slurmctld"].staged(Stage.CONFIGURE)
    answers = {"hostname": ["worker-0", "worker-1"], "private_address": ["10.0.0.2", "10.0.0.3"]}

    def lookup(what):
        return f"<{what.name}>" if isinstance(what, Secret) else answers[what.name]

    inputs = evaluate(dict(configure.inputs), lookup)

    assert inputs["worker_names"] == ["worker-0", "worker-1"]
    assert inputs["worker_addresses"] == ["10.0.0.2", "10.0.0.3"]
    assert inputs["munge_key"] == "<munge_key>"


@pytest.mark.parametrize("name", CLUSTERS)
def test_controller_and_workers_share_their_secrets(name):
    secrets = {}
    for node, operation in operations(name):
        for key, value in operation.inputs.items():
            if isinstance(value, Secret):
                secrets.setdefault(key, set()).add((node.name, value.name))

    for key, uses in secrets.items():
        assert {secret for _, secret in uses} == {key}


@pytest.mark.parametrize("name", CLUSTERS)
def test_scripts_stop_at_the_first_error(name):
    for path, text in scripts(name).items():
        assert text.startswith("#!/bin/bash\n") != path.endswith("common.sh"), path
        if not path.endswith("common.sh"):
            assert "\nset -euo pipefail\n" in text, path


@pytest.mark.parametrize("name", CLUSTERS)
def test_scripts_read_every_input_that_they_are_given(name):
    for node, operation in operations(name):
        files = [operation.implementation, *operation.dependencies]
        text = "".join(scripts(name)[f.path] for f in files)
        for key in operation.inputs:
            assert re.search(rf"\$\{{?{key}\b", text), f"{node.name} {operation.name} is given {key}"


def test_the_playbook_runs_on_the_machine_it_is_given_and_nowhere_else():
    (play,) = yaml.safe_load(catalogue.bundle("machine").files["install.yml"])

    assert play["hosts"] == "all"
    assert not {"connection", "delegate_to", "roles", "vars_files"} & set(play)
    assert all(
        set(t) <= {"name", "when", "register", "changed_when", "ansible.builtin.apt", "ansible.builtin.command"}
        for t in play["tasks"]
    )


def test_a_name_that_is_not_there_is_answered_with_the_near_one():
    with pytest.raises(NotFound) as caught:
        catalogue.bundle("slurm-clutser")

    assert caught.value.hint == "Did you mean slurm-cluster?"


@pytest.mark.parametrize("name", ["../catalogue/machine", "/etc", "jobs", "", "machine/.."])
def test_a_name_is_no_path(name):
    for ask in (catalogue.bundle, catalogue.entry, catalogue.icon):
        with pytest.raises(NotFound):
            ask(name)


@pytest.mark.parametrize("name", ["condor-primes.sh", "dask-sum.py", "slurm-primes.sh"])
def test_each_cluster_has_a_job_to_try_it_with(name):
    assert catalogue.job(name)


def test_a_job_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(NotFound) as caught:
        catalogue.job("nothing")

    assert "slurm-primes.sh" in caught.value.hint


@pytest.mark.parametrize(("name", "kind", "host"), [
    ("slurm-cluster", "slurm", "controller"), ("htcondor-pool", "htcondor", "manager"),
])  # fmt: skip
def test_a_batch_system_is_found_in_its_topology(name, kind, host):
    topology = topology_of(name, user="ada", containers="true")

    (node,) = [n for n in topology.nodes.values() if "jobs" in n.capabilities]

    assert dict(node.capabilities["jobs"]) == {"kind": kind, "user": "ada", "containers": True}
    assert topology.host_of(node.name).name == host
    assert topology.nodes["worker"].capabilities["host"]["nested_containers"] is True


def test_all_machines_of_slurm_attach_one_home_unless_it_is_of_size_0():
    topology, without = topology_of("slurm-cluster"), topology_of("slurm-cluster", shared_home="0 GiB")

    for name in ("controller", "worker"):
        assert volume_mounts(topology, topology.nodes[name]) == {"home": "/home"}
        assert volume_mounts(without, without.nodes[name]) == {}
    assert is_shared(topology.nodes["home"])


@pytest.mark.parametrize("name", ["slurm-cluster", "htcondor-pool"])
@pytest.mark.parametrize("package", ["-y", "a b", "$(id)", "gcc=1"])
def test_a_package_that_is_none_is_refused(name, package):
    assert not load(catalogue.bundle(name), {"packages": [package]}).topology
