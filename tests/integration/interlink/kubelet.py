"""What stands before the endpoints in a cluster: a virtual kubelet that hands over pods, looks at them, reads logs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ...unit.api.interlink.pods import log_request, pod
from ..servers import eventually
from .pod_kinds import Kind

PATIENCE = 60.0
Status = dict[str, Any]


@dataclass
class Pod:
    """A pod that was handed over; ``made`` is what the cluster knows of it."""

    made: dict[str, Any]
    number: str
    last: Status = field(default_factory=dict)

    @property
    def uid(self) -> str:
        return str(self.made["metadata"]["uid"])

    @property
    def phase(self) -> str:
        """What the stock virtual kubelet makes of the last answer."""
        states = [one["state"] for one in self.last.get("containers", ())]
        init = [one["state"] for one in self.last.get("initContainers", ())]
        if not states or not (all("terminated" in one for one in init + states) or self._begun(states)):
            return "Pending"
        if all("terminated" in one for one in states):
            return "Failed" if any(one["terminated"]["exitCode"] for one in states) else "Succeeded"
        return "Running"

    @staticmethod
    def _begun(states: list[Status]) -> bool:
        return all("terminated" in one for one in states) or any("running" in one for one in states)

    def container(self, name: str) -> Status:
        """How the cluster shows a container, init containers too."""
        every = [*self.last["containers"], *self.last["initContainers"]]
        return next(one for one in every if one["name"] == name)

    def ended(self, name: str) -> Status:
        """How a container has ended."""
        over: Status = self.container(name)["state"].get("terminated") or {}
        assert over, self.last
        return over


class Kubelet:
    """Speaks to `isthmus interlink api`, before `isthmus interlink plugin`, before a site; all three as processes."""

    def __init__(self, home: Path, site: str, folder: Path, images: str, *options: str):
        self._folder = folder
        self.images = images
        self._environment = {**os.environ, "ISTHMUS_HOME": str(home)}
        self._options = ["--site", site, *options]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        transport = httpx.HTTPTransport(uds=str(folder / "api.sock"), limits=httpx.Limits(max_connections=None))
        self.http = httpx.Client(transport=transport, base_url="http://api", timeout=120)

    def start(self) -> None:
        self.start_plugin()
        self._run("api", ["--plugin", f"unix://{self._folder / 'plugin.sock'}"])

    def start_plugin(self) -> None:
        self._run("plugin", self._options)

    def kill_plugin(self) -> None:
        """As a crash would."""
        self._processes["plugin"].kill()
        self._processes["plugin"].wait(20)
        (self._folder / "plugin.sock").unlink(missing_ok=True)

    def close(self) -> None:
        self.http.close()
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            process.wait(30)

    def said(self, which: str = "plugin") -> str:
        return (self._folder / f"{which}.log").read_text(errors="replace")

    def _run(self, which: str, words: list[str]) -> None:
        socket = self._folder / f"{which}.sock"
        command = [sys.executable, "-c", "from isthmus.cli.main import main; main()", "interlink", which, *words]
        with (self._folder / f"{which}.log").open("ab") as log:
            self._processes[which] = subprocess.Popen(
                [*command, "--socket", str(socket)], env=self._environment, stdout=log, stderr=log
            )
        eventually(lambda: socket.exists() or self._processes[which].poll() is not None, 30)
        assert socket.exists(), self.said(which)

    def manifest(self, kind: Kind) -> dict[str, Any]:
        """The pod of a kind as the cluster has it, with a name and a uid of its own."""
        uid = str(uuid.uuid4())
        spec = {**kind.spec, **({"initContainers": self._placed(kind.init)} if kind.init else {})}
        return pod(
            *self._placed(kind.containers), uid=uid, name=f"{kind.name}-{uid[:8]}",
            annotations=dict(kind.annotations), **spec,
        )  # fmt: skip

    def _placed(self, containers: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        return [{**one, "image": f"{self.images}/{one['image']}"} for one in containers]

    def create(self, kind: Kind) -> Pod:
        made = self.manifest(kind)
        answer = self.hand_over(made, kind.sent)
        assert answer.status_code == 200, answer.text
        ids = answer.json()
        assert ids["PodUID"] == made["metadata"]["uid"]
        made["metadata"]["annotations"]["JobID"] = ids["PodJID"]
        return Pod(made, ids["PodJID"])

    def hand_over(self, made: dict[str, Any], sent: Mapping[str, Any] | None = None) -> httpx.Response:
        nothing = {"configmaps": None, "secrets": None, "projectedvolumesmaps": None, "jobscriptURL": ""}
        return self.http.post("/create", json={"pod": made, **nothing, **(sent or {})})

    def look(self, *pods: Pod) -> None:
        """Ask once for each, as the virtual kubelet does."""
        for one in pods:
            answer = self.http.request("GET", "/status", json=[one.made])
            assert answer.status_code == 200, answer.text
            [one.last] = answer.json()

    def until(self, one: Pod, true: Callable[[Pod], Any], seconds: float = PATIENCE) -> Pod:
        """The pod once what is asked of it is so."""
        deadline = time.monotonic() + seconds
        while True:
            self.look(one)
            if true(one):
                return one
            assert time.monotonic() < deadline, one.last
            time.sleep(0.1)

    def until_ended(self, one: Pod, seconds: float = PATIENCE) -> Pod:
        return self.until(one, lambda p: p.phase in ("Succeeded", "Failed"), seconds)

    def log(self, one: Pod, container: str, **options: Any) -> str:
        answer = self.http.request("GET", "/getLogs", json=log_request(one.uid, container, **options))
        assert answer.status_code == 200, answer.text
        return answer.text

    @contextmanager
    def following(self, one: Pod, container: str, **options: Any) -> Iterator[Iterator[str]]:
        """The lines of a log as they come."""
        request = log_request(one.uid, container, Follow=True, **options)
        with self.http.stream("GET", "/getLogs", json=request) as answer:
            assert answer.status_code == 200
            yield answer.iter_lines()

    def delete(self, one: Pod, grace: float | None = None) -> None:
        if grace is not None:
            one.made["metadata"] |= {
                "deletionTimestamp": "2026-11-21T15:15:40Z", "deletionGracePeriodSeconds": grace,
            }  # fmt: skip
        answer = self.http.request("DELETE", "/delete", json=one.made)
        assert answer.status_code == 200, answer.text
