"""Pods as the virtual kubelet sends them."""

from __future__ import annotations

import base64
from typing import Any

UID = "0f6dfb1e-4b0a-4c55-9b0e-b1a7a7b0c001"


def container(name: str = "main", **fields: Any) -> dict[str, Any]:
    """A container with the defaults that Kubernetes fills in."""
    return {
        "name": name,
        "image": "busybox",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "Always",
        **fields,
    }


def pod(
    *containers: dict[str, Any],
    uid: str = UID,
    name: str = "p",
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A pod with the defaults that Kubernetes fills in, and the status that the virtual kubelet makes up."""
    listed = list(containers) or [container()]
    return {
        "metadata": {
            "name": name,
            "namespace": "t",
            "uid": uid,
            "resourceVersion": "71",
            "generation": 1,
            "creationTimestamp": "2026-11-21T15:15:40Z",
            "annotations": annotations or {},
        },
        "spec": {
            "containers": listed,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "serviceAccount": "default",
            "nodeName": "vk",
            "nodeSelector": {"kubernetes.io/hostname": "vk"},
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [{"key": "virtual-node.interlink/no-schedule", "operator": "Exists"}],
            "priority": 0,
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
            **spec,
        },
        "status": {
            "phase": "Pending",
            "hostIP": "127.0.0.1",
            "containerStatuses": [
                {"name": one["name"], "state": {"waiting": {}}, "lastState": {}, "ready": False, "image": "busybox"}
                for one in listed
            ],
        },
    }


def retrieved(made: dict[str, Any], *contents: dict[str, Any]) -> dict[str, Any]:
    """The body of /create at the plugin; ``contents`` go with the first container."""
    named = [*made["spec"].get("initContainers", []), *made["spec"]["containers"]]
    nothing = {"configMaps": None, "projectedvolumemaps": None, "secrets": None, "emptyDirs": None}
    sent = [{"name": one["name"], **nothing} for one in named]
    for one in contents:
        sent[0].update(one)
    return {"pod": made, "container": sent, "jobConfig": {}}


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": None}, "data": data}


def secret(name: str, **data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {"metadata": {"name": name}, "data": encoded, "type": "Opaque"}


def log_request(uid: str = UID, container: str = "main", namespace: str = "t", **opts: Any) -> dict[str, Any]:
    """The body of /getLogs, as the virtual kubelet writes it."""
    unset = {
        "Tail": 0, "Bytes": 0, "Timestamps": False, "Follow": False, "Previous": False, "SinceSeconds": 0,
        "SinceTime": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    named = {"Namespace": namespace, "PodUID": uid, "PodName": "p", "ContainerName": container}
    return {**named, "Opts": {**unset, **opts}}
