"""The supervisor with plain processes: order of containers, ends, restarts, logs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from isthmus.work.job import Container, File, JobSpec, Launch, Mount, Resources, Restart, Volume
from isthmus.work.runner.supervisor import run

from .tasks import Supervised, alive, read_log, sh, supervised


def test_a_program_that_ends_well(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("echo out; echo err >&2; pwd"),)))

    assert task.run() == 0

    status = task.status
    assert (status["state"], status["reason"], status["exit_code"], status["attempt"]) == ("succeeded", "", 0, 0)
    assert status["host"] == os.uname().nodename
    assert status["started"] <= task.container()["started"] <= task.container()["ended"] <= status["ended"]
    assert status["cpu_seconds"] > 0
    assert task.log(stream="stdout") == f"out\n{tmp_path}/work\n"
    assert task.log(stream="stderr") == "err\n"


def test_a_program_that_fails_gives_its_code(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("exit 3"),)))

    assert task.run() == 3
    assert (task.status["state"], task.status["reason"], task.status["exit_code"]) == ("failed", "Error", 3)
    assert task.status["words"] == "main: exit code 3"


def test_a_program_that_a_signal_ends_gives_128_and_its_number(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("kill -9 $$"),)))

    assert task.run() == 137
    assert (task.container()["exit_code"], task.container()["signal"]) == (137, 9)


@pytest.mark.parametrize(
    ("container", "code", "words"),
    [
        (Container("main", command=("/no/such/program",)), 127, "/no/such/program: No such file or directory"),
        (Container("main", command=("/etc/passwd",)), 126, "/etc/passwd: Permission denied"),
        (Container("main"), 128, "command: a plain process needs one"),
        (Container("main", command=("true",), workdir="/no/such"), 127, "/no/such: No such file or directory"),
        (Container("main", command=("true",), env={"A=B": "x"}), 128, "'A=B' cannot be a variable"),
        (Container("main", command=("true",), secrets={"A": "to\0ken"}), 128, "'A' cannot be a variable"),
        (Container("main", command=("tr\0ue",)), 128, "no zero byte"),
        (Container("main", command=("true",), mounts=(Mount("v", "/v"),)), 128, "mounts: a plain process has none"),
        (Container("main", command=("true",), runtime_options=("--x",)), 128, "runtime_options"),
        (Container("main", image="debian", command=("true",)), 128, "image: this site runs no containers"),
    ],
    ids=[
        "missing",
        "not executable",
        "no command",
        "no folder",
        "env",
        "zero in env",
        "zero",
        "mount",
        "options",
        "image",
    ],
)
def test_what_cannot_be_started_says_why(tmp_path: Path, container: Container, code: int, words: str):
    task = Supervised(tmp_path, JobSpec((container,), restart=Restart.ALWAYS))

    assert task.run() == code
    assert (task.status["state"], task.status["reason"]) == ("failed", "StartError")
    assert words in task.container()["message"]
    assert "to\0ken" not in json.dumps(task.status)


def test_references_to_variables_are_resolved_on_the_node_where_that_is_asked_for(tmp_path: Path):
    words = ("echo", "$(A) $$(A) $(B) $(NONE)")
    for expand, said in ((True, "1 $(A) two $(NONE)\n"), (False, "$(A) $$(A) $(B) $(NONE)\n")):
        container = Container("main", command=words, env={"A": "1"}, secrets={"B": "two"}, expand=expand)
        task = Supervised(tmp_path / str(expand), JobSpec((container,)))
        assert task.run() == 0
        assert task.log() == said


def test_variables_reach_the_program_whatever_is_in_them(tmp_path: Path):
    env = {"A": "x'\"\n$(id) `id`", "with.dots-and": "dashes", "ISTHMUS_TASK": "9"}
    spec = JobSpec((Container("main", command=("env", "-0"), env=env, secrets={"TOKEN": "s3cret"}),))
    task = Supervised(tmp_path, spec, index=7)

    assert task.run(OF_THE_NODE="yes") == 0

    seen = dict(line.split("=", 1) for line in task.log().rstrip("\0").split("\0"))
    assert {n: seen[n] for n in ("A", "with.dots-and", "TOKEN", "OF_THE_NODE")} == {
        "A": env["A"],
        "with.dots-and": "dashes",
        "TOKEN": "s3cret",
        "OF_THE_NODE": "yes",
    }
    assert (seen["ISTHMUS_JOB"], seen["ISTHMUS_SUBMISSION"]) == ("0123456789ab", "0123456789ab-1")
    assert seen["ISTHMUS_JOB_NAME"] == "a job"
    assert "s3cret" not in (task.place / "status.json").read_text()


def test_programs_make_files_that_others_may_read(tmp_path: Path):
    """Whatever the umask of who handed the job over; what is the supervisor's own is not for others."""
    task = Supervised(tmp_path, JobSpec((sh("umask; touch made; mkdir folder"),)))
    before = os.umask(0o077)
    try:
        assert task.run() == 0
    finally:
        os.umask(before)
    assert task.log() == "0022\n"
    modes = [(tmp_path / "work" / name).stat().st_mode & 0o777 for name in ("made", "folder")]
    assert modes == [0o644, 0o755]
    assert (task.place / "status.json").stat().st_mode & 0o777 == 0o600


