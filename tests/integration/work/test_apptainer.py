"""The supervisor with Apptainer, as it is on a node of a cluster: by a normal user, without any right beyond his.

It runs inside a container that has Apptainer and lets it make namespaces; see ``images`` for how that is made.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from isthmus.work.job import Check, Container, File, JobSpec, Launch, Mount, Probe, Resources, Volume

from . import images
from .tasks import SOURCES, Supervised, read_log

pytestmark = pytest.mark.engine
SIF = "/img/busybox.sif"
FOLDER = "/img/busybox"
_MAKE = f"""
set -e
chmod 666 /dev/fuse
mkdir -p {FOLDER}/bin && cd {FOLDER} && mkdir -p tmp proc sys dev etc work var home
cp /bin/busybox bin/
for n in $(bin/busybox --list); do test $n = busybox || ln -s busybox bin/$n; done
chmod -R a+rX /img
apptainer build {SIF} {FOLDER}
"""


@dataclass
class Node:
    """A container that stands for a node; ``run`` is what its batch system does."""

    container: Any
    folder: Path

    def shell(self, script: str, user: str = "root") -> str:
        code, output = self.container.exec_run(["sh", "-c", script], user=user)
        assert code == 0, output.decode()
        return str(output.decode())

    def task(self, *containers: Container, runtime: dict[str, Any] | None = None, **spec: Any) -> Supervised:
        folder = self.folder / secrets.token_hex(4)
        task = Supervised(folder, JobSpec(containers, **spec), **{"kind": "apptainer", **(runtime or {})})
        self.shell(f"chown -R alice {folder}")
        return task

    def run(self, task: Supervised, detach: bool = False, **env: str) -> int:
        command = ["python3", "-m", "isthmus.work.runner", *task.command[3:]]
        done = self.container.exec_run(
            command, user="alice", environment={"PYTHONPATH": "/sources", "HOME": "/home/alice", **env}, detach=detach
        )
        return -1 if detach else int(done[0])


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    client = images.engine()
    try:
        image = images.apptainer(client)
        folder = tmp_path_factory.mktemp("node")
        folder.chmod(0o777)
        host = client.api.create_host_config(
            security_opt=["seccomp=unconfined"],
            devices=["/dev/fuse"],
            tmpfs={"/tmp": "exec,mode=1777"},
            binds=[f"{SOURCES}:/sources:ro", f"{folder}:{folder}"],
            init=True,
        )
        host |= {"MaskedPaths": [], "ReadonlyPaths": []}
        made = client.api.create_container(image, ["sleep", "infinity"], host_config=host, labels=["isthmus-test"])
        container = client.containers.get(made["Id"])
        try:
            container.start()
            node = Node(container, folder)
            node.shell(_MAKE)
            code, output = container.exec_run(["apptainer", "exec", "--contain", "--pid", SIF, "true"], user="alice")
            if code:
                pytest.skip(f"Apptainer does not run in a container here: {output.decode()}")
            yield node
        finally:
            container.remove(force=True)
    finally:
        client.close()


def sh(script: str, name: str = "main", image: str = SIF, **more: Any) -> Container:
    return Container(name, image=image, command=("sh", "-c", script), **more)


def all_arguments() -> Iterator[bytes]:
    """Those of all processes of this machine, the ones in containers included."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


@pytest.mark.parametrize("image", [SIF, FOLDER])
def test_containers_run_in_the_sandbox(node: Node, image: str):
    task = node.task(
        sh("cat made; pwd; id -u; echo err >&2; exit 3", image=image),
        init=(sh("echo by init > made", "init", image=image),),
    )

    assert node.run(task) == 3, task.status
    assert task.log(stream="stdout") == "by init\n/work\n1000\n"
    assert task.log(stream="stderr") == "err\n"
    assert [(c["name"], c["exit_code"]) for c in task.status["containers"]] == [("init", 0), ("main", 3)]


def test_an_archive_is_made_an_image_once_for_all_tasks(node: Node):
    archive = f"docker-archive:{node.folder}/busybox.tar"
    client = images.engine()
    with (node.folder / "busybox.tar").open("wb") as file:
        for part in client.images.get(images.busybox(client)).save(named=True):
            file.write(part)
    client.close()
    task = node.task(sh("echo from an archive", image=archive), sh("echo and again", "other", image=archive))

    assert node.run(task) == 0, task.status
    assert (task.log(), task.log("other")) == ("from an archive\n", "and again\n")
    assert len(list((task.folder / "images").glob("*.sif"))) == 1


