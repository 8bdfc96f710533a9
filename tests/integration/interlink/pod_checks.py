"""What must be true of a pod that has run."""

from __future__ import annotations

from .kubelet import Kubelet, Pod
from .pod_kinds import Kind


def check(vk: Kubelet, kind: Kind) -> Pod:
    """Run a pod to its end, and compare that with what its kind says."""
    one = vk.until_ended(vk.create(kind), kind.seconds)
    compare(vk, kind, one)
    vk.delete(one)
    return one


def compare(vk: Kubelet, kind: Kind, one: Pod) -> None:
    """Phase, exit codes and reasons of all containers, how often each was started again, and what it said."""
    assert one.phase == kind.phase, one.last
    main, init = ([c["name"] for c in one.last[field]] for field in ("containers", "initContainers"))
    assert (main, init) == ([c["name"] for c in kind.containers], [c["name"] for c in kind.init])
    for name in (*init, *main):
        shown = one.container(name)
        over = one.ended(name)
        assert over["exitCode"] == kind.codes.get(name, 0), one.last
        assert over["reason"] == kind.reasons.get(name, over["reason"]), one.last
        assert shown["restartCount"] == kind.restarts.get(name, 0), one.last
    assert {name: vk.log(one, name) for name in kind.logs} == kind.logs