def test_init_containers_run_one_after_another_before_the_others(tmp_path: Path):
    write = "test -e {} || exit 9; sleep 0.1; touch {}"
    spec = JobSpec(
        containers=(sh("test -e two && touch a; until test -e b; do sleep 0.01; done", "a"),
                    sh("test -e two && touch b; until test -e a; do sleep 0.01; done", "b")),
        init=(sh(write.format("/", "one"), "one"), sh(write.format("one", "two"), "two")),
    )  # fmt: skip
    task = Supervised(tmp_path, spec)

    assert task.run() == 0
    assert [(c["name"], c["init"], c["exit_code"]) for c in task.status["containers"]] == [
        ("one", True, 0),
        ("two", True, 0),
        ("a", False, 0),
        ("b", False, 0),
    ]
    assert task.container("one")["ready"]


def test_when_an_init_container_fails_nothing_else_starts_and_all_have_ended(tmp_path: Path):
    spec = JobSpec((sh("touch ran"),), init=(sh("exit 4", "first"), sh("touch ran", "second")))
    task = Supervised(tmp_path, spec)

    assert task.run() == 4
    assert (task.status["state"], task.status["reason"], task.status["exit_code"]) == ("failed", "Error", 4)
    for name in ("second", "main"):
        container = task.container(name)
        assert (container["phase"], container["reason"]) == ("terminated", "StartError")
        assert container["message"] == "init container first failed"
    assert not (tmp_path / "work" / "ran").exists()


def test_a_failed_container_does_not_end_the_others(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("exit 2", "bad"), sh("sleep 0.3; echo done", "good"))))

    assert task.run() == 2
    assert task.container("good")["exit_code"] == 0
    assert task.log("good") == "done\n"


def test_on_failure_a_container_is_started_again_until_it_succeeds(tmp_path: Path):
    script = "echo run >> runs; test $(wc -l < runs) -ge 3"
    task = Supervised(tmp_path, JobSpec((sh(script + " && echo well"),), restart=Restart.ON_FAILURE))

    assert task.run() == 0
    assert (task.container()["restarts"], task.container()["last_exit_code"]) == (2, 1)
    assert task.log(run=2) == "well\n"
    assert (task.place / "log" / "main.0.log").exists()


def test_init_containers_are_tried_again_too_where_restarts_are_wanted(tmp_path: Path):
    spec = JobSpec(
        (sh("true"),), init=(sh("test -e tried || { touch tried; exit 1; }", "init"),), restart=Restart.ON_FAILURE
    )
    task = Supervised(tmp_path, spec)

    assert task.run() == 0
    assert task.container("init")["restarts"] == 1


def test_always_starts_again_what_has_succeeded(tmp_path: Path):
    with supervised(tmp_path, JobSpec((sh("true"),), restart=Restart.ALWAYS)) as task:
        task.start()
        task.until(lambda: task.container()["restarts"] >= 2)
        task.signal(15)
        task.wait()
    assert task.status["state"] == "cancelled"


def test_restarts_wait_at_least_twice_as_long_each_time(tmp_path: Path):
    spec = JobSpec((sh("date +%s.%N; exit 1"),), restart=Restart.ON_FAILURE)
    with supervised(tmp_path, spec, restart_delay=0.2) as task:
        task.start()
        task.until(lambda: task.container()["restarts"] >= 4)
        begun = [float(task.log(run=n)) for n in range(4)]
    waits = [later - earlier for earlier, later in pairwise(begun)]
    # No longer either: tests/unit/work/runner/test_container.py, where a busy machine takes no part of the time.
    assert all(wait >= least for wait, least in zip(waits, (0, 0.2, 0.4), strict=True)), waits


def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path):
    script = "setsid sh -c 'echo $$ > daemon; exec sleep 300' & sleep 300 & echo $! > child;"
    script += "until test -s daemon; do :; done"
    task = Supervised(tmp_path, JobSpec((sh(script),)))

    assert task.run() == 0
    for name in ("daemon", "child"):
        pid = int((tmp_path / "work" / name).read_text())
        assert not alive(pid)