def as_oci(archive: Path, saved: Path) -> None:
    """An OCI archive (image layout 1.0.0) of what `docker save` made."""
    with tarfile.open(saved) as old, tarfile.open(archive, "w") as new:

        def add(name: str, data: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))

        def blob(kind: str, data: bytes) -> dict[str, object]:
            digest = hashlib.sha256(data).hexdigest()
            add(f"blobs/sha256/{digest}", data)
            return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

        def read(name: str) -> bytes:
            file = old.extractfile(name)
            assert file is not None
            return file.read()

        for folder in ("blobs", "blobs/sha256"):  # Apptainer makes none by itself
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            new.addfile(member)
        [known] = json.loads(read("manifest.json"))
        layers = [blob("layer.v1.tar", read(name)) for name in known["Layers"]]
        manifest = {"schemaVersion": 2, "config": blob("config.v1+json", read(known["Config"])), "layers": layers}
        index = {"schemaVersion": 2, "manifests": [blob("manifest.v1+json", json.dumps(manifest).encode())]}
        add("index.json", json.dumps(index).encode())
        add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


def test_images_may_be_oci_archives_and_come_with_the_job(node: Node):
    client = images.engine()
    with (node.folder / "saved.tar").open("wb") as file:
        for part in client.images.get(images.busybox(client)).save(named=True):
            file.write(part)
    client.close()
    task = node.task(
        sh("echo a SIF", image="./in/my.sif"), sh("echo an OCI archive", "other", image="oci-archive:./my.tar")
    )
    node.shell(f"mkdir -p {task.folder}/work/in; cp {SIF} {task.folder}/work/in/my.sif; chmod 777 {task.folder}/work")
    as_oci(task.folder / "work" / "my.tar", node.folder / "saved.tar")
    node.shell(f"chown -R alice {task.folder}")

    assert node.run(task) == 0, task.status
    assert (task.log(), task.log("other")) == ("a SIF\n", "an OCI archive\n")


def test_variables_are_the_given_ones_alone_and_in_no_argument(node: Node):
    value = "x'\"\r\n$(id) `id` \\ ${HOME}"
    env = {"A": value, "with.dots-and": "dashes $(id)", "PATH": "/bin:/x"}
    given: dict[str, Any] = {"env": env, "secrets": {"TOKEN": "s3cret-in-no-argument"}}
    waits = sh("touch begun; until test -e go; do sleep 0.05; done", "waits", **given)
    task = node.task(Container("main", image=SIF, command=("env",), **given), waits)

    node.run(task, detach=True, OF_THE_NODE="yes", APPTAINERENV_SLIPPED="in")
    task.until((task.folder / "work" / "begun").exists)
    assert not any(b"s3cret-in" in arguments for arguments in all_arguments())
    (task.folder / "work" / "go").touch()
    task.until(lambda: task.status["ended"])
    seen = task.log()
    for line in (f"A={value}", "with.dots-and=dashes $(id)", "TOKEN=s3cret-in-no-argument", "ISTHMUS_TASK=0"):
        assert f"\n{line}\n" in f"\n{seen}"
    assert "PATH=/bin:/x" in seen
    assert "OF_THE_NODE" not in seen
    assert "SLIPPED" not in seen
    assert "s3cret" not in json.dumps(task.status)


def test_the_node_is_out_of_sight(node: Node):
    node.shell("touch /home/alice/private /tmp/private", "alice")
    task = node.task(sh("ls /home/alice /tmp; touch /new; ls /new; ls /proc | grep -c '^[0-9]'"))

    assert node.run(task) == 0
    assert "private" not in task.log()
    assert "/new" in task.log()
    assert int(task.log().split()[-1]) < 10


def test_volumes_are_mounted_with_sub_paths_and_read_only(node: Node):
    content = base64.b64encode(b"of a map\n").decode()
    volumes = (Volume("map", files=(File("a/b", content),)), Volume("empty"), Volume("fast", in_memory=True),
               Volume("host", host_path="/img", host_path_type="Directory"))  # fmt: skip
    mounts = (Mount("map", "/map", read_only=True), Mount("map", "/one", sub_path="a/b"), Mount("empty", "/e"),
              Mount("empty", "/sub", sub_path="x/y"), Mount("fast", "/fast"), Mount("host", "/host", "", True))  # fmt: skip  # noqa: E501
    script = (
        "cat /map/a/b /one; ls /host; echo kept > /sub/f; cat /e/x/y/f; echo m > /fast/m; cat /fast/m;"
        "touch /map/z || echo refused; touch /host/z || echo refused"
    )
    task = node.task(sh(script, mounts=mounts), volumes=volumes, runtime={"host_paths": ["/img"]})

    assert node.run(task) == 0, task.status
    assert task.log(stream="stdout").splitlines() == ["of a map", "of a map", "busybox", "busybox.sif", "kept", "m", "refused", "refused"]  # fmt: skip  # noqa: E501
    assert not (task.place / "volumes").exists()


