"""The fields of a pod that are not translated: which of them do no harm, which need a word of the operator.

A field that is neither translated nor in these tables is refused by name if it holds anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Harmless:
    """Why a field may be passed over; with ``only``, where it has one of these values."""

    why: str
    only: tuple[Any, ...] = ()


_SCHEDULED = Harmless("the cluster's scheduler has done with it")
_CLUSTER_NET = Harmless("the job runs in the network of its node, under the node's name")
_MESSAGE = Harmless("the exit code, reason and log tell how it ended")
_DEFAULT = ("RuntimeDefault",)

HARMLESS: Mapping[str, Mapping[str, Harmless]] = {
    "spec": {
        "nodeName": _SCHEDULED,
        "nodeSelector": _SCHEDULED,
        "affinity": _SCHEDULED,
        "tolerations": _SCHEDULED,
        "topologySpreadConstraints": _SCHEDULED,
        "schedulerName": _SCHEDULED,
        "schedulingGates": _SCHEDULED,
        "workloadRef": _SCHEDULED,
        "priority": _SCHEDULED,
        "priorityClassName": _SCHEDULED,
        "preemptionPolicy": _SCHEDULED,
        "overhead": _SCHEDULED,
        "readinessGates": Harmless("the cluster judges them"),
        "serviceAccountName": Harmless("its token comes as a volume"),
        "serviceAccount": Harmless("its token comes as a volume"),
        "automountServiceAccountToken": Harmless("its token comes as a volume"),
        "imagePullSecrets": Harmless("they never reach the plugin; the site pulls with its own credentials"),
        "enableServiceLinks": Harmless("the virtual kubelet adds the variables, or none"),
        "dnsPolicy": _CLUSTER_NET,
        "hostNetwork": _CLUSTER_NET,
        "hostname": _CLUSTER_NET,
        "hostnameOverride": _CLUSTER_NET,
        "subdomain": _CLUSTER_NET,
        "os": Harmless("jobs run on Linux", ({"name": "linux"},)),
        "runtimeClassName": Harmless("GPUs are asked for as resources", ("nvidia",)),
    },
    "pod.securityContext": {
        "fsGroupChangePolicy": Harmless("files of a pod are made anew for each"),
        "supplementalGroupsPolicy": Harmless("no group is taken away", ("Merge",)),
        "seLinuxChangePolicy": Harmless("no label is changed"),
        "seccompProfile": Harmless("the site's runtime has its own default", _DEFAULT),
        "appArmorProfile": Harmless("the site's runtime has its own default", _DEFAULT),
    },
    "container": {
        "imagePullPolicy": Harmless("the site keeps images by its own rules"),
        "ports": Harmless("every port of the node's network can be bound; named ones are known to probes"),
        "terminationMessagePath": _MESSAGE,
        "terminationMessagePolicy": _MESSAGE,
        "resizePolicy": Harmless("a job is never resized"),
    },
    "container.securityContext": {
        "seccompProfile": Harmless("the site's runtime has its own default", _DEFAULT),
        "appArmorProfile": Harmless("the site's runtime has its own default", _DEFAULT),
        "procMount": Harmless("it is the default", ("Default",)),
    },
    "volumeMount": {
        "mountPropagation": Harmless("it is the default", ("None",)),
        "recursiveReadOnly": Harmless("it does not insist", ("Disabled", "IfPossible")),
    },
    "emptyDir": {
        "sizeLimit": Harmless("a bound that the pod sets itself; the node's own bounds hold, and the memory limit"),
    },
    "serviceAccountToken": {
        "expirationSeconds": Harmless("the virtual kubelet asks for a token that outlives every job"),
    },
    "resources": {
        "ephemeral-storage": Harmless("the node's own bounds hold"),
    },
}  # fmt: skip
"""By the place in a pod, then by name."""

CONFINED = ("runAsNonRoot", "allowPrivilegeEscalation", "capabilities.drop", "readOnlyRootFilesystem")
"""What a pod may ask of a site whose runtime runs containers as an ordinary user without any privileges."""


def is_harmless(place: str, name: str, value: Any) -> bool:
    """Whether this field of a pod may be passed over."""
    known = HARMLESS.get(place, {}).get(name)
    if known is None:
        return False
    kind = value.get("type") if isinstance(value, Mapping) and known.only is _DEFAULT else value
    return not known.only or kind in known.only


def is_unset(value: Any) -> bool:
    """Whether a value is what Kubernetes takes for nothing."""
    return value is None or value is False or (value in ("", 0) and not isinstance(value, bool)) or value in ([], {})
