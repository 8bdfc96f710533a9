"""What holds for pods on every batch system; a fixture ``vk`` gives the virtual kubelet before it."""

from __future__ import annotations

import pytest

from .kubelet import Kubelet
from .pod_checks import check
from .pod_kinds import KINDS, REFUSED, Kind
from .pod_lives import (
    check_following,
    check_hostile,
    check_large_log,
    check_previous,
    check_probes,
    check_same_uid,
)


class PodSuite:
    """Inherited by a test class of each batch system."""

    flags = True
    """Whether the system has the flags of Slurm."""

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
    def test_kinds(self, vk: Kubelet, kind: Kind) -> None:
        if "slurm-job.vk.io/flags" in kind.annotations and not self.flags:
            pytest.skip("flags are those of Slurm")
        check(vk, kind)

    @pytest.mark.parametrize(("kind", "named"), REFUSED, ids=lambda value: getattr(value, "name", None))
    def test_what_a_pod_may_not_have_is_named_at_once(self, vk: Kubelet, kind: Kind, named: str) -> None:
        answer = vk.hand_over(vk.manifest(kind), kind.sent)
        assert answer.status_code != 200
        assert named in answer.text

    def test_probes_turn_ready_and_stopping_is_heard(self, vk: Kubelet) -> None:
        check_probes(vk)

    def test_a_container_that_failed_has_a_log_of_its_last_run(self, vk: Kubelet) -> None:
        check_previous(vk)

    def test_a_large_log_and_each_part_of_it(self, vk: Kubelet) -> None:
        check_large_log(vk)

    def test_a_log_is_followed_line_by_line(self, vk: Kubelet) -> None:
        check_following(vk)

    def test_hostile_words_arrive_as_they_were_written(self, vk: Kubelet) -> None:
        check_hostile(vk)

    def test_the_same_uid_is_one_pod(self, vk: Kubelet) -> None:
        check_same_uid(vk)
