"""Getting an engine to run: started by hand, by two processes at once, and what is said when it cannot be."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isthmus.sites.errors import Permanent, Temporary
from isthmus.sites.local import docker_engine
from isthmus.sites.local.docker_engine import Engine, answers, ensure_running, start

pytestmark = pytest.mark.engine


@pytest.fixture
def dockerd(scratch: Path) -> Iterator[Engine]:
    """A Docker of the test's own that shares nothing with the one that may run here.

    It gets a network namespace of its own, since even without a bridge it would take down the other's.
    """
    docker_engine.ensure_running(docker_engine.DOCKER.socket, print)
    socket = f"unix://{scratch}/docker.sock"
    options = {
        "--data-root": f"{scratch}/data",
        "--exec-root": f"{scratch}/exec",
        "--pidfile": f"{scratch}/pid",
        "--containerd-namespace": "isthmus-test",
        "--containerd-plugins-namespace": "isthmus-test-plugins",
        "--host": socket,
    }
    apart = ("--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false")
    command = ("unshare", "--net", "dockerd", *(word for option in options.items() for word in option), *apart)
    yield Engine("Docker", "dockerd", "none.service", socket, command)
    pid = scratch / "pid"
    if pid.exists():
        _end(int(pid.read_text()))


def _end(pid: int) -> None:
    end = time.monotonic() + 90
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < end:
            os.kill(pid, 0)
            time.sleep(0.05)
        pytest.fail("the test's Docker does not end")


@pytest.fixture
def without_systemd() -> None:
    if Path("/run/systemd/system").is_dir():
        pytest.skip("systemd starts engines here")


@pytest.mark.usefixtures("without_systemd")
def test_docker_is_started_by_hand_where_there_is_no_systemd(dockerd, scratch):
    said: list[str] = []

    start(dockerd, said.append)

    assert answers(dockerd.socket)
    assert said[0] == "starting Docker"
    assert os.getsid(int((scratch / "pid").read_text())) != os.getsid(0)


@pytest.mark.usefixtures("without_systemd")
def test_two_who_find_no_engine_start_one(dockerd, scratch, monkeypatch):
    monkeypatch.setattr(docker_engine, "DOCKER", dockerd)
    said: list[str] = []

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: ensure_running(dockerd.socket, said.append), range(2)))

    assert said.count("starting Docker") == 1


@pytest.mark.usefixtures("without_systemd")
def test_an_engine_that_does_not_start_is_quoted(scratch):
    command = (sys.executable, "-c", "raise SystemExit('no room for containers')")
    broken = Engine("Docker", "broken", "none.service", f"unix://{scratch}/none.sock", command)

    with pytest.raises(Temporary, match="no room for containers"):
        start(broken, print)


def test_an_engine_elsewhere_is_not_started_from_here(scratch):
    with pytest.raises(Permanent, match="DOCKER_HOST"):
        ensure_running(f"unix://{scratch}/elsewhere.sock", print)


def test_provisioning_a_machine_that_is_ready_says_nothing(docker_socket, scratch):
    command = [sys.executable, "-m", "isthmus.sites.local.provision"]
    environment = {k: v for k, v in os.environ.items() if k != "DOCKER_HOST"}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_provisioning_that_fails_ends_with_the_reason(scratch):
    command = [sys.executable, "-m", "isthmus.sites.local.provision"]
    environment = os.environ | {"DOCKER_HOST": f"unix://{scratch}/none.sock"}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("local site: no container engine answers")
    assert "Traceback" not in done.stderr
