"""The commands of jobs against the whole API, on a service that keeps jobs in memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from isthmus.api.auth import StaticToken
from isthmus.api.gate import Gate
from isthmus.api.streams import Closing
from isthmus.cli import client, context
from isthmus.cli.client import Endpoint
from isthmus.cli.failures import Failure
from isthmus.cli.fetching import matches, safe_path
from isthmus.cli.output import style

from ..api.conftest import TOKEN, FakeService, built
from ..api.fake_jobs import FakeJobs

IMAGE = ("--image", "alpine")


class Bridge(httpx.BaseTransport):
    """Takes what a command asks to the app, which runs in a loop of its own."""

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop):
        self._inner = httpx.ASGITransport(app=app)
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return asyncio.run_coroutine_threadsafe(self._ask(request), self._loop).result(60)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        answer = await self._inner.handle_async_request(copy)
        content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loop: asyncio.AbstractEventLoop) -> FakeJobs:
    service: Any = FakeService()
    service.jobs = FakeJobs()
    inner, authenticator = built(), StaticToken(TOKEN)
    inner.state.service, inner.state.authenticator, inner.state.closing = service, authenticator, Closing()
    bridge = Bridge(Gate(inner, service, authenticator, limit=64 * 1024), loop)
    monkeypatch.setattr(context, "find_endpoint", lambda *_: Endpoint("http://server", TOKEN, local=True))
    opened = lambda e: httpx.Client(  # noqa: E731
        transport=bridge, base_url=e.url, headers={"Authorization": f"Bearer {e.token}"}
    )
    monkeypatch.setattr(client, "_open", opened)
    monkeypatch.chdir(tmp_path)
    return service.jobs  # type: ignore[no-any-return]


def test_a_run_shows_the_log_and_passes_the_exit_code_on(jobs: FakeJobs, run: Any) -> None:
    done = run("run", *IMAGE, "--name", "one", "--", "sh", "-c", "exit 0")
    assert (done.exit_code, done.stdout) == (0, "hello\nworld\n"), done.stderr
    assert "one on hpc: queued" in done.stderr
    assert "one succeeded; waited 1.0 s, ran 3.0 s, CPU time 2.5 s, peak memory 1.0 MiB." in done.stderr
    assert jobs.requests[0].spec.containers[0].command == ("sh", "-c", "exit 0")
    assert jobs.requests[0].key


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ({"state": "failed", "exit_code": 7, "reason": "Error"}, 7),
        ({"state": "failed", "exit_code": None, "reason": "TimeLimit"}, 1),
        ({"state": "failed", "exit_code": 0, "reason": "StageOutFailed"}, 1),
        ({"state": "failed", "exit_code": 3000, "reason": "Error"}, 1),
        ({"state": "cancelled", "exit_code": None, "reason": "Cancelled"}, 1),
    ],
)
def test_a_job_that_fails_is_told_by_its_code(jobs: FakeJobs, run: Any, ends: dict[str, Any], code: int) -> None:
    jobs.ends = ends
    done = run("run", *IMAGE)
    assert done.exit_code == code
    assert f"{ends['state']}: {ends['reason']}" in done.stderr


def test_words_after_dashes_are_left_alone(jobs: FakeJobs, run: Any) -> None:
    run("run", *IMAGE, "-d", "--", "echo", "--json", "$(id)", "a'b\n", "--", "")
    assert jobs.requests[0].spec.containers[0].command == ("echo", "--json", "$(id)", "a'b\n", "--", "")


def test_a_detached_run_does_not_wait(jobs: FakeJobs, run: Any) -> None:
    done = run("run", *IMAGE, "--name", "one", "--detach")
    assert (done.exit_code, done.stdout) == (0, "one\n")
    assert "isthmus logs -f one" in done.stderr
    assert jobs.waits == []
    lost = run("run", *IMAGE, "-d", "--output", "out:here")
    assert (lost.exit_code, len(jobs.requests)) == (2, 1)
    assert "isthmus fetch" in lost.stderr
    assert json.loads(run("run", *IMAGE, "-d", "--json").stdout)["state"] == "pending"


def test_a_run_with_json_is_lines_and_the_job_as_the_last(jobs: FakeJobs, run: Any) -> None:
    jobs.ends = {"state": "failed", "exit_code": 4}
    done = run("run", *IMAGE, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["state"] for line in lines] == ["pending", "queued", "running", "failed"]
    assert lines[-1]["details"][0]["exit_code"] == 4
    assert done.exit_code == 4


def test_options_reach_the_service(jobs: FakeJobs, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hidden")
    done = run(
        "run", *IMAGE, "-d", "--site", "hpc", "--needs", "gpu,mpi", "--cpus", "1.5", "--memory", "2 GiB", "--gpus",
        "a100:2", "--time", "90m", "--nodes", "2", "--tasks", "4", "--each", "--array", "1-9:4%2", "--env", "A=1",
        "--secret", "TOKEN", "--retry", "2", "--after", "x", "--after", "y", "--vo", "local", "--option",
        "partition=short", "--keep", "2h", "--workdir", "/x",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    [request] = jobs.requests
    main, r = request.spec.containers[0], request.spec.resources
    assert (request.site, request.needs, request.after, request.retry, request.keep) == (
        "hpc", ("gpu", "mpi"), ("x", "y"), 2, 7200.0)  # fmt: skip
    assert (r.cpus, r.memory, r.gpus, r.gpu_type, r.time, r.nodes, r.tasks) == (1.5, 2**31, 2, "a100", 5400.0, 2, 4)
    assert (request.spec.array, request.spec.array_limit, request.spec.launch) == ((1, 5, 9), 2, "each")
    assert (main.env, main.secrets, main.workdir) == ({"A": "1"}, {"TOKEN": "hidden"}, "/x")
    assert "hidden" not in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "There is nothing to run."),
        (("--", "ls"), "no --image is named"),
        ((*IMAGE, "--memory", "lots"), "--memory: 'lots' is not a size"),
        ((*IMAGE, "--input", "none"), "--input: there is no file none"),
        ((*IMAGE, "--secret", "NONE=hidden"), "--secret: the file of NONE cannot be read"),
        ((*IMAGE, "--vo", "other"), "You do not act for the VO other."),
        ((*IMAGE, "--name", "No Name"), "#/name"),
        (("-f", "none.yaml"), "none.yaml cannot be read"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(jobs: FakeJobs, run: Any, words: Any, told: str) -> None:
    done = run("run", *words)
    assert done.exit_code in (2, 6)
    assert told in done.stderr
    assert "hidden" not in done.stderr
    assert jobs.requests == []


def test_files_are_staged_by_content_and_only_once(jobs: FakeJobs, run: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("same")
    (tmp_path / "data" / "b").write_text("same")
    (tmp_path / "data" / "big").write_bytes(b"x" * 300_000)
    (tmp_path / "data" / "link").symlink_to("a")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    done = run("run", "-d", "--script", "run.sh", "--input", "data:in", "--input", "https://h/x:y", "--", "arg")
    assert done.exit_code == 0, done.stderr
    spec = jobs.requests[0].spec
    same = hashlib.sha256(b"same").hexdigest()
    by_path = {i.path: i for i in spec.inputs}
    assert sorted(by_path) == ["in/a", "in/b", "in/big", "in/link", "run.sh", "y"]
    assert by_path["in/link"].digest == by_path["in/b"].digest == same
    assert (by_path["run.sh"].mode, by_path["in/a"].mode, by_path["y"].url) == (0o755, 0o644, "https://h/x")
    assert (spec.containers[0].image, spec.containers[0].command) == (None, ("./run.sh", "arg"))
    assert len(jobs.blobs) == 3
    before = dict(jobs.blobs)
    jobs.put_blob = None  # type: ignore[assignment, method-assign]
    assert run("run", "-d", "--script", "run.sh", "--input", "data:in").exit_code == 0
    assert jobs.blobs == before


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/etc/hostname", "the link link leads out of it"),
        ("../outside", "the link link leads out of it"),
        ("nowhere", "cannot be read"),
        (".", "leads in a circle"),
        ("/dev/null", "the link link leads out of it"),
    ],
)
def test_links_that_lead_elsewhere_are_refused(
    jobs: FakeJobs, run: Any, tmp_path: Path, target: str, words: str
) -> None:
    (tmp_path / "outside").write_text("x")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(target)
    done = run("run", *IMAGE, "--input", "data")
    assert done.exit_code == 2
    assert words in done.stderr
    assert jobs.blobs == {}


def test_what_is_no_file_is_refused(jobs: FakeJobs, run: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "pipe")
    done = run("run", *IMAGE, "--input", "data")
    assert done.exit_code == 2
    assert "is no regular file" in done.stderr
    assert jobs.blobs == {}


def test_a_name_that_no_sandbox_may_have_is_refused(jobs: FakeJobs, run: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a\nb").write_text("x")
    done = run("run", *IMAGE, "--input", "data")
    assert done.exit_code == 2
    assert "control characters" in done.stderr


def test_a_job_file_is_run(jobs: FakeJobs, run: Any, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "job.yaml").write_text("image: a\ncommand: [cat, x.txt]\ninputs: [x.txt]\ncpus: 2\n")
    assert run("run", "-f", "job.yaml", "-d", "--cpus", "3").exit_code == 0
    spec = jobs.requests[0].spec
    assert (spec.resources.cpus, spec.containers[0].command, spec.inputs[0].path) == (3, ("cat", "x.txt"), "x.txt")
    (tmp_path / "job.yaml").write_text("image: a\ncpu: 2\n")
    done = run("run", "-f", "job.yaml")
    assert done.exit_code == 2
    assert "job.yaml:2:1: error: cpu: there is no such word" in done.stderr
    assert "did you mean cpus?" in done.stderr


def test_outputs_are_fetched_when_the_job_has_succeeded(jobs: FakeJobs, run: Any, tmp_path: Path) -> None:
    jobs.files_left = {"out/a.txt": b"a", "out/deep/b.txt": b"bb", "log": b"l", "other": b"o"}
    done = run(
        "run", *IMAGE, "--output", "out:res", "--output", "log:logs/", "--output", "log:copy", "--output", "other"
    )
    assert done.exit_code == 0, done.stderr
    found = {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {"res/a.txt": b"a", "res/deep/b.txt": b"bb", "logs/log": b"l", "copy": b"l"}
    jobs.ends = {"state": "failed", "exit_code": 2}
    done = run("run", *IMAGE, "--output", "out:more")
    assert (done.exit_code, (tmp_path / "more").exists()) == (2, False)
    assert "Nothing was fetched" in done.stderr


def test_an_output_that_is_not_there_fails_the_run(jobs: FakeJobs, run: Any) -> None:
    done = run("run", *IMAGE, "--output", "none.txt:here.txt")
    assert done.exit_code == 1
    assert "The job left no none.txt." in done.stderr


def test_a_fetch_brings_what_differs(jobs: FakeJobs, run: Any, tmp_path: Path) -> None:
    jobs.files_left = {"a/x": b"1", "a/y": b"2", "z": b"3"}
    run("run", *IMAGE, "--name", "one")
    done = run("fetch", "one", "--json")
    assert [f["fetched"] for f in json.loads(done.stdout)] == [True, True, True]
    (tmp_path / "one" / "a" / "y").write_bytes(b"changed")
    again = run("fetch", "job:one")
    assert again.stdout == "one/a/x (the same already)\none/a/y\none/z (the same already)\n"
    assert (tmp_path / "one" / "a" / "y").read_bytes() == b"2"
    assert run("fetch", "one", "a", "--to", "only").exit_code == 0
    assert sorted(p.name for p in (tmp_path / "only").rglob("*")) == ["a", "x", "y"]
    assert run("fetch", "one", "none").exit_code == 1
    assert [f["path"] for f in json.loads(run("fetch", "one", "--list", "--json").stdout)] == ["a/x", "a/y", "z"]


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "a//b", "./a", "", "a\0b", ".."])
def test_a_hostile_name_writes_nothing_outside(jobs: FakeJobs, run: Any, tmp_path: Path, path: str) -> None:
    jobs.files_left = {path: b"evil"}
    run("run", *IMAGE, "--name", "one")
    assert run("fetch", "one", "--to", "in").exit_code == 1
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    with pytest.raises(Failure):
        safe_path(tmp_path, path)


def test_a_link_that_leads_out_is_not_written_through(jobs: FakeJobs, run: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / "in" / "a").symlink_to(tmp_path / "away")
    jobs.files_left = {"a/x": b"1"}
    run("run", *IMAGE, "--name", "one")
    done = run("fetch", "one", "--to", "in")
    assert done.exit_code == 1
    assert "leads out of in" in done.stderr
    assert list((tmp_path / "away").iterdir()) == []


def test_a_file_that_changes_while_it_is_fetched_is_not_kept(jobs: FakeJobs, run: Any, tmp_path: Path) -> None:
    jobs.files_left = {"x": b"12345"}
    run("run", *IMAGE, "--name", "one")
    jobs._pieces = lambda content: FakeJobs._pieces(jobs, b"other")  # type: ignore[method-assign]
    done = run("fetch", "one")
    assert done.exit_code == 1
    assert "has changed while it was fetched" in done.stderr
    assert list((tmp_path / "one").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "pattern", "found"),
    [("a", "a", True), ("a/b", "a", True), ("ab", "a", False), ("a/b.txt", "a/*.txt", True), ("a/b.txt", "*.txt", True),
     ("b.txt", "a/*.txt", False), ("out-1/x", "out-*", True), ("a[1]", "a[1]", True)],
)  # fmt: skip
def test_what_an_output_names(path: str, pattern: str, found: bool) -> None:
    assert matches(path, pattern) is found


def test_jobs_are_listed_with_arrays_in_one_row(jobs: FakeJobs, run: Any) -> None:
    run("run", *IMAGE, "-d", "--name", "one", "--", "echo", "a b")
    run("run", *IMAGE, "-d", "--name", "many", "--array", "1-20")
    head, one, many = run("jobs").stdout.splitlines()
    assert head.split()[:5] == ["NAME", "ID", "STATE", "REASON", "TASKS"]
    assert one.startswith("one ")
    assert one.endswith("echo 'a b'")
    assert "  20 pending  hpc" in many
    assert [j["name"] for j in json.loads(run("jobs", "--json", "--all").stdout)] == ["one", "many"]
    assert run("jobs", "--state", "failed").stdout == ""
    for _ in range(60):
        run("run", *IMAGE, "-d")
    done = run("jobs")
    assert (len(done.stdout.splitlines()), "--all lists them" in done.stderr) == (51, True)
    assert len(json.loads(run("jobs", "--all", "--json").stdout)) == 62


def test_an_array_is_followed_by_its_counts(jobs: FakeJobs, run: Any) -> None:
    done = run("run", *IMAGE, "--name", "many", "--array", "1-20")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "many on hpc: 20 running" in done.stderr
    assert "many succeeded (20 succeeded)" in done.stderr
    shown = run("show", "many").stdout
    assert "isthmus show many --tasks lists them." in shown
    assert len(run("show", "many", "--tasks").stdout.splitlines()) == len(shown.splitlines()) + 21


def test_show_tells_what_was_asked_and_used(jobs: FakeJobs, run: Any) -> None:
    run("run", *IMAGE, "--name", "one", "--memory", "1 GiB", "--gpus", "a100:1", "--time", "5m", "--", "echo", "hi")
    shown = run("show", "one").stdout
    assert "asked: 1 CPUs, 1.0 GiB, 1 GPUs a100, at most 5 min 0 s" in shown
    assert "used: waited 1.0 s, ran 3.0 s, CPU time 2.5 s, peak memory 1.0 MiB" in shown
    assert json.loads(run("show", "job:one", "--json").stdout)["name"] == "one"


def test_an_array_that_is_too_long_to_show_ends_in_dots(jobs: FakeJobs, run: Any) -> None:
    indices = [*range(90), 1000]
    run("run", *IMAGE, "-d", "--name", "one", "--array", ",".join(map(str, indices)))
    [told] = [line for line in run("show", "one").stdout.splitlines() if line.startswith("  array: ")]
    *shown, last = told.removeprefix("  array: ").split(",")
    assert (shown, last) == ([str(n) for n in indices[: len(shown)]], "...")


def test_show_tells_all_that_was_asked(jobs: FakeJobs, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hidden")
    run(
        "run", *IMAGE, "-d", "--name", "one", "--array", "1-9:2%3", "--env", "A=1", "--secret", "TOKEN", "--input",
        "https://x.org/a:b", "--output", "o:https://x.org/o", "--output", "p", "--retry", "2", "--keep", "2h",
    )  # fmt: skip
    shown = run("show", "one").stdout
    for line in (
        "environment: A, TOKEN (secret)", "array: 1-9:2%3", "inputs: https://x.org/a to b",
        "outputs: o to https://x.org/o, p", "retry: 2", "files: stay for 2 h 0 min after its end",
    ):  # fmt: skip
        assert f"  {line}\n" in shown
    assert "hidden" not in shown


def test_a_name_of_both_is_refused_until_one_says_which(jobs: FakeJobs, run: Any) -> None:
    run("run", *IMAGE, "-d", "--name", "one")
    client.Client(lambda: Endpoint("http://server", TOKEN, local=True)).post(
        "/deployments", {"template": {"catalogue": "machine"}, "name": "one"}
    )
    done = run("show", "one")
    assert done.exit_code == 4
    assert "Say deployment:one or job:one." in done.stderr
    assert "command" in json.loads(run("show", "job:one", "--json").stdout)
    assert "nodes" in json.loads(run("show", "deployment:one", "--json").stdout)
    assert run("show", "none").exit_code == 3
    assert "deployment" in run("show", "none").stderr


def test_a_name_of_neither_speaks_of_both(jobs: FakeJobs, run: Any) -> None:
    done = run("show", "nothere")
    assert done.exit_code == 3
    assert "neither a deployment nor a job 'nothere'" in done.stderr
    assert "isthmus jobs" in done.stderr
    assert json.loads(run("show", "nothere", "--json").stdout)["error"]["status"] == 404


def test_logs_of_a_job(jobs: FakeJobs, run: Any) -> None:
    run("run", *IMAGE, "-d", "--name", "one", "--array", "1-3")
    assert run("logs", "one", "--task", "2").stdout == "hello\nworld\n"
    assert run("logs", "one", "-f", "--timestamps").stdout == jobs.log_text.decode()
    lines = [json.loads(line) for line in run("logs", "one", "--json", "--container", "main").stdout.splitlines()]
    assert lines[0] == {
        "task": None, "container": "main", "time": "2026-01-01T00:00:00.000000001Z", "text": "hello"}  # fmt: skip
    run("logs", "one", "--tail", "5", "--since", "10m", "--previous")
    assert "the first of 3 tasks" in run("logs", "one").stderr
    assert "tasks" not in run("logs", "one", "--task", "1").stderr
    assert [index for index, _, _ in jobs.logs] == [2, 1, 1, 1, 1, 1]
    options = jobs.logs[3][2]
    assert (options.tail, options.previous, options.since is not None) == (5, True, True)
    assert run("logs", "one", "--tail", "many").exit_code == 2
    assert run("logs", "one", "--node", "worker").exit_code == 2
    assert run("logs", "one", "--container", "nothing").exit_code == 3


def test_a_cancel_ends_a_job_or_some_of_its_tasks(jobs: FakeJobs, run: Any) -> None:
    run("run", *IMAGE, "-d", "--name", "one", "--array", "1-9")
    assert run("cancel", "one", "--tasks", "2-3").stderr == "Accepted.\n"
    done = run("cancel", "one")
    assert (done.exit_code, "one cancelled: Cancelled" in done.stderr) == (0, True)
    assert [indices for _, indices in jobs.cancelled] == [(2, 3), None]


def test_a_wait_ends_with_the_code_of_the_first_that_failed(jobs: FakeJobs, run: Any) -> None:
    for name in ("one", "two"):
        run("run", *IMAGE, "-d", "--name", name)
    jobs.ends = {"state": "failed", "exit_code": 9}
    done = run("wait", "one", "two")
    assert done.exit_code == 9
    assert done.stdout.count("failed") == 2
    assert [json.loads(line)["state"] for line in run("wait", "one", "two", "--json").stdout.splitlines()] == [
        "failed", "failed"]  # fmt: skip


def test_a_job_is_deleted(jobs: FakeJobs, run: Any) -> None:
    run("run", *IMAGE, "-d", "--name", "one")
    assert "one is deleted" in run("delete", "one", "--yes").stderr
    assert jobs.jobs == {}


def test_leaving_by_ctrl_c_says_how_to_come_back(jobs: FakeJobs, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.Client, "patiently", _interrupting(client.Client.patiently))
    done = run("run", *IMAGE, "--name", "one")
    assert done.exit_code == 130
    assert "isthmus cancel one ends it" in done.stderr
    assert jobs.cancelled == []


def _interrupting(patiently: Any) -> Any:
    calls: list[int] = []

    def call(self: Any, ask: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return patiently(self, ask)

    return call


def test_a_site_shows_its_partitions(jobs: FakeJobs, run: Any) -> None:
    shown = run("sites", "show", "hpc").stdout
    assert "hpc (slurm) ready" in shown
    assert "containers: apptainer" in shown
    row = next(line for line in shown.splitlines() if line.startswith("short*"))
    assert row.split()[:5] == ["short*", "up", "3", "48", "40"]
    assert "a100:2" in row
    assert json.loads(run("sites", "show", "hpc", "--json").stdout)["accounts"] == ["physics"]
    assert run("sites", "show", "none").exit_code == 3
    assert "16 CPUs, 64.0 GiB, a100:2 (and 1 smaller kind)" in row
    assert "qos: normal, urgent" in shown
    assert "options: account, partition" in shown
    assert [line.split()[0] for line in run("sites").stdout.splitlines()[1:]] == ["local", "mine"]
    assert (style("ready"), style("not ready")) == ("green", "red")


def test_a_hostile_log_and_name_cannot_move_the_cursor(
    jobs: FakeJobs, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("run", *IMAGE, "-d", "--", "echo", "\x1b[2J\u202e")
    assert "\x1b" not in run("jobs").stdout
    assert "\x1b" not in run("show", "made-up").stdout
