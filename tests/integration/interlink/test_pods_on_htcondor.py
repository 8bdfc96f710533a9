"""Kinds of pods on a real HTCondor pool, whose nodes share no files with the machine that jobs are handed over on."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from .clusters import SITE, archives, cluster, isthmus, kubelet
from .kubelet import Kubelet
from .pod_checks import check
from .pod_kinds import KINDS, REFUSED, Kind
from .pod_lives import (
    check_following,
    check_hostile,
    check_large_log,
    check_many,
    check_previous,
    check_probes,
    check_same_uid,
)

pytestmark = [pytest.mark.engine, pytest.mark.cluster]
IMAGES = "/opt/images"
WORKERS = 2
INPUTS = (f"workers={WORKERS}", "worker_cpus=2", "worker_memory=2 GiB")
_BUILD = (
    f"mkdir -p {IMAGES} && cd {IMAGES} && tar x && for n in *.tar; do apptainer build --force ${{n%.tar}} "
    "docker-archive:$n; done"
)


@pytest.fixture(scope="module")
def vk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    folder = tmp_path_factory.mktemp("htcondor")
    with cluster(folder, "htcondor-pool", INPUTS) as home:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            for name in archives(folder):
                archive.add(folder / name, name)
        for worker in range(WORKERS):
            isthmus(home, "exec", SITE, f"worker[{worker}]", "--", "sh", "-ec", _BUILD, data=data.getvalue())
        with kubelet(home, IMAGES) as made:
            yield made


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kinds(vk: Kubelet, kind: Kind) -> None:
    if "slurm-job.vk.io/flags" in kind.annotations:
        pytest.skip("flags are those of Slurm")
    check(vk, kind)


@pytest.mark.parametrize(("kind", "named"), REFUSED, ids=lambda value: getattr(value, "name", None))
def test_what_a_pod_may_not_have_is_named_at_once(vk: Kubelet, kind: Kind, named: str) -> None:
    answer = vk.hand_over(vk.manifest(kind), kind.sent)
    assert answer.status_code != 200
    assert named in answer.text


def test_probes_turn_ready_and_stopping_is_heard(vk: Kubelet) -> None:
    check_probes(vk)


def test_a_container_that_failed_has_a_log_of_its_last_run(vk: Kubelet) -> None:
    check_previous(vk)


def test_a_large_log_and_each_part_of_it(vk: Kubelet) -> None:
    check_large_log(vk)


def test_a_log_is_followed_line_by_line(vk: Kubelet) -> None:
    check_following(vk)


def test_hostile_words_arrive_as_they_were_written(vk: Kubelet) -> None:
    check_hostile(vk)


def test_the_same_uid_is_one_pod(vk: Kubelet) -> None:
    check_same_uid(vk)


def test_ten_pods_at_once(vk: Kubelet) -> None:
    check_many(vk, 10)