@pytest.mark.parametrize(
    ("container", "reason", "words"),
    [
        (sh("true", image="/no/such.sif"), "ImageUnavailable", "/no/such.sif"),
        (sh("true", image="./no.sif"), "ImageUnavailable", "work/no.sif"),
        (sh("true", image="./../order.json"), "ImageUnavailable", "not below"),
        (sh("true", image="oci:./a/../../.."), "ImageUnavailable", "not below"),
        (sh("true", image="docker://nowhere.invalid/x"), "ImageUnavailable", "nowhere.invalid"),
        (sh("true", image="nowhere.invalid/x:1"), "ImageUnavailable", "nowhere.invalid"),
        (sh("true", image="/etc/passwd"), "ImageUnavailable", "image"),
        (Container("main", image=SIF, command=("/nope",)), "StartError", "/nope"),
        (sh("true", mounts=(Mount("v", "/a:b"),)), "StartError", "'/a:b'"),
        (sh("true", mounts=(Mount("v", "/a,b"),)), "StartError", "'/a,b'"),
        (sh("true", mounts=(Mount("v", "/a", sub_path="../x"),)), "StartError", "sub_path"),
        (sh("true", user=0), "StartError", "user"),
        (sh("true", runtime_options=("--bind=/:/host",)), "StartError", "'--bind=/:/host'"),
    ],
)
def test_what_cannot_be_started_says_why(node: Node, container: Container, reason: str, words: str):
    task = node.task(container, volumes=(Volume("v"),))

    assert node.run(task) != 0
    assert (task.status["state"], task.status["reason"]) == ("failed", reason), task.status
    assert words in task.container()["message"]


def test_options_that_the_site_allows_are_taken(node: Node):
    task = node.task(sh("hostname", runtime_options=("--uts", "--hostname=chosen")), runtime={"allowed_options": ["--uts", "--hostname"]})  # fmt: skip  # noqa: E501

    assert node.run(task) == 0, task.status
    assert task.log() == "chosen\n"


def test_a_program_that_ends_with_the_code_of_apptainer_s_own_failures(node: Node):
    task = node.task(sh("exit 255"))

    assert node.run(task) == 255
    assert task.status["reason"] == "Error"


def test_probes_see_what_the_container_has_in_its_tmp_and_stopping_is_heard_once(node: Node):
    script = "touch /tmp/healthy; trap 'echo asked' TERM; while :; do sleep 0.1; done"
    ready = Probe(Check(command=("test", "-e", "/tmp/healthy")), period=0.3, timeout=60)
    task = node.task(sh(script, readiness=ready), grace=2)
    node.run(task, detach=True)
    task.until(lambda: task.container()["ready"])
    (task.place / "cancel").touch()
    task.until(lambda: task.status["ended"])

    assert (task.status["state"], task.container()["exit_code"]) == ("cancelled", 137)
    assert task.log(stream="stdout") == "asked\n"
    assert "healthy" not in node.shell("ps -eo args")


def test_probes_and_hooks_run_in_the_container_itself(node: Node):
    script = "echo $$ > /its-own; until test -e /seen; do sleep 0.1; done; echo over"
    hook = Check(command=("sh", "-c", "until test -e /its-own; do sleep 0.1; done; echo hooked $A; test -d /proc/$(cat /its-own)"))  # fmt: skip  # noqa: E501
    ready = Probe(
        Check(command=("sh", "-c", "test -e /its-own && touch /seen && echo unheard")), period=0.3, timeout=60
    )
    task = node.task(sh(script, readiness=ready, post_start=hook, secrets={"A": "with its variables"}))

    assert node.run(task) == 0, task.status
    assert task.log(stream="stdout") == "hooked with its variables\nover\n"


def test_a_small_limit_binds_the_program_and_not_the_runtime(node: Node):
    task = node.task(sh("sleep 1.5; echo fits", memory=16 * 1024**2))

    assert node.run(task) == 0, task.status
    assert task.log() == "fits\n"


def test_nothing_survives_a_supervisor_that_is_killed(node: Node):
    task = node.task(sh("touch begun; sleep 4321"))
    node.run(task, detach=True)
    task.until((task.folder / "work" / "begun").exists)
    node.shell("kill -9 $(ps -eo pid,ppid,args | awk '/[i]sthmus.work.runner/ {print $1; exit}')")
    task.until(lambda: "4321" not in node.shell("ps -eo args"))
    task.until(lambda: task.status["reason"] == "Lost")


def test_memory_of_what_is_in_the_container_is_watched(node: Node):
    task = node.task(sh("x=$(head -c 100000000 /dev/zero | tr '\\0' x); sleep 300", memory=50_000_000))

    assert node.run(task) == 137
    assert task.status["reason"] == "OutOfMemory"


def test_ranks_see_what_their_launcher_tells_them(node: Node):
    launcher = ["sh", "-c", 'for r in 0 1; do PMI_RANK=$r "$@"; done', "-"]
    spec = {"resources": Resources(tasks=2), "launch": Launch.EACH}
    task = node.task(
        sh("echo $PMI_RANK $A; env | grep -c OF_THE_NODE", env={"A": "b"}), runtime={"launcher": launcher}, **spec
    )

    node.run(task, OF_THE_NODE="yes")
    assert task.log(stream="stdout") == "0 b\n0\n1 b\n0\n"


def test_large_output_arrives_whole(node: Node):
    task = node.task(sh("head -c 20000000 /dev/urandom | tee data"))

    assert node.run(task) == 0
    assert read_log(task.place / "log" / "main.0.log") == (task.folder / "work" / "data").read_bytes()
