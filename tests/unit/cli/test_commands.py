"""What the commands ask of the server, what they print, and with which code they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import PLAN, SUMMARY, VIEW, Canned, event, frames

ID = SUMMARY["id"]


def test_a_list_in_a_pipe_is_plain_columns(canned: Canned, run: Any) -> None:
    canned.on("GET /deployments", {"items": [SUMMARY], "cursor": None})
    done = run("list")
    head, row = done.stdout.splitlines()
    assert head.split() == ["NAME", "PHASE", "TEMPLATE", "SITE", "CREATED", "REASON"]
    assert row.split()[:4] == ["one", "running", "machine", "local"]


def test_a_list_follows_its_cursors(canned: Canned, run: Any) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        last = request.url.params.get("cursor") == "next"
        return httpx.Response(200, json={"items": [SUMMARY], "cursor": None if last else "next"})

    canned.answers["GET /deployments"] = page
    assert len(json.loads(run("list", "--json").stdout)) == 2
    assert len(json.loads(run("list", "--json", "--limit", "1").stdout)) == 1


def test_show_draws_the_tree_of_nodes(canned: Canned, run: Any) -> None:
    canned.on("GET /deployments/one", VIEW)
    lines = run("show", "one").stdout.splitlines()
    assert "  worker tosca.nodes.Compute" in lines
    assert "    worker[0] running 10.0.0.2" in lines
    assert "      Standard.create done" in lines


def test_one_output_is_printed_bare(canned: Canned, run: Any) -> None:
    canned.on("GET /deployments/one", VIEW)
    assert run("outputs", "one", "ip").stdout == "10.0.0.2\n"
    assert json.loads(run("outputs", "one", "--json").stdout) == VIEW["outputs"]
    assert run("outputs", "one", "none").exit_code == 3


@pytest.mark.parametrize(
    ("status", "code"), [(404, 3), (409, 4), (412, 4), (422, 2), (413, 2), (401, 6), (403, 6), (503, 5), (500, 1)]
)
def test_what_the_server_refuses_has_an_exit_code(canned: Canned, run: Any, status: int, code: int) -> None:
    canned.problem("GET /deployments/one", status, detail="the detail", hint="the hint")
    done = run("outputs", "one")
    assert done.exit_code == code
    assert done.stderr == "isthmus: A title\nthe detail\nHint: the hint\n"
    assert done.stdout == ""


def test_a_failure_is_json_where_json_is_wanted(canned: Canned, run: Any) -> None:
    canned.problem("GET /deployments/one", 404, detail="gone")
    done = run("outputs", "one", "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["error"]["detail"] == "gone"


def test_diagnostics_of_the_server_show_their_excerpt(canned: Canned, run: Any) -> None:
    found = {
        "severity": "error", "code": "type-unknown", "summary": "No type", "detail": "all of it", "file": "a.yaml",
        "line": 2, "column": 9, "excerpt": "  type: x\n        ^", "suggestion": "did you mean y?",
    }  # fmt: skip
    canned.problem("POST /plans", 422, detail="1 error", diagnostics=[found])
    done = run("deploy", "machine")
    assert done.exit_code == 2
    assert (
        "a.yaml:2:9: error: No type [type-unknown]\n  type: x\n        ^\n  all of it\n  did you mean y?" in done.stderr
    )


def test_a_deploy_plans_creates_follows_and_ends_with_outputs(canned: Canned, run: Any) -> None:
    canned.on("POST /plans", PLAN)
    canned.on("POST /deployments", {**VIEW, "phase": "pending"}, 202)
    canned.deployment(event(1), event(2, "phase.changed", "running"))
    done = run("deploy", "machine", "--name", "one", "--set", "cpus=2", "--site", "local")
    assert done.exit_code == 0, done.stderr
    sent = canned.body_of("POST /deployments")
    assert sent == {"template": {"catalogue": "machine"}, "name": "one", "inputs": {"cpus": 2}, "site": "local"}
    assert sent == canned.body_of("POST /plans")
    assert "create  machine worker[0]  it is not there" in done.stdout
    assert "create machine worker[0] (done in 1.5 s)" in done.stdout
    assert done.stdout.endswith("ip: 10.0.0.2\nn: [1]\n")
    assert next(r for r in canned.asked if r.method == "POST" and r.url.path == "/v1/deployments").headers[
        "idempotency-key"
    ]


def test_a_deploy_that_fails_says_why_and_ends_with_1(canned: Canned, run: Any) -> None:
    canned.on("POST /plans", PLAN)
    canned.on("POST /deployments", {**VIEW, "phase": "pending"}, 202)
    canned.deployment(event(1), event(2, "phase.changed", "failed"), phase="failed")
    done = run("deploy", "machine")
    assert done.exit_code == 1
    assert "one is failed." in done.stderr
    assert "because" in done.stderr
    assert "isthmus deploy --resume one" in done.stderr


def test_a_deploy_with_json_is_events_and_then_the_deployment(canned: Canned, run: Any) -> None:
    canned.on("POST /deployments", {**VIEW, "phase": "pending"}, 202)
    canned.deployment(event(1), event(2, "phase.changed", "running"))
    lines = [json.loads(line) for line in run("deploy", "machine", "--json").stdout.splitlines()]
    assert [line["id"] for line in lines] == [1, 2, ID]


def test_a_detached_deploy_does_not_wait(canned: Canned, run: Any) -> None:
    canned.on("POST /plans", PLAN)
    canned.on("POST /deployments", VIEW, 202)
    done = run("deploy", "machine", "--detach")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "one")
    assert "isthmus events -f one" in done.stderr


def test_leaving_by_ctrl_c_says_how_to_come_back(canned: Canned, run: Any) -> None:
    canned.on("POST /plans", PLAN)
    canned.on("POST /deployments", {**VIEW, "phase": "pending"}, 202)
    canned.deployment()

    def interrupt(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    canned.answers[f"GET /deployments/{ID}/events"] = interrupt
    done = run("deploy", "machine")
    assert done.exit_code == 130
    assert "isthmus events -f one" in done.stderr
    assert not [r for r in canned.asked if r.url.path.endswith("/cancel")]


def test_a_resume_tells_only_what_is_new(canned: Canned, run: Any) -> None:
    canned.deployment(event(1, message="old"), event(2, "phase.changed", "running"))
    canned.on("POST /deployments/one/resume", VIEW, 202)
    done = run("deploy", "--resume", "one")
    assert done.exit_code == 0, done.stderr
    assert "old" not in done.stdout


def test_a_deploy_wants_one_of_template_and_resume(run: Any, canned: Canned) -> None:
    assert run("deploy").exit_code == 2
    assert run("deploy", "machine", "--resume", "one").exit_code == 2
    assert run("deploy", "--resume", "one", "--set", "a=1").exit_code == 2
    assert canned.asked == []


def test_an_update_is_meant_for_the_version_that_was_shown(canned: Canned, run: Any) -> None:
    canned.deployment(event(1), event(2, "phase.changed", "running"))
    canned.on("POST /deployments/one/plan", PLAN)
    canned.on("PATCH /deployments/one", VIEW, 202)
    assert run("update", "one", "--set", "cpus=4").exit_code == 0
    sent = next(r for r in canned.asked if r.method == "PATCH")
    assert sent.headers["if-match"] == '"3"'
    assert json.loads(sent.content) == {"inputs": {"cpus": 4}}


def test_scaling_sends_node_count_and_what_goes_first(canned: Canned, run: Any) -> None:
    canned.deployment(event(1, "phase.changed", "running"))
    canned.on("POST /deployments/one/scale", VIEW, 202)
    assert run("scale", "one", "worker=1", "--remove", "0").exit_code == 0
    assert canned.body_of("POST /deployments/one/scale") == {"node": "worker", "count": 1, "remove": [0]}
    assert run("scale", "one", "worker").exit_code == 2


def test_a_deleted_deployment_that_is_forgotten_is_deleted(canned: Canned, run: Any) -> None:
    canned.deployment(event(1))
    canned.on("DELETE /deployments/one", {**VIEW, "phase": "deleting"}, 202)
    canned.problem(f"GET /deployments/{ID}/state", 404)
    done = run("delete", "one", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "one is deleted" in done.stderr


def test_the_phase_of_before_is_not_taken_for_the_end(canned: Canned, run: Any) -> None:
    """The server notes a change at once; until a worker begins, the deployment still shows its old phase."""
    canned.deployment(event(1, "phase.changed", "running"))
    canned.on("POST /deployments/one/stop", {**VIEW, "version": 4}, 202)
    streams = 0

    def begin(request: httpx.Request) -> httpx.Response:
        nonlocal streams
        if "follow" not in request.url.params:
            return httpx.Response(200, json={"items": []})
        streams += 1
        if streams == 1:
            return httpx.Response(200, content=b": still here\n\n")
        canned.on(f"GET /deployments/{ID}/state", {**SUMMARY, "phase": "stopped"})
        return httpx.Response(200, content=frames(event(2, "phase.changed", "stopped")))

    canned.answers[f"GET /deployments/{ID}/events"] = begin
    assert run("stop", "one").exit_code == 0


def test_a_stop_waits_until_it_is_stopped(canned: Canned, run: Any) -> None:
    canned.deployment(event(1, "phase.changed", "stopped"), phase="stopped")
    canned.on("POST /deployments/one/stop", {**VIEW, "phase": "stopping"}, 202)
    assert run("stop", "one").exit_code == 0


def test_plans_of_changes_name_counts(canned: Canned, run: Any) -> None:
    canned.on("POST /deployments/one/plan", {**PLAN, "actions": []})
    done = run("plan", "--for", "one", "--scale", "worker=4")
    assert done.stdout == "Nothing to do.\n"
    assert canned.body_of("POST /deployments/one/plan") == {"counts": {"worker": 4}}


def test_a_hostile_name_from_a_machine_cannot_move_the_cursor(canned: Canned, run: Any) -> None:
    canned.on("GET /deployments/one", {**VIEW, "outputs": {"x": "a\x1b[2Jb\u202ec"}})
    assert run("outputs", "one", "x").stdout == "a\ufffd[2Jb\ufffdc\n"


def test_logs_are_told_with_their_machine(canned: Canned, run: Any) -> None:
    line = {
        "id": 1,
        "deployment": ID,
        "time": 0.0,
        "instance": "worker[0]",
        "operation": "Standard.create",
        "text": "hi",
    }

    def tell(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"items": [] if request.url.params["after"] == "1" else [line]})

    canned.deployment()
    canned.answers["GET /deployments/one/logs"] = tell
    assert run("logs", "one").stdout == "worker[0] Standard.create | hi\n"
    assert json.loads(run("logs", "one", "--json").stdout) == line


def test_pruning_reads_times(canned: Canned, run: Any) -> None:
    canned.on("POST /images/prune", {"items": []})
    assert run("images", "prune", "--unused-for", "12h").exit_code == 0
    assert canned.body_of("POST /images/prune") == {"unused_for": 43200.0, "keys": []}
    assert run("images", "prune", "--unused-for", "soon").exit_code == 2


def test_the_command_after_dashes_is_left_alone(canned: Canned, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr("isthmus.cli.ssh.run_ssh", lambda access, command, terminal: ran.append(command) or 7)
    canned.on("GET /deployments/one/access", {"instance": "worker[0]"})
    done = run("exec", "one", "worker[0]", "--", "ls", "--json", "-l", "--", "x")
    assert done.exit_code == 7
    assert ran == [["ls", "--json", "-l", "--", "x"]]
    assert canned.asked[0].url.params["instance"] == "worker[0]"
    assert run("exec", "one", "ls").exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(run: Any, shell: str) -> None:
    assert "_ISTHMUS_COMPLETE" in run("completion", shell).stdout


def test_a_remote_server_wants_a_token(run: Any, tmp_path: Path) -> None:
    done = run("--url", "http://far.example", "list", env={"ISTHMUS_TOKEN": ""})
    assert done.exit_code == 2
    assert "--token-file" in done.stderr
    done = run("--url", "http://far.example", "--token-file", str(tmp_path / "none"), "list")
    assert done.exit_code == 2


def test_help_tells_the_exit_codes(run: Any) -> None:
    done = run("--help")
    assert "5    the server cannot be reached, or is busy" in done.stdout
