"""The supervisor with a container engine: what holds for plain processes holds for containers, and theirs alone."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from isthmus.work.job import Check, Container, File, JobSpec, Launch, Mount, Probe, Resources, Restart, Volume

from . import images
from .tasks import Supervised

pytestmark = pytest.mark.engine


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    client = images.engine()
    yield client
    client.close()


@pytest.fixture(scope="session")
def image(client: docker.DockerClient) -> str:
    return images.busybox(client)


@dataclass
class Bench:
    """Makes containers and tasks of them; each submission has an id of its own."""

    folder: Path
    image: str
    client: docker.DockerClient
    tasks: list[Supervised]
    id: str

    def sh(self, script: str, name: str = "main", **more: Any) -> Container:
        return Container(name, image=self.image, command=("sh", "-c", script), **more)

    def task(
        self, *containers: Container, folder: str = "s", runtime: dict[str, Any] | None = None, **spec: Any
    ) -> Supervised:
        options = {"kind": "engine", "socket": images.socket_path(), **(runtime or {})}
        task = Supervised(self.folder / folder, JobSpec(containers, **spec), id=self.id, **options)
        self.tasks.append(task)
        return task

    @property
    def containers(self) -> list[Any]:
        return images.labelled(self.client, self.id)


@pytest.fixture
def bench(tmp_path: Path, image: str, client: docker.DockerClient) -> Iterator[Bench]:
    bench = Bench(tmp_path, image, client, [], secrets.token_hex(6) + "-1")
    yield bench
    for task in bench.tasks:
        task.stop()
    for container in bench.containers:
        container.remove(force=True)


def test_containers_run_in_the_sandbox_and_leave_nothing(bench: Bench):
    task = bench.task(bench.sh("cat made; pwd; echo err >&2; exit 3"), init=(bench.sh("echo by init > made", "init"),))

    assert task.run() == 3
    assert task.log(stream="stdout") == "by init\n/work\n"
    assert task.log(stream="stderr") == "err\n"
    assert [(c["name"], c["exit_code"]) for c in task.status["containers"]] == [("init", 0), ("main", 3)]
    assert bench.containers == []


def test_variables_are_the_given_ones_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OF_THE_NODE", "yes")
    value = "x'\"\n$(id) `id`"
    env = {"A": value, "my.name": "dots"}
    task = bench.task(Container("main", image=bench.image, command=("env",), env=env, secrets={"S": "s3cret"}))

    assert task.run() == 0
    for line in (f"A={value}", "my.name=dots", "S=s3cret", "ISTHMUS_TASK=0"):
        assert line + "\n" in task.log()
    assert "OF_THE_NODE" not in task.log()


def test_large_output_arrives_whole(bench: Bench):
    data = os.urandom(5_000_000)
    task = bench.task(bench.sh("cat data; cat data >&2"))
    (task.folder / "work").mkdir()
    (task.folder / "work" / "data").write_bytes(data)

    assert task.run() == 0
    from .tasks import read_log

    log = task.place / "log" / "main.0.log"
    assert read_log(log, "stdout") == data
    assert read_log(log, "stderr") == data


def test_volumes_are_mounted_with_sub_paths_and_read_only(bench: Bench, tmp_path: Path):
    content = base64.b64encode(b"of a map\n").decode()
    host = tmp_path / "host"
    host.mkdir()
    (host / "file").write_text("of the node\n")
    volumes = (Volume("map", files=(File("a/b", content),)), Volume("empty"), Volume("fast", in_memory=True),
               Volume("host", host_path=str(host), host_path_type="Directory"))  # fmt: skip
    mounts = (Mount("map", "/map", read_only=True), Mount("map", "/one", sub_path="a/b"), Mount("empty", "/e"),
              Mount("empty", "/sub", sub_path="x/y"), Mount("fast", "/fast"), Mount("host", "/host", "", True))  # fmt: skip  # noqa: E501
    script = "cat /map/a/b /one /host/file; echo kept > /sub/f; cat /e/x/y/f; echo m > /fast/m; cat /fast/m;"
    script += "touch /map/z || echo refused; touch /host/z || echo refused"
    task = bench.task(bench.sh(script, mounts=mounts), volumes=volumes, runtime={"host_paths": [str(tmp_path)]})

    assert task.run() == 0, task.status
    assert task.log(stream="stdout").splitlines() == [
        "of a map",
        "of a map",
        "of the node",
        "kept",
        "m",
        "refused",
        "refused",
    ]
    assert not (task.place / "volumes").exists()


@pytest.mark.parametrize(
    ("volume", "mount", "words"),
    [
        (Volume("v", host_path="/"), Mount("v", "/v"), "does not allow '/'"),
        (Volume("v", host_path="/etc"), Mount("v", "/v"), "does not allow '/etc'"),
        (Volume("v", host_path="/tmp/../etc"), Mount("v", "/v"), "'..'"),
        (Volume("v"), Mount("v", "/v", sub_path="../../x"), "sub_path"),
        (Volume("v"), Mount("v", "v"), "not absolute"),
        (Volume("v"), Mount("w", "/w"), "no volume 'w'"),
    ],
)
def test_what_may_not_be_mounted_is_refused_by_name(bench: Bench, volume: Volume, mount: Mount, words: str):
    task = bench.task(bench.sh("true", mounts=(mount,)), volumes=(volume,), runtime={"host_paths": ["/tmp"]})

    assert task.run() == 128
    assert (task.status["reason"], words in task.status["words"]) == ("StartError", True), task.status


def test_a_link_in_a_volume_does_not_lead_out_of_it(bench: Bench):
    task = bench.task(
        bench.sh("true", mounts=(Mount("v", "/v", sub_path="link/passwd"),)),
        init=(bench.sh("ln -s /etc /v/link", "init", mounts=(Mount("v", "/v"),)),),
        volumes=(Volume("v"),),
    )

    assert task.run() == 128
    assert "leads out of volume v" in task.status["words"]


SWAP = "while :; do rmdir /v/x; ln -s /etc /v/x; rm -f /v/x; mkdir /v/x; done 2>/dev/null"


def test_nor_does_one_that_is_put_there_while_it_is_followed(bench: Bench):
    inside = (Mount("v", "/v", sub_path="x"),)
    script = "test -e /v/passwd && echo escaped; sleep 0.1"
    readers = [bench.sh(script, f"r{n}", mounts=inside, sandbox=False) for n in range(10)]
    swapper = bench.sh(SWAP, "swapper", mounts=(Mount("v", "/v"),), sandbox=False)
    task = bench.task(swapper, *readers, volumes=(Volume("v"),), resources=Resources(time=8), grace=0)

    task.run()
    assert not [r.name for r in readers if "escaped" in task.log(r.name)]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("nowhere.invalid/none:1", "nowhere.invalid"),
        ("/a.sif", "takes images by name"),
        ("oci-archive:///a.tar", "takes images by name"),
        ("docker-archive:/a.tar", "takes images by name"),
        ("./a.sif", "takes images by name"),
    ],
)
def test_an_image_that_cannot_be_had_is_told_in_the_engine_s_words(bench: Bench, image: str, words: str):
    task = bench.task(Container("main", image=image, command=("true",)))

    assert task.run() == 128
    assert (task.status["reason"], words in task.status["words"]) == ("ImageUnavailable", True), task.status


def test_a_program_that_the_image_has_not(bench: Bench):
    task = bench.task(Container("main", image=bench.image, command=("/nope",)))

    assert task.run() != 0
    assert task.status["reason"] == "StartError"
    assert "/nope" in task.status["words"]


@pytest.mark.parametrize(
    ("container", "spec", "words"),
    [
        ({"runtime_options": ("--privileged",)}, {}, "runtime_options"),
        ({"group": 5}, {}, "group"),
        ({}, {"resources": Resources(tasks=2), "launch": Launch.EACH}, "launch"),
    ],
)
def test_what_an_engine_cannot_do_is_refused_by_name(bench: Bench, container: Any, spec: Any, words: str):
    task = bench.task(bench.sh("true", **container), **spec)

    assert task.run() == 128
    assert words in task.status["words"]


def test_containers_of_a_task_share_one_network(bench: Bench):
    task = bench.task(
        bench.sh("nc -l -p 8080 -e echo hallo", "a"),
        bench.sh("for i in $(seq 600); do nc 127.0.0.1 8080 && break; sleep 0.1; done", "b"),
        bench.sh("ls -l /proc/self/ns/net", "c"),
    )

    assert task.run() == 0
    assert task.log("b", stream="stdout") == "hallo\n"


def test_one_that_is_started_again_comes_back_to_the_network_of_the_others(bench: Bench):
    task = bench.task(
        bench.sh("test -e second && exec nc -l -p 8080 -e echo hallo; touch second; exit 1", "a"),
        bench.sh("for i in $(seq 600); do nc 127.0.0.1 8080 && exit 0; sleep 0.1; done; exit 1", "b"),
        restart=Restart.ON_FAILURE,
    )

    assert task.run() == 0
    assert task.container("a")["restarts"] == 1


def test_memory_is_limited_by_the_engine(bench: Bench):
    hog = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ${#x}"
    task = bench.task(bench.sh(hog, memory=30_000_000))

    assert task.run() == 137
    assert task.status["reason"] == "OutOfMemory"


def test_use_is_recorded(bench: Bench):
    script = "x=$(head -c 50000000 /dev/zero | tr '\\0' x); end=$(($(date +%s) + 5));"
    script += "while [ $(date +%s) -lt $end ]; do :; done"
    task = bench.task(bench.sh(script))

    assert task.run() == 0
    assert task.status["peak_memory"] > 40_000_000
    assert task.status["cpu_seconds"] > 0.2


def test_probes_and_hooks_run_inside(bench: Bench):
    ready = Probe(Check(command=("test", "-e", "/tmp/healthy")), period=0.2, timeout=60)
    http = Probe(Check(http="http://localhost:8080/index.html"), period=0.2, timeout=60)
    task = bench.task(
        bench.sh("touch /tmp/healthy; trap 'exit 0' TERM; while :; do sleep 0.1; done", "exec", readiness=ready,
                 pre_stop=Check(command=("touch", "/work/hooked"))),
        bench.sh("trap 'exit 0' TERM; echo x > index.html; httpd -p 8080; while :; do sleep 0.1; done", "http",
                 readiness=http),
        bench.sh("trap 'exit 1' TERM; while :; do sleep 0.1; done", "dead",
                 liveness=Probe(Check(command=("false",)), period=0.1, failures=2)),
        grace=20,
    )  # fmt: skip
    task.start()
    task.until(lambda: task.container("exec")["ready"] and task.container("http")["ready"])
    task.until(lambda: task.container("dead")["phase"] == "terminated")
    task.signal(signal.SIGTERM)
    task.wait()

    assert (task.status["state"], task.container("dead")["reason"]) == ("cancelled", "Unhealthy")
    assert task.container("exec")["exit_code"] == 0
    assert (task.folder / "work" / "hooked").exists()


def test_a_hook_after_the_start_may_take_its_time_and_is_heard(bench: Bench):
    hook = Check(command=("sh", "-c", "sleep 0.3; echo hooked; touch /work/hooked"))
    task = bench.task(bench.sh("until test -e /work/hooked; do sleep 0.05; done", post_start=hook))

    assert task.run() == 0
    assert "hooked" in task.log("main")


def test_who_does_not_end_in_the_time_of_grace_is_killed(bench: Bench):
    task = bench.task(
        bench.sh("touch begun; sleep 300"), grace=0.5
    )  # the first process hears no signal it does not catch
    task.start()
    task.until((task.folder / "work" / "begun").exists)
    asked = time.monotonic()
    task.signal(signal.SIGTERM)

    assert task.wait() == 137
    assert time.monotonic() - asked < 60
    assert bench.containers == []


def _inner(task: Supervised) -> int:
    assert task.process is not None
    return int(Path(f"/proc/{task.process.pid}/task/{task.process.pid}/children").read_text().split()[0])


KILLS: dict[str, Callable[[Supervised], list[int]]] = {
    "guard": lambda task: [task.process.pid] if task.process else [],
    "worker": lambda task: [_inner(task)],
}


@pytest.mark.parametrize("who", KILLS)
def test_containers_do_not_survive_a_supervisor_that_is_killed(bench: Bench, who: str):
    task = bench.task(bench.sh("touch begun; sleep 300"))
    task.start()
    task.until((task.folder / "work" / "begun").exists)
    for pid in KILLS[who](task):
        os.kill(pid, signal.SIGKILL)
    task.wait()

    task.until(lambda: bench.containers == [])
    task.until(lambda: task.status["reason"] == "Lost")


def test_what_a_dead_supervisor_left_is_removed_by_the_next(bench: Bench):
    task = bench.task(bench.sh("touch begun; test -e again || sleep 300"))
    task.start()
    task.until((task.folder / "work" / "begun").exists)
    inner = _inner(task)
    assert task.process is not None
    os.kill(task.process.pid, signal.SIGSTOP)  # so that neither can clear up after the other
    os.kill(inner, signal.SIGKILL)
    task.stop()
    left = [c.id for c in bench.containers]
    assert left
    (task.folder / "work" / "again").touch()

    assert task.run() == 0
    assert task.status["attempt"] == 1
    assert bench.containers == []
