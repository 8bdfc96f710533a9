"""How the supervisor ends what it started: asked, out of time, out of memory, unhealthy, killed itself."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isthmus.work.job import Check, File, JobSpec, Probe, Resources, Restart, Volume

from .tasks import Supervised, alive, sh, supervised

OBEDIENT = "trap 'echo asked; exit 0' TERM; touch begun; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; touch begun; while :; do sleep 0.05; done"


def begin(task: Supervised) -> None:
    task.start()
    task.until((task.folder / "work" / "begun").exists)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_the_containers_to_end(tmp_path: Path, number: int):
    with supervised(tmp_path, JobSpec((sh(OBEDIENT),))) as task:
        begin(task)
        task.signal(number)

        assert task.wait() == 1
    assert (task.status["state"], task.status["reason"]) == ("cancelled", "Cancelled")
    assert (task.container()["exit_code"], task.container()["reason"]) == (0, "Cancelled")
    assert task.log(stream="stdout") == "asked\n"


def test_so_does_the_file_cancel(tmp_path: Path):
    with supervised(tmp_path, JobSpec((sh(OBEDIENT),))) as task:
        begin(task)
        (task.place / "cancel").touch()

        assert task.wait() == 1
    assert task.status["state"] == "cancelled"


def test_a_task_that_was_cancelled_before_it_began_starts_nothing(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("touch ran"),)))
    task.place.mkdir(parents=True)
    (task.place / "cancel").touch()

    assert task.run() != 0
    assert (task.status["state"], task.container()["phase"]) == ("cancelled", "terminated")
    assert not (tmp_path / "work" / "ran").exists()


def test_who_does_not_end_in_the_time_of_grace_is_killed(tmp_path: Path):
    with supervised(tmp_path, JobSpec((sh(STUBBORN),), grace=0.5)) as task:
        begin(task)
        asked = time.monotonic()
        task.signal(signal.SIGTERM)

        assert task.wait() == 137
    assert 0.5 <= time.monotonic() - asked < 20  # by itself it would not end
    assert task.container()["signal"] == 9


def test_the_file_cancel_can_say_how_much_grace_there_is(tmp_path: Path):
    with supervised(tmp_path, JobSpec((sh(STUBBORN),), grace=300)) as task:
        begin(task)
        task.signal(signal.SIGTERM)
        (task.place / "cancel").write_text("0.2")

        assert task.wait() == 137


def test_the_time_limit_ends_the_task_to_the_second(tmp_path: Path):
    spec = JobSpec((sh("sleep 300", "main"), sh(STUBBORN, "other")), resources=Resources(time=1), grace=0.5)
    task = Supervised(tmp_path, spec)

    assert task.run() == 143
    status = task.status
    assert (status["state"], status["reason"]) == ("failed", "TimeLimit")
    assert {c["reason"] for c in status["containers"]} == {"TimeLimit"}
    # As much later as a busy machine takes, and no minute, which is what schedulers count in.
    assert 1 <= task.container("main")["ended"] - status["started"] < 20
    assert 1.5 <= task.container("other")["ended"] - status["started"] < 20


def test_time_passes_while_init_containers_run_too(tmp_path: Path):
    task = Supervised(
        tmp_path, JobSpec((sh("touch ran"),), init=(sh("sleep 300", "init"),), resources=Resources(time=0.5))
    )

    assert task.run() == 143
    assert (task.status["reason"], task.container()["phase"]) == ("TimeLimit", "terminated")
    assert not (tmp_path / "work" / "ran").exists()


HOG = "python3 -c \"x = b'x' * 200_000_000; import time; time.sleep(300)\""


def test_a_container_over_its_memory_is_killed_and_the_peak_is_told(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh(HOG, memory=100_000_000), sh("sleep 0.1", "other"))))

    assert task.run() == 137
    assert (task.status["state"], task.status["reason"]) == ("failed", "OutOfMemory")
    assert "its limit is 100000000" in task.container()["message"]
    assert task.container("other")["exit_code"] == 0
    assert 100_000_000 < task.status["peak_memory"] < 400_000_000


@pytest.mark.parametrize(
    ("asked", "runtime", "limit"),
    [
        (Resources(memory=100_000_000), {}, 100_000_000),
        (Resources(memory=25_000_000, tasks=8, nodes=2), {}, 100_000_000),
        (Resources(memory=100_000_000, tasks=8), {"processes": 1}, 100_000_000),
    ],
)
def test_memory_that_was_asked_for_is_all_that_a_single_container_gets(
    tmp_path: Path, asked: Resources, runtime: dict[str, Any], limit: int
):
    """Where no control group sees to it, the supervisor does."""
    task = Supervised(tmp_path, JobSpec((sh(HOG),), resources=asked), **runtime)

    assert task.run() == 137
    assert (task.status["state"], task.status["reason"]) == ("failed", "OutOfMemory")
    assert f"its limit is {limit}" in task.container()["message"]


def test_a_container_that_says_less_gets_that(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh(HOG, memory=100_000_000),), resources=Resources(memory=10**10)))

    assert task.run() == 137
    assert task.status["reason"] == "OutOfMemory"


def test_a_container_before_it_gets_no_more(tmp_path: Path):
    spec = JobSpec((sh("true"),), init=(sh(HOG, "before"),), resources=Resources(memory=100_000_000))
    task = Supervised(tmp_path, spec)

    assert task.run() != 0
    assert task.container("before")["reason"] == "OutOfMemory"


@pytest.mark.parametrize(
    ("left", "cancelled", "reason"),
    [(20, False, "TimeLimit"), (4000, False, "Cancelled"), (20, True, "Cancelled"), (None, False, "Cancelled")],
)
def test_a_signal_near_the_limit_of_the_scheduler_says_that_time_is_over(
    tmp_path: Path, left: int | None, cancelled: bool, reason: str
):
    """Unless somebody has asked for the end: then the file is there before the signal."""
    with supervised(tmp_path, JobSpec((sh(OBEDIENT),), grace=10)) as task:
        task.start(**({} if left is None else {"SLURM_JOB_END_TIME": f"{time.time() + left:.0f}"}))
        task.until((task.folder / "work" / "begun").exists)
        if cancelled:
            (task.place / "cancel").touch()
        task.signal(signal.SIGTERM)

        assert task.wait() == 1
    assert (task.status["state"], task.status["reason"]) == ("failed" if left == 20 and not cancelled else "cancelled",
                                                             reason)  # fmt: skip


def test_memory_that_processes_share_counts_once(tmp_path: Path):
    share = "import os,time; x = b'x' * 100_000_000\nfor _ in range(4): os.fork() or (time.sleep(2), os._exit(0))"
    share += "\ntime.sleep(2)"
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "share.py").write_text(share)
    task = Supervised(tmp_path, JobSpec((sh("exec python3 share.py", memory=300_000_000),)))

    assert task.run() == 0


def test_a_hook_is_run_before_the_container_is_asked_to_end(tmp_path: Path):
    hook = Check(command=("sh", "-c", "echo hook >> order; touch hooked"))
    script = "trap 'echo term >> order; exit 0' TERM; touch begun; while :; do sleep 0.05; done"
    with supervised(tmp_path, JobSpec((sh(script, pre_stop=hook),))) as task:
        begin(task)
        task.signal(signal.SIGTERM)
        task.wait()
    assert (tmp_path / "work" / "order").read_text() == "hook\nterm\n"


def test_a_hook_that_does_not_end_takes_the_grace_and_no_more(tmp_path: Path):
    hook = Check(command=("sleep", "300"))
    with supervised(tmp_path, JobSpec((sh(STUBBORN, pre_stop=hook),), grace=0.5)) as task:
        begin(task)
        asked = time.monotonic()
        task.signal(signal.SIGTERM)
        assert task.wait() == 137
    assert time.monotonic() - asked < 60


def test_a_hook_after_the_start_runs_beside_the_container(tmp_path: Path):
    hook = Check(command=("touch", "hooked"))
    task = Supervised(tmp_path, JobSpec((sh("until test -e hooked; do sleep 0.02; done", post_start=hook),)))

    assert task.run() == 0


def test_a_container_whose_hook_after_the_start_fails_is_ended(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("sleep 300", post_start=Check(command=("false",))),)))

    assert task.run() == 143
    assert (task.status["reason"], task.container()["reason"]) == ("Unhealthy", "Unhealthy")
    assert "exit code 1" in task.container()["message"]


def probe(*command: str, **more: float) -> Probe:
    return Probe(Check(command=command), **{"period": 0.1, "timeout": 60, **more})  # type: ignore[arg-type]


def test_a_container_is_ready_when_its_probe_says_so_and_not_before(tmp_path: Path):
    spec = JobSpec(
        (sh("touch begun; sleep 300", readiness=probe("test", "-e", "good", failures=1)), sh("sleep 300", "other"))
    )
    with supervised(tmp_path, spec) as task:
        begin(task)
        task.until(lambda: task.container("other")["ready"])
        assert not task.container()["ready"]
        (tmp_path / "work" / "good").touch()
        task.until(lambda: task.container()["ready"])
        (tmp_path / "work" / "good").unlink()
        task.until(lambda: not task.container()["ready"])
        assert task.container()["phase"] == "running"


def test_a_container_that_is_not_alive_is_started_again_where_restarts_are_wanted(tmp_path: Path):
    script = "test -e second && exit 0; touch second; trap 'exit 7' TERM; while :; do sleep 0.05; done"
    spec = JobSpec((sh(script, liveness=probe("false", failures=2)),), restart=Restart.ON_FAILURE)
    task = Supervised(tmp_path, spec)

    assert task.run() == 0
    assert (task.container()["restarts"], task.container()["last_exit_code"]) == (1, 7)
    assert task.container()["last_reason"] == "Unhealthy"


def test_and_else_it_fails(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("sleep 300", liveness=probe("false")),)))

    assert task.run() == 143
    assert (task.status["reason"], task.container()["message"]) == (
        "Unhealthy",
        "the liveness probe failed: exit code 1",
    )


def test_other_probes_wait_for_the_one_of_the_start(tmp_path: Path):
    spec = JobSpec((sh("sleep 0.5; touch up; sleep 0.5", startup=probe("test", "-e", "up", failures=50),
                       liveness=probe("test", "-e", "up", failures=1)),))  # fmt: skip
    assert Supervised(tmp_path, spec).run() == 0


def test_a_container_that_does_not_come_up_is_ended(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("sleep 300", startup=probe("false", failures=2)),)))

    assert task.run() == 143
    assert "startup" in task.container()["message"]


def test_a_probe_that_takes_too_long_has_failed_and_leaves_nothing(tmp_path: Path):
    slow = probe("sh", "-c", "echo $$ > probe; sleep 300", timeout=3, failures=1)
    task = Supervised(tmp_path, JobSpec((sh("sleep 300", liveness=slow),)))

    assert task.run() == 143
    assert "no answer within 3 s" in task.container()["message"]
    assert not alive(int((tmp_path / "work" / "probe").read_text()))


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ok?a=b" and self.headers["X-A"] == "b" else 500)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else can take."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def test_probes_ask_over_http_and_tcp(tmp_path: Path, port: int, deaf_port: int):
    def asks(check: Check) -> Probe:
        return Probe(check, period=0.1, timeout=60, failures=1)

    good = Check(http=f"http://localhost:{port}/ok?a=b", headers=(("X-A", "b"),))
    spec = JobSpec(
        (
            sh("sleep 300", "http", readiness=asks(good)),
            sh("sleep 300", "tcp", readiness=asks(Check(tcp_port=port))),
            sh("sleep 300", "wrong", liveness=asks(Check(http=f"http://:{port}/no"))),
            sh("sleep 300", "closed", liveness=asks(Check(tcp_port=deaf_port))),
        )
    )
    with supervised(tmp_path, spec) as task:
        task.start()
        task.until(lambda: task.container("http")["ready"] and task.container("tcp")["ready"])
        task.until(lambda: task.container("wrong")["ended"] and task.container("closed")["ended"])
    assert task.container("wrong")["message"] == "the liveness probe failed: HTTP status 500"
    assert "refused" in task.container("closed")["message"]


def behind(task: Supervised) -> int:
    """The process that does the work of a supervisor."""
    assert task.process is not None
    return int(Path(f"/proc/{task.process.pid}/task/{task.process.pid}/children").read_text().split()[0])


def programs_of(task: Supervised) -> list[int]:
    return [int(p) for p in (task.folder / "work" / "pids").read_text().split()]


FAMILY = "echo $$ >> pids; sleep 300 & echo $! >> pids; setsid sh -c 'echo $$ >> pids; exec sleep 300' & until test $(wc -l < pids) = 3; do :; done; touch begun; wait"  # fmt: skip  # noqa: E501


def test_when_the_supervisor_is_killed_nothing_that_it_started_survives(tmp_path: Path):
    with supervised(tmp_path, JobSpec((sh(FAMILY),))) as task:
        begin(task)
        task.signal(signal.SIGKILL)
        task.wait()
        task.until(lambda: not any(map(alive, programs_of(task))))
        task.until(lambda: task.status["state"] == "failed")
    assert task.status["reason"] == "Lost"


def test_nor_when_the_process_behind_it_is(tmp_path: Path):
    secret = Volume("secret", files=(File("token", "czNjcmV0"),))
    with supervised(tmp_path, JobSpec((sh(FAMILY),), volumes=(secret,))) as task:
        begin(task)
        assert list(task.place.rglob("token"))
        os.kill(behind(task), signal.SIGKILL)

        assert task.wait() == 1
        assert not any(map(alive, programs_of(task)))
    assert (task.status["state"], task.status["reason"]) == ("failed", "Lost")
    assert task.status["words"] == "the supervisor was killed by signal 9"
    assert task.container()["phase"] == "terminated"
    assert not list(task.place.rglob("token"))


def test_a_supervisor_that_finds_an_unfinished_task_begins_it_again(tmp_path: Path):
    with supervised(tmp_path, JobSpec((sh("touch begun; test -e again || sleep 300"),))) as task:
        begin(task)
        status = (task.place / "status.json").read_text()
        inner = behind(task)
        task.signal(signal.SIGKILL)
        task.wait()
        task.until(lambda: task.status["state"] == "failed" and not alive(inner))
        (task.place / "status.json").write_text(status)  # as when the node itself went down
        (tmp_path / "work" / "again").touch()

        assert task.run() == 0
    assert task.status["attempt"] == 1
    assert {p.name for p in (task.place / "log").iterdir()} == {"main.0.log", "main.1.log"}
