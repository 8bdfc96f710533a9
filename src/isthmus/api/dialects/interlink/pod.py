"""A pod, with what the virtual kubelet sent along for it, as one job. Pure: nothing is looked up, nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from isthmus.api.dialects.interlink.annotations import Wishes, read_annotations
from isthmus.api.dialects.interlink.containers import Containers
from isthmus.api.dialects.interlink.core import PodContainer, PodSpec, RetrievedPod
from isthmus.api.dialects.interlink.demands import Demand, read_demand, sum_up
from isthmus.api.dialects.interlink.policy import INHERENT, Policy
from isthmus.api.dialects.interlink.refusals import Refusals
from isthmus.api.dialects.interlink.slurm_flags import apply_flags
from isthmus.api.dialects.interlink.volumes import Volumes, collect_sent, is_only_read
from isthmus.work.job import Container, JobSpec, Mount, Resources, Volume

PRE_EXEC = "pre-exec"
"""The init container that runs what ``slurm-job.vk.io/pre-exec`` says, as a process of the node."""
_SHARED = "annotated.{}"
"""No volume of a pod has a dot in its name."""


@dataclass(frozen=True, slots=True)
class PodOrder:
    """A job for a pod: ``key`` is the pod's uid, ``name`` what people call it."""

    key: str
    name: str
    spec: JobSpec
    passed: tuple[str, ...] = ()
    """Fields that are not honoured, and that the operator lets pass."""


def translate(body: Any, policy: Policy) -> PodOrder:
    """The job of a retrieved pod; raises :class:`~isthmus.errors.Unsupported` with all fields that hinder it."""
    refusals = Refusals(policy.tolerated)
    try:
        retrieved = RetrievedPod.model_validate(body)
    except ValidationError as error:
        refusals.malformed(error)
        refusals.check()
        raise
    if retrieved.job_script:
        refusals.add("jobScript", "the job is made from the pod, not from a script")
    spec = _Translation(retrieved, policy, refusals).spec()
    refusals.check()
    metadata = retrieved.pod.metadata
    return PodOrder(metadata.uid, f"{metadata.namespace}/{metadata.name}", spec, tuple(refusals.passed))


class _Translation:
    def __init__(self, retrieved: RetrievedPod, policy: Policy, refusals: Refusals):
        self._retrieved = retrieved
        self._pod: PodSpec = retrieved.pod.spec
        self._policy = policy
        self._refusals = refusals

    def spec(self) -> JobSpec:
        pod = self._pod
        self._refuse_pod_fields()
        wishes = read_annotations(self._retrieved.pod.metadata.annotations, self._policy, self._refusals)
        init_demands, main_demands = self._demands("initContainers"), self._demands("containers")
        inherent = INHERENT | ({"--nv"} if any(one.gpus for one in (*init_demands, *main_demands)) else set())
        asked = tuple(option for option in wishes.runtime_options if option not in inherent)
        wishes = replace(wishes, runtime_options=asked)
        volumes = self._volumes()
        shared = [Volume(_SHARED.format(n), host_path=bind.source) for n, bind in enumerate(wishes.binds)]
        mounts = [Mount(v.name, b.target, read_only=b.read_only) for v, b in zip(shared, wishes.binds, strict=True)]
        make = Containers(
            {one.name: is_only_read(one) for one in pod.volumes}, pod.security_context, wishes, mounts, self._policy,
            self._refusals,
        )  # fmt: skip
        init = _translate_all(make, pod.init_containers, init_demands, "initContainers")
        main = _translate_all(make, pod.containers, main_demands, "containers")
        self._refuse_same_names([*pod.init_containers, *pod.containers])
        if wishes.pre_exec:
            shell = Container(PRE_EXEC, command=("/bin/sh", "-c", wishes.pre_exec), sandbox=False)
            init = (shell, *init)
        resources, options = self._resources(main_demands, init_demands, wishes)
        return JobSpec(
            containers=main,
            init=init,
            volumes=(*volumes, *shared),
            resources=resources,
            launch=wishes.launch,
            restart=self._policy.restart(pod.restart_policy),
            grace=pod.termination_grace_period_seconds,
            options={**self._policy.options, **options},
        )

    def _refuse_pod_fields(self) -> None:
        pod = self._pod
        self._refusals.rest(pod.model_extra, "spec", "spec")
        self._refusals.rest(pod.security_context.model_extra, "pod.securityContext", "spec.securityContext")
        if pod.host_users is False:
            self._refusals.add("spec.hostUsers", "false is not honoured")

    def _refuse_same_names(self, containers: Sequence[PodContainer]) -> None:
        names = [one.name for one in containers]
        if len(set(names)) < len(names):
            self._refusals.add("spec.containers", "two containers have the same name", tolerable=False)

    def _volumes(self) -> list[Volume]:
        pod = self._pod
        mounted = {m.name for one in (*pod.init_containers, *pod.containers) for m in one.volume_mounts}
        make = Volumes(
            collect_sent(self._retrieved.container), self._policy, self._refusals,
            shared=pod.security_context.fs_group is not None,
        )  # fmt: skip
        made = [
            make.translate(one, f"spec.volumes[{index}]", one.name in mounted) for index, one in enumerate(pod.volumes)
        ]
        if len({one.name for one in pod.volumes}) < len(pod.volumes):
            self._refusals.add("spec.volumes", "two volumes have the same name", tolerable=False)
        return [one for one in made if one is not None]

    def _demands(self, field: str) -> list[Demand]:
        containers = self._pod.init_containers if field == "initContainers" else self._pod.containers
        return [
            read_demand(one.resources, f"spec.{field}[{index}].resources", self._policy, self._refusals)
            for index, one in enumerate(containers)
        ]

    def _resources(
        self, main: Sequence[Demand], init: Sequence[Demand], wishes: Wishes
    ) -> tuple[Resources, dict[str, str]]:
        pod = self._pod
        whole = read_demand(pod.resources, "spec.resources", self._policy, self._refusals)
        if whole.gpus:
            self._refusals.add("spec.resources", "a pod itself has processors and memory only", tolerable=False)
        resources = sum_up(main, init, whole, "spec", self._policy, self._refusals)
        resources = replace(resources, time=pod.active_deadline_seconds)
        return apply_flags(wishes.flags, resources, wishes.flags_path, self._refusals)


def _translate_all(
    make: Containers, containers: Sequence[PodContainer], demands: Sequence[Demand], field: str
) -> tuple[Container, ...]:
    return tuple(
        make.translate(one, demand, f"spec.{field}[{index}]", init=field == "initContainers")
        for index, (one, demand) in enumerate(zip(containers, demands, strict=True))
    )
