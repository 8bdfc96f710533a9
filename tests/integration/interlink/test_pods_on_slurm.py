"""Kinds of pods through both endpoints on a real Slurm cluster, whose nodes run containers with Apptainer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .clusters import SITE, archives, cluster, isthmus, kubelet
from .kubelet import Kubelet
from .pod_checks import check
from .pod_kinds import KINDS, REFUSED, Kind
from .pod_lives import (
    check_deleted,
    check_following,
    check_hooks,
    check_hostile,
    check_killed_plugin,
    check_large_log,
    check_many,
    check_previous,
    check_probes,
    check_refused_gpu,
    check_same_uid,
)

pytestmark = [pytest.mark.engine, pytest.mark.cluster]
IMAGES = "/home/slurmuser/images"
INPUTS = ("workers=2", "worker_cpus=2", "worker_memory=2 GiB", "shared_home=2 GiB")
_BUILD = f"mkdir -p {IMAGES} && for n in *.tar; do apptainer build --force {IMAGES}/${{n%.tar}} docker-archive:$n; done"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("slurm")
    with cluster(folder, "slurm-cluster", INPUTS) as home:
        given = [word for name in archives(folder) for word in ("--input", name)]
        isthmus(home, "run", "--site", SITE, "--no-container", *given, "--", "sh", "-ec", _BUILD, cwd=folder)
        yield home


@pytest.fixture(scope="module")
def vk(home: Path) -> Iterator[Kubelet]:
    with kubelet(home, IMAGES) as made:
        yield made


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kinds(vk: Kubelet, kind: Kind) -> None:
    check(vk, kind)


@pytest.mark.parametrize(("kind", "named"), REFUSED, ids=lambda value: getattr(value, "name", None))
def test_what_a_pod_may_not_have_is_named_at_once(vk: Kubelet, kind: Kind, named: str) -> None:
    answer = vk.hand_over(vk.manifest(kind), kind.sent)
    assert answer.status_code != 200
    assert named in answer.text


def test_a_gpu_that_the_site_has_not_is_refused_by_it(vk: Kubelet) -> None:
    check_refused_gpu(vk)


def test_probes_turn_ready_and_stopping_is_heard(vk: Kubelet) -> None:
    check_probes(vk)


def test_hooks_are_heard_in_the_log(vk: Kubelet) -> None:
    check_hooks(vk)


def test_a_container_that_failed_has_a_log_of_its_last_run(vk: Kubelet) -> None:
    check_previous(vk)


def test_a_large_log_and_each_part_of_it(vk: Kubelet) -> None:
    check_large_log(vk)


def test_a_log_is_followed_line_by_line(vk: Kubelet) -> None:
    check_following(vk)


def test_hostile_words_arrive_as_they_were_written(vk: Kubelet) -> None:
    check_hostile(vk)


def test_a_pod_that_is_deleted_while_it_runs_leaves_nothing(vk: Kubelet, home: Path) -> None:
    check_deleted(vk)
    nobody_left = "! pgrep -u slurmuser -f [s]leep.4321"
    for worker in range(2):
        isthmus(home, "exec", SITE, f"worker[{worker}]", "--", "timeout", "20", "sh", "-c",
                f"until {nobody_left}; do sleep 0.2; done")  # fmt: skip


def test_the_same_uid_is_one_pod(vk: Kubelet) -> None:
    check_same_uid(vk)


def test_a_plugin_that_is_killed_loses_no_pod_and_doubles_none(vk: Kubelet) -> None:
    check_killed_plugin(vk)


@pytest.mark.parametrize("count", [1, 10, 100])
def test_many_pods_at_once(vk: Kubelet, count: int) -> None:
    print(count, check_many(vk, count))