def test_lines_are_in_the_log_at_once_with_the_time_of_their_coming(tmp_path: Path):
    script = "for i in 1 2 3; do date +%s.%N; until test -e go$i; do sleep 0.02; done; done"
    with supervised(tmp_path, JobSpec((sh(script),))) as task:
        task.start()
        log = task.place / "log" / "main.0.log"
        for n in (1, 2, 3):
            task.until(lambda n=n: log.read_bytes().count(b"\n") == n)
            seen = time.time()
            time_of_coming, _, _, written = log.read_text().splitlines()[-1].split(" ")
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", time_of_coming)
            assert float(written) <= datetime.fromisoformat(time_of_coming).timestamp() + 0.001 <= seen + 0.002
            (tmp_path / "work" / f"go{n}").touch()  # it goes on only when its line has been seen
        task.wait()


def test_output_of_any_bytes_and_any_length_is_kept(tmp_path: Path):
    (tmp_path / "work").mkdir()
    data = os.urandom(300_000) + b"x" * 100_000 + b"\n\0\xff\n" + b"y" * 16384 + b"\n" + b"no end"
    (tmp_path / "work" / "data").write_bytes(data)
    task = Supervised(tmp_path, JobSpec((sh("cat data"),)))

    assert task.run() == 0
    log = task.place / "log" / "main.0.log"
    assert read_log(log) == data
    assert max(map(len, log.read_bytes().split(b"\n"))) <= 16384 + len("2026-01-01T00:00:00.000000000Z stdout F ")


def test_a_task_that_has_ended_is_not_run_again_unless_the_scheduler_restarted_it(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("echo run >> runs; exit 5"),)))

    assert task.run() == 5
    assert task.run() == 5
    assert (tmp_path / "work" / "runs").read_text() == "run\n"

    assert task.run(SLURM_RESTART_COUNT="1") == 5
    assert (tmp_path / "work" / "runs").read_text() == "run\nrun\n"
    assert task.status["attempt"] == 1


def test_two_supervisors_do_not_run_the_same_task(tmp_path: Path):
    with supervised(tmp_path, JobSpec((sh("touch begun; sleep 300"),))) as task:
        task.start()
        task.until((tmp_path / "work" / "begun").exists)
        second = Supervised(tmp_path, JobSpec((sh("touch begun; sleep 300"),)))
        assert second.run() == 75
        assert task.status["state"] == "running"


def test_each_process_of_a_job_is_started_by_the_launcher(tmp_path: Path):
    spec = JobSpec((sh("echo $RANK"),), resources=Resources(tasks=3), launch=Launch.EACH)
    launcher = ["sh", "-c", 'for r in 0 1 2; do RANK=$r "$@"; done', "-"]
    task = Supervised(tmp_path / "a", spec, launcher=launcher)

    assert task.run() == 0
    assert task.log() == "0\n1\n2\n"

    without = Supervised(tmp_path / "b", spec)
    assert without.run() == 128
    assert "launch: this site has no launcher" in without.container()["message"]


def test_a_volume_that_would_lie_elsewhere_fails_the_task_before_it_starts(tmp_path: Path):
    volume = Volume("v", files=(File("../../x", content=""),))
    task = Supervised(tmp_path, JobSpec((sh("touch ran"),), volumes=(volume,)))

    assert task.run() == 128
    assert (task.status["reason"], "'../../x' leads elsewhere" in task.status["words"]) == ("StartError", True)
    assert not (tmp_path / "work" / "ran").exists()


def test_on_sites_without_shared_files_all_is_told_on_stdout(tmp_path: Path):
    task = Supervised(tmp_path, JobSpec((sh("echo one; printf 'two\\377'"),)), stream=True)
    task.start(stdout=subprocess.PIPE)
    assert task.process is not None
    told = [json.loads(line) for line in task.process.communicate(timeout=60)[0].splitlines()]

    assert told[-1]["status"] == task.status
    text = "\n".join(t["log"][2] for t in told if "log" in t) + "\n"
    assert text.encode(errors="surrogateescape") == (task.place / "log" / "main.0.log").read_bytes()
    assert {tuple(t["log"][:2]) for t in told if "log" in t} == {("main", 0)}


def test_it_can_be_called_in_a_process_that_goes_on(tmp_path: Path):
    import signal

    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)]
    fds = len(list(Path("/proc/self/fd").iterdir()))
    for n in range(3):
        Supervised(tmp_path / str(n), JobSpec((sh(f"exit {n}"),)))
        assert run(str(tmp_path / str(n)), 0) == n
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)] == before
    assert len(list(Path("/proc/self/fd").iterdir())) == fds
