"""Kinds of pods that clusters offload, as the virtual kubelet sends them, and what must come of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...unit.api.interlink.pods import config_map, container, secret

BUSYBOX, SPOKEN = "busybox.sif", "spoken.sif"
"""Images by their files: one with a shell; one that also says something by itself, whatever it is told."""
ENTRYPOINT, CMD = ["/bin/echo", "from the entrypoint"], ["and", "the command"]
JSON = '{"a": [1, "two", {"three": null}], "path": "C:\\\\x", "html": "<b>&amp;</b>"}'
QUOTES = 'it\'s "quoted" `id` $(id) ${HOME} $HOME \\ ; & | > * ? ~ !'
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln\n"
CA = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ\n" + "A" * 64 + "\n-----END CERTIFICATE-----\n"
MEBIBYTE = 1024**2


@dataclass(frozen=True)
class Kind:
    """A pod and its end. ``codes`` are those of containers that do not end with 0, ``logs`` what each has said."""

    name: str
    containers: tuple[dict[str, Any], ...]
    init: tuple[dict[str, Any], ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    sent: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 60

    @property
    def phase(self) -> str:
        main = {one["name"] for one in self.containers}
        return "Failed" if main & set(self.codes) else "Succeeded"


def sh(script: str, name: str = "main", **fields: Any) -> dict[str, Any]:
    return container(name, image=BUSYBOX, command=["sh", "-c"], args=[script], **fields)


def env(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def mount(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "mountPath": path, **more}


def empty(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "emptyDir": {}} for name in names]


def once(check: dict[str, Any], **times: int) -> dict[str, Any]:
    """A probe with the defaults of Kubernetes."""
    defaults = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    return {**check, **defaults, **times}


def _limited(memory: str) -> dict[str, Any]:
    return {"resources": {"limits": {"cpu": "1", "memory": memory}, "requests": {"cpu": "1", "memory": memory}}}


_SCRIPT = """\
set -e
total=0
for n in 1 2 3; do
  total=$((total + n))
  echo "step $n: it's \\"$n\\""   # a remark
done
cat <<'END'
	a tab, a $(dollar) and a \\ backslash
