"""Kinds of pods through both endpoints on a real Slurm cluster, whose nodes run containers with Apptainer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .clusters import SITE, archives, cluster, isthmus, kubelet
from .kubelet import Kubelet
from .pod_lives import check_deleted, check_hooks, check_killed_plugin, check_many, check_refused
from .pod_suite import PodSuite

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


class TestOnSlurm(PodSuite):
    def test_what_the_site_has_not_is_refused(self, vk: Kubelet) -> None:
        check_refused(vk)

    def test_hooks_are_heard_in_the_log(self, vk: Kubelet) -> None:
        check_hooks(vk)

    def test_a_pod_that_is_deleted_while_it_runs_leaves_nothing(self, vk: Kubelet, home: Path) -> None:
        check_deleted(vk)
        nobody_left = "! pgrep -u slurmuser -f [s]leep.4321"
        for worker in range(2):
            isthmus(home, "exec", SITE, f"worker[{worker}]", "--", "timeout", "20", "sh", "-c",
                    f"until {nobody_left}; do sleep 0.2; done")  # fmt: skip

    def test_a_plugin_that_is_killed_loses_no_pod_and_doubles_none(self, vk: Kubelet) -> None:
        check_killed_plugin(vk)

    @pytest.mark.parametrize("count", [1, 10, 100])
    def test_many_pods_at_once(self, vk: Kubelet, count: int) -> None:
        print(count, check_many(vk, count))
