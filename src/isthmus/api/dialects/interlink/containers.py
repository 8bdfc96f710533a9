"""One container of a pod as one of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from isthmus.api.dialects.interlink.annotations import Wishes
from isthmus.api.dialects.interlink.checks import Checks, translate_checks
from isthmus.api.dialects.interlink.core import EnvVar, PodContainer, PodSecurityContext, VolumeMount
from isthmus.api.dialects.interlink.demands import Demand
from isthmus.api.dialects.interlink.fields import CONFINED
from isthmus.api.dialects.interlink.images import fault_of_image
from isthmus.api.dialects.interlink.paths import fault_of_absolute, fault_of_relative
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.api.dialects.interlink.refusals import Refusals, show
from isthmus.work.job import Container, Mount
from isthmus.work.runner.expansion import expand


class Containers:
    """Translates the containers of one pod; what cannot be honoured is noted in ``refusals``.

    ``volumes`` says of each whether it is only read, whatever a mount of it says.
    """

    def __init__(
        self,
        volumes: Mapping[str, bool],
        security: PodSecurityContext,
        wishes: Wishes,
        shared: Sequence[Mount],
        policy: Policy,
        refusals: Refusals,
    ):
        self._volumes = volumes
        self._security = security
        self._wishes = wishes
        self._shared = tuple(shared)
        self._policy = policy
        self._refusals = refusals

    def translate(self, container: PodContainer, demand: Demand, path: str, *, init: bool) -> Container:
        """All of a pod's variables are secrets: nothing tells which of them the cluster took from one."""
        refusals = self._refusals
        refusals.rest(container.model_extra, "container", path)
        env = self._env(container.env, f"{path}.env")
        user, group = self._user(container, f"{path}.securityContext")
        if init:
            self._refuse_on_init(container, path)
        checks = Checks() if init else translate_checks(container, path, refusals)
        return Container(
            name=container.name,
            image=self._image(container.image, f"{path}.image"),
            command=self._words(container.command, f"{path}.command"),
            args=self._words(container.args, f"{path}.args"),
            expand=any("$" in word for word in (*container.command, *container.args)),
            secrets=env,
            workdir=self._workdir(container.working_dir, f"{path}.workingDir"),
            sandbox=False,
            mounts=self._mounts(container.volume_mounts, env, f"{path}.volumeMounts"),
            cpus=float(demand.cpu_limit) if demand.cpu_limit else None,
            memory=demand.memory_limit,
            user=user,
            group=group,
            runtime_options=self._wishes.runtime_options,
            **_shallow(checks),
        )

    def _refuse_on_init(self, container: PodContainer, path: str) -> None:
        for field, name in (
            ("startup_probe", "startupProbe"), ("readiness_probe", "readinessProbe"),
            ("liveness_probe", "livenessProbe"),
        ):  # fmt: skip
            if getattr(container, field) is not None:
                self._refusals.add(f"{path}.{name}", "an init container has no probes", tolerable=False)
        if container.lifecycle.model_fields_set:
            self._refusals.add(f"{path}.lifecycle", "an init container has no hooks", tolerable=False)

    def _image(self, image: str, path: str) -> str:
        if self._wishes.image_root and image and not image.startswith("/") and "://" not in image:
            image = self._wishes.image_root + image
        if fault := fault_of_image(image, self._policy.image_paths):
            self._refusals.add(path, fault, tolerable=False)
            return "refused"
        return image

    def _env(self, variables: Sequence[EnvVar], path: str) -> dict[str, str]:
        env: dict[str, str] = {}
        for index, one in enumerate(variables):
            if one.value_from:
                self._refusals.add(f"{path}[{index}].valueFrom", "the virtual kubelet has to resolve it")
            elif not one.name or not one.name.isascii() or not one.name.isprintable() or "=" in one.name:
                self._refusals.add(f"{path}[{index}].name", "it is no name of a variable", tolerable=False)
            elif "\0" in one.value:
                self._refusals.add(f"{path}[{index}].value", "it holds a NUL character", tolerable=False)
            else:
                env[one.name] = one.value
        return env

    def _words(self, words: Sequence[str], path: str) -> tuple[str, ...]:
        for index, word in enumerate(words):
            if "\0" in word:
                self._refusals.add(f"{path}[{index}]", "it holds a NUL character", tolerable=False)
        return tuple(words)

    def _workdir(self, workdir: str, path: str) -> str | None:
        if not workdir:
            return None
        if fault := fault_of_absolute(workdir):
            self._refusals.add(path, fault, tolerable=False)
        return workdir

    def _mounts(self, mounts: Sequence[VolumeMount], env: Mapping[str, str], path: str) -> tuple[Mount, ...]:
        made: dict[str, Mount] = {mount.path: mount for mount in self._shared}
        taken: set[str] = set()
        for index, one in enumerate(mounts):
            at = f"{path}[{index}]"
            self._refusals.rest(one.model_extra, "volumeMount", at)
            mount = self._mount(one, env, at)
            if mount is None:
                continue
            where = mount.path.rstrip("/")
            if where in taken:
                self._refusals.add(f"{at}.mountPath", "something else is mounted there", tolerable=False)
            taken.add(where)
            made[mount.path] = mount
        # What lies in another mount comes after it, which would hide it else.
        return tuple(sorted(made.values(), key=lambda mount: mount.path.rstrip("/").count("/")))

    def _mount(self, mount: VolumeMount, env: Mapping[str, str], path: str) -> Mount | None:
        sub_path = mount.sub_path or expand(mount.sub_path_expr, env)
        faults = {
            "name": "" if mount.name in self._volumes else f"the pod has no volume {show(mount.name)}",
            "mountPath": _fault_of_target(mount.mount_path),
            "subPath": fault_of_relative(sub_path) if mount.sub_path else "",
            "subPathExpr": fault_of_relative(sub_path) if mount.sub_path_expr else "",
        }
        if mount.sub_path and mount.sub_path_expr:
            faults["subPathExpr"] = "subPath is given too"
        wrong = {name: fault for name, fault in faults.items() if fault}
        for name, fault in wrong.items():
            self._refusals.add(f"{path}.{name}", fault, tolerable=False)
        return (
            None
            if wrong
            else Mount(mount.name, mount.mount_path, sub_path, mount.read_only or self._volumes[mount.name])
        )

    def _user(self, container: PodContainer, path: str) -> tuple[int | None, int | None]:
        own, pod = container.security_context, self._security
        self._refusals.rest(own.model_extra, "container.securityContext", path)
        user = own.run_as_user if own.run_as_user is not None else pod.run_as_user
        group = own.run_as_group if own.run_as_group is not None else pod.run_as_group
        non_root = own.run_as_non_root if own.run_as_non_root is not None else pod.run_as_non_root
        if non_root and user == 0:
            self._refusals.add(f"{path}.runAsUser", "it is 0, and runAsNonRoot is true", tolerable=False)
        if own.capabilities.add:
            self._refusals.add(f"{path}.capabilities.add", "no container is given capabilities")
        asked = (
            non_root and user is None,
            own.allow_privilege_escalation is False,
            own.capabilities.drop,
            own.read_only_root_filesystem,
        )
        if not self._policy.confined:
            for name in (name for name, wanted in zip(CONFINED, asked, strict=True) if wanted):
                self._refusals.add(f"{path}.{name}", "only a site that confines all containers can promise it")
        return user, group


def _fault_of_target(path: str) -> str:
    if fault := fault_of_absolute(path):
        return fault
    if not path.strip("/"):
        return "the root of a container cannot be replaced"
    return "the path may hold no colon" if ":" in path else ""


def _shallow(checks: Checks) -> dict[str, Any]:
    return {name: getattr(checks, name) for name in asdict(checks)}
