"""Kinds of pods on a real HTCondor pool, whose nodes share no files with the machine that jobs are handed over on."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from .clusters import SITE, archives, cluster, isthmus, kubelet
from .kubelet import Kubelet
from .pod_lives import check_many
from .pod_suite import PodSuite

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


class TestOnHTCondor(PodSuite):
    flags = False

    def test_ten_pods_at_once(self, vk: Kubelet) -> None:
        check_many(vk, 10)