END
echo $(expr $total + 1)
"""
_FILES = (
    "cat /cm/app.conf; ls -l /cm/app.conf | cut -c1-10; ls /cm; cat /secret/user; echo; cat /one/only; echo;"
    "ls -lL /secret/ | awk '/user/ {print $1}'; touch /cm/new 2>/dev/null || echo refused; cat /cm-sub/nested/k2"
)
_PROJECTED = (
    "cat /p/etc/app.conf; echo --; cat /p/token; echo --; cat /p/ca.crt; echo --; cat /p/namespace; echo;"
    "ls -lL /p/token | cut -c1-10"
)

KINDS: tuple[Kind, ...] = (
    Kind(
        "hello",
        (container(image=BUSYBOX, command=["echo", "hello"], args=["$(WHOM)", "from a pod", "$(NOBODY)", "$$(WHOM)"],
                   env=env(WHOM="world")),),
        logs={"main": "hello world from a pod $(NOBODY) $(WHOM)\n"},
    ),
    Kind(
        "script", (sh(_SCRIPT),),
        logs={"main": 'step 1: it\'s "1"\nstep 2: it\'s "2"\nstep 3: it\'s "3"\n'
                      "\ta tab, a $(dollar) and a \\ backslash\n7\n"},
    ),
    Kind(
        "env-values",
        (sh('printf "<%s>\\n" "$QUOTES" "$LINES_" "$JSON" "$EMPTY" "$UNICODE"; test -z "$ISTHMUS_HOME"',
            env=env(QUOTES=QUOTES, LINES_="one\n two\n\nthree\n", JSON=JSON, EMPTY="", UNICODE="d'été 水 🙂")),),
        logs={"main": f"<{QUOTES}>\n<one\n two\n\nthree\n>\n<{JSON}>\n<>\n<d'été 水 🙂>\n"},
    ),
    Kind(
        "env-from",
        (container(image=BUSYBOX, command=[
            "awk", 'BEGIN { print ENVIRON["API_KEY"]; print ENVIRON["C_file.txt"]; print ENVIRON["C_k-1"];'
            'print ENVIRON["user"]; print ENVIRON["password"] }'],
                   env=[*env(API_KEY="secret-1"), {"name": "C_file.txt", "value": "hello\nworld"},
                        {"name": "C_k-1", "value": "v1"}, *env(user="alice", password="p'w\"d")]),),
        logs={"main": "secret-1\nhello\nworld\nv1\nalice\np'w\"d\n"},
    ),
    Kind(
        "shared-volume",
        (sh("echo shared > /data/file; until test -e /data/../seen/yes; do sleep 0.1; done; echo written", "writer",
            volumeMounts=[mount("data", "/data"), mount("seen", "/seen")]),
         sh("until cat /in/file 2>/dev/null; do sleep 0.1; done; touch /in/x 2>/dev/null || echo read-only;"
            "touch /seen/yes",
            "reader", volumeMounts=[mount("data", "/in", readOnly=True), mount("seen", "/seen")])),
        spec={"volumes": empty("data", "seen")},
        logs={"writer": "written\n", "reader": "shared\nread-only\n"},
    ),
    Kind(
        "config-volumes",
        (sh(_FILES, volumeMounts=[
            mount("cm", "/cm", readOnly=True), mount("secret", "/secret", readOnly=True),
            mount("whole", "/one/only", subPath="k2"), mount("nested", "/cm-sub"), mount("tmp", "/scratch"),
            mount("memory", "/memory"),
        ]),),
        spec={"volumes": [
            {"name": "cm", "configMap": {"name": "cm1", "defaultMode": 0o440, "items": [
                {"key": "app.conf", "path": "app.conf", "mode": 0o400}]}},
            {"name": "nested", "configMap": {"name": "cm1", "defaultMode": 0o644, "items": [
                {"key": "k2", "path": "nested/k2"}]}},
            {"name": "whole", "configMap": {"name": "cm1", "defaultMode": 0o644}},
            {"name": "secret", "secret": {"secretName": "s1", "defaultMode": 0o400}},
            *empty("tmp"), {"name": "memory", "emptyDir": {"medium": "Memory"}},
        ]},
        sent={"configmaps": [config_map("cm1", **{"app.conf": "[a]\nb = 1\n", "k2": "v2"})],
              "secrets": [secret("s1", user="al ice", password="x")]},
        logs={"main": "[a]\nb = 1\n-r--------\napp.conf\nal ice\nv2\n-r--------\nrefused\nv2"},
    ),
    Kind(
        "memory-limit", (sh("echo begins; tail /dev/zero; echo never", **_limited("100Mi")),),
        codes={"main": 137}, reasons={"main": "OOMKilled"}, logs={"main": "begins\n"},
    ),
    Kind("small-limit", (sh("echo fits", **_limited("24Mi")),), logs={"main": "fits\n"}),
    Kind(
        "init-container", (sh("cat /repo/readme", volumeMounts=[mount("repo", "/repo")]),),
        init=(sh("echo cloned > /repo/readme; echo done", "clone", volumeMounts=[mount("repo", "/repo")]),),
        spec={"volumes": empty("repo")}, logs={"clone": "done\n", "main": "cloned\n"},
    ),
    Kind(
        "init-in-order", (sh("cat /v/steps", volumeMounts=[mount("v", "/v")]),),
        init=tuple(
            sh(f"echo {n} >> /v/steps; echo init {n}; sleep 0.3", f"step-{n}", volumeMounts=[mount("v", "/v")])
            for n in (1, 2, 3)
        ),
        spec={"volumes": empty("v")},
        logs={"step-1": "init 1\n", "step-2": "init 2\n", "step-3": "init 3\n", "main": "1\n2\n3\n"},
    ),
    Kind(
        "failing-init", (sh("echo never"),), init=(sh("echo tries; exit 3", "fails"), sh("echo never", "later")),
        codes={"fails": 3, "later": 128, "main": 128}, logs={"fails": "tries\n", "main": ""},
    ),
    Kind(
        "image-defaults",
        (container("says", image=SPOKEN), container("told", image=SPOKEN, args=["by", "$(WHO)"], env=env(WHO="me")),
         container("other", image=SPOKEN, command=["sh", "-c", "echo $FROM_IMAGE $0"], args=["arg"]),
         container("shell", image=BUSYBOX)),
        logs={"says": "from the entrypoint and the command\n", "told": "from the entrypoint by me\n",
              "other": "yes arg\n", "shell": ""},
    ),
    Kind(
        "exit-code", (sh("echo fails; echo why >&2; exit 42"),), codes={"main": 42}, reasons={"main": "Error"},
        logs={"main": "fails\nwhy\n"},
    ),
    Kind("no-such-command", (container(image=BUSYBOX, command=["no-such-command"], args=["--flag"]),),
         codes={"main": 255}, reasons={"main": "ContainerCannotRun"}),
    Kind("no-such-image", (container(image="none.sif", command=["true"]),), codes={"main": 128},
         reasons={"main": "ErrImagePull"}),
    Kind("signal", (sh("kill -9 $$$$"),), codes={"main": 137}),
    Kind(
        "one-of-three", (sh("sleep 1; echo a", "good"), sh("echo b; exit 1", "bad"), sh("sleep 2; echo c", "last")),
        codes={"bad": 1}, logs={"good": "a\n", "bad": "b\n", "last": "c\n"},
    ),
    Kind(
        "always-runs-once", (sh("echo once"),), spec={"restartPolicy": "Always"}, logs={"main": "once\n"},
    ),
    Kind(
        "restarted", (sh("echo try >> /v/tries; wc -l < /v/tries; test $(wc -l < /v/tries) -ge 2",
                         volumeMounts=[mount("v", "/v")]),),
        spec={"restartPolicy": "OnFailure", "volumes": empty("v")}, logs={"main": "2\n"}, restarts={"main": 1},
    ),
    Kind(
        "start-hook",
        (sh("until test -e /marker; do sleep 0.1; done; sleep 0.5; cat /marker; echo over",
            lifecycle={"postStart": {"exec": {"command": [
                "sh", "-c", "echo the hook runs; echo $OWN; echo hooked > /marker", "x"]}}},
            env=env(OWN="with the variables of its container")),),
        logs={"main": "the hook runs\nwith the variables of its container\nhooked\nover\n"},
    ),
    Kind("failing-start-hook", (sh("sleep 60", lifecycle={"postStart": {"exec": {"command": ["false"]}}}),),
         spec={"terminationGracePeriodSeconds": 2}, codes={"main": 143}, reasons={"main": "Unhealthy"}),
    Kind(
        "unhealthy",
        (sh("touch /tmp/alive; sleep 2; rm /tmp/alive; echo ill; sleep 300",
            livenessProbe=once({"exec": {"command": ["test", "-e", "/tmp/alive"]}}, periodSeconds=1,
                               failureThreshold=2)),),
        spec={"terminationGracePeriodSeconds": 2}, codes={"main": 143}, reasons={"main": "Unhealthy"},
        logs={"main": "ill\n"},
    ),
    Kind(
        "projected", (sh(_PROJECTED, volumeMounts=[mount("p", "/p", readOnly=True)]),),
        spec={"volumes": [{"name": "p", "projected": {"defaultMode": 0o644, "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"configMap": {"name": "cm", "items": [{"key": "k", "path": "etc/app.conf"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {
                "apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        ]}}]},
        sent={"projectedvolumesmaps": [config_map(
            "p", **{"token": TOKEN, "ca.crt": CA, "etc/app.conf": "x: |\n  y\n\n  z\n", "namespace": "t"})]},
        logs={"main": f"x: |\n  y\n\n  z\n--\n{TOKEN}--\n{CA}--\nt\n-rw-r--r--\n"},
    ),
    Kind(
        "deadline", (sh("echo begins; exec sleep 300"),),
        spec={"activeDeadlineSeconds": 2, "terminationGracePeriodSeconds": 1},
        codes={"main": 143}, reasons={"main": "DeadlineExceeded"}, logs={"main": "begins\n"},
    ),
    Kind("flags", (sh("echo $SLURM_JOB_PARTITION; nproc >/dev/null"),),
         annotations={"slurm-job.vk.io/flags": "--time=00:05:00 --ntasks=1"}, logs={"main": "\n"}),
)  # fmt: skip


REFUSED: tuple[tuple[Kind, str], ...] = (
    (Kind("root-of-node", (sh("ls /host", volumeMounts=[mount("h", "/host")]),),
          spec={"volumes": [{"name": "h", "hostPath": {"path": "/", "type": ""}}]}), "hostPath"),
    (Kind("path-of-node", (sh("ls /host", volumeMounts=[mount("h", "/host")]),),
          spec={"volumes": [{"name": "h", "hostPath": {"path": "/home", "type": "Directory"}}]}), "hostPath"),
    (Kind("privileged", (sh("id", securityContext={"privileged": True}),)), "privileged"),
    (Kind("out-of-volume", (sh("ls /v", volumeMounts=[mount("v", "/v", subPath="../../x")]),),
          spec={"volumes": empty("v")}), "subPath"),
    (Kind("other-namespaces", (sh("id"),), spec={"hostPID": True}), "hostPID"),
    (Kind("claim", (sh("ls /v", volumeMounts=[mount("v", "/v")]),),
          spec={"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}), "persistentVolumeClaim"),
    (Kind("unknown-flag", (sh("id"),), annotations={"slurm-job.vk.io/flags": "--wrap=id"}), "--wrap"),
)  # fmt: skip
"""Pods that must fail at once, with what has to be named."""
