"""The command and a real server, on the fake site: one process each, as a person has them."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

TEMPLATE = """\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  inputs:
    workers: {type: integer, default: 2, constraints: [in_range: [1, 8]]}
  node_templates:
    front:
      type: tosca.nodes.Compute
    worker:
      type: tosca.nodes.Compute
      capabilities:
        scalable: {properties: {min_instances: 1, max_instances: 8, default_instances: {get_input: workers}}}
  outputs:
    address: {value: {get_attribute: [front, private_address]}}
"""
CONFIG = """\
sites:
  - {{name: pretend, kind: fake, options: {{world: "{world}", latency: {latency}}}}}
"""


class Home:
    """A home folder with a fake site, and the commands on it."""

    def __init__(self, path: Path, latency: float = 0.0):
        self.path = path
        self.template = path / "two.yaml"
        self.template.write_text(TEMPLATE)
        (path / "config.yaml").write_text(CONFIG.format(world=path / "world.db", latency=latency))
        self.env = {**os.environ, "ISTHMUS_HOME": str(path)}
        for name in ("ISTHMUS_URL", "ISTHMUS_TOKEN", "ISTHMUS_DATABASE_URL", "ISTHMUS_LISTEN"):
            self.env.pop(name, None)

    def popen(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "isthmus.cli.main", *words]
        return subprocess.Popen(
            command, env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )

    def run(self, *words: str, code: int = 0, **options: Any) -> str:
        with self.popen(*words, **options) as done:
            out, err = done.communicate(timeout=300)
        assert done.returncode == code, f"{words}: {done.returncode}\n{out}\n{err}"
        return out if code == 0 else out + err

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def server(self) -> dict[str, Any]:
        noted: dict[str, Any] = json.loads((self.path / "server.json").read_text())
        return noted

    def kill(self) -> None:
        os.kill(self.server()["pid"], signal.SIGKILL)


@pytest.fixture
def make_home(tmp_path: Path) -> Iterator[Callable[..., Home]]:
    made: list[Home] = []

    def make(**options: Any) -> Home:
        made.append(Home(tmp_path, **options))
        return made[-1]

    yield make
    for home in made:
        home.run("server", "stop")


def eventually(ask: Callable[[], Any]) -> Any:
    """What ``ask`` answers once that is true; what it waits for has no other way to say so."""
    deadline = time.monotonic() + 120
    while not (answer := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer


def until_said(process: subprocess.Popen[str], words: str) -> None:
    """Read what a command prints, up to the line that has these words."""
    assert process.stdout is not None
    for line in iter(process.stdout.readline, ""):
        if re.search(words, line):
            return
    pytest.fail(f"it ended before it said {words}")


def test_a_deployment_lives_its_life(make_home: Callable[..., Home]) -> None:
    home = make_home()
    out = home.run("deploy", str(home.template), "--name", "one", "--set", "workers=3")
    assert "create  machine worker[2]" in out
    assert "address: 10." in out
    assert [d["name"] for d in home.json("list")] == ["one"]
    home.run("scale", "one", "worker=1", "--remove", "0")
    nodes = {n["name"]: n for n in home.json("show", "one")["nodes"]}
    assert len(nodes["worker"]["instances"]) == 1
    assert nodes["worker"]["instances"][0]["index"] != 0
    home.run("update", "one", "--set", "workers=2", "--yes")
    home.run("stop", "one")
    assert home.json("show", "one")["phase"] == "stopped"
    home.run("start", "one")
    assert home.run("outputs", "one", "address").startswith("10.")
    assert "running" in home.run("events", "one")
    assert json.loads(home.run("plan", "--for", "one", "--json"))["actions"] == []
    home.run("delete", "one", "--yes")
    assert home.json("list") == []
    assert home.json("sites")[0]["machines"] == 0


def test_wrong_things_have_their_exit_codes(make_home: Callable[..., Home]) -> None:
    home = make_home()
    home.run("deploy", str(home.template), "--name", "one", "--detach")
    assert "in_range" in home.run("deploy", str(home.template), "--set", "workers=99", code=2)
    assert "one" in home.run("deploy", str(home.template), "--name", "one", code=4)
    home.run("show", "two", code=3)
    home.run("scale", "one", "nothing=2", code=2)
    bad = home.path / "bad.yaml"
    bad.write_text(TEMPLATE.replace("tosca.nodes.Compute", "tosca.nodes.Computer"))
    told = home.run("validate", str(bad), str(home.template), code=2)
    assert "bad.yaml:" in told
    assert "^" in told
    assert "tosca.nodes.Compute'" in told
    assert home.json("list")[0]["name"] == "one"


def test_validating_needs_no_server(make_home: Callable[..., Home]) -> None:
    home = make_home()
    assert home.run("validate", str(home.template)) == f"{home.template}: valid\n"
    assert not (home.path / "server.json").exists()


def test_two_commands_at_once_start_one_server(make_home: Callable[..., Home]) -> None:
    home = make_home()
    both = [home.popen("list", "--json") for _ in range(3)]
    assert [p.communicate(timeout=300)[0] for p in both] == ["[]\n"] * 3
    log = (home.path / "server.log").read_text()
    assert log.count("serving on") == 1


def test_the_server_starts_once_and_is_told_from_a_stale_note(make_home: Callable[..., Home]) -> None:
    home = make_home()
    home.run("server", "status", code=5)
    first = home.json("server", "start")
    assert home.json("server", "start") == first
    assert first["url"].startswith("http://127.0.0.1:")
    assert stat.S_IMODE((home.path / "token").stat().st_mode) == 0o600
    assert home.json("server", "status")["pid"] == first["pid"]
    home.kill()
    home.run("server", "status", code=5)
    assert home.json("server", "start")["pid"] != first["pid"]
    assert home.json("server", "stop") == {"stopped": True}
    assert home.json("server", "stop") == {"stopped": False}


def test_without_the_token_the_server_tells_nothing(make_home: Callable[..., Home]) -> None:
    home = make_home()
    url = home.json("server", "start")["url"]
    assert httpx.get(f"{url}/v1/deployments", trust_env=False).status_code == 401
    assert httpx.get(f"{url}/docs", trust_env=False).status_code == 200


def test_a_second_server_in_the_foreground_is_refused(make_home: Callable[..., Home]) -> None:
    home = make_home()
    home.run("server", "start")
    assert "already runs" in home.run("server", "start", "--foreground", code=4)


def test_a_wrong_setting_is_told_when_the_server_does_not_start(make_home: Callable[..., Home]) -> None:
    home = make_home()
    (home.path / "config.yaml").write_text("tik: 3\n")
    assert "unknown key tik" in home.run("list", code=5)


def test_a_deploy_outlives_the_server_that_began_it(make_home: Callable[..., Home]) -> None:
    home = make_home(latency=0.5)
    home.run("server", "start")
    with home.popen("deploy", str(home.template), "--name", "one", "--json") as deploy:
        until_said(deploy, '"action.started"')
        home.kill()
        out, err = deploy.communicate(timeout=300)
    assert deploy.returncode == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert events[-1]["phase"] == "running"
    ids = [e["id"] for e in events[:-1]]
    assert ids == sorted(set(ids))
    assert home.json("sites")[0]["machines"] == 3
    home.run("delete", "one", "--yes")


def test_ctrl_c_leaves_the_work_to_the_server(make_home: Callable[..., Home]) -> None:
    home = make_home(latency=2)  # long enough that the work is not over when the signal comes
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # who runs the tests in the background ignores it
    with home.popen("deploy", str(home.template), "--name", "one", start_new_session=True, preexec_fn=heard) as deploy:
        # An event has its time before it; the plan, which is shown before anything is asked for, has not.
        until_said(deploy, r"^[0-9:]{8} create machine")
        os.killpg(deploy.pid, signal.SIGINT)
        _, err = deploy.communicate(timeout=300)
    assert deploy.returncode == 130
    assert "isthmus events -f one" in err
    eventually(lambda: home.json("show", "one")["phase"] == "running")


def test_stopping_the_server_ends_those_who_follow(make_home: Callable[..., Home]) -> None:
    home = make_home()
    home.run("deploy", str(home.template), "--name", "one")
    server = home.server()
    token = (home.path / "token").read_text()
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    with httpx.stream(
        "GET", f"{server['url']}/v1/deployments/one/events", headers=headers, timeout=60, trust_env=False
    ) as answer:
        lines = answer.iter_lines()
        next(lines)
        home.run("server", "stop")
        rest = list(lines)
    assert any('"running"' in line for line in rest)
