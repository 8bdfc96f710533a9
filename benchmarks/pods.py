"""How old the status of pods is that a cluster gets from the interLink plugin, and what it costs the scheduler.

Pods go through ``isthmus interlink plugin`` to a Slurm cluster of the catalogue, each a container in Apptainer that
ends at once. A client asks as the API server of interLink does: one body with all pods that have not ended, every
half second; and as the stock virtual kubelet does: one request for each pod in turn, then a pause of 5 s. The age of
an end is when the client saw it, less when slurmctld noted the end in its log. Against a loop on the controller
that asks ``squeue -j ID`` for one job after the other, as the stock Slurm plugin does, but without its pauses.
"""

from __future__ import annotations

import json
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from _cluster import IMAGE, NAME, QUERIES, Cluster, cluster
from common import ISTHMUS, PATIENCE, Progress, Report, cpu_seconds, parse_arguments

TICK = 0.5
"""Seconds between the questions of the API server."""
PAUSE = 5.0
"""Seconds that the stock virtual kubelet rests between two passes."""
CLIENTS = 8
ENDS = 300
"""Ends that are measured at most: of more pods the rest go on being asked for, and are deleted then."""
STOCK = {1: 8.0, 10: 47.0, 50: 177.0}
"""Median seconds until stock interLink with its Slurm plugin shows the end of so many pods; recorded elsewhere."""
_LOOP = """
for i in $(seq {count}); do
    left+=($(sbatch --parsable --output=/dev/null --mem=128 --wrap 'apptainer --silent exec {image} true'))
done
echo begun $EPOCHREALTIME
while (( ${{#left[@]}} )); do
    again=()
    for id in "${{left[@]}}"; do
        state=$(squeue --noheader --all --states=all --Format=exit_code,StateCompact --jobs="$id")
        case $state in *PD*|*R*|*CG*) again+=("$id");; *) echo "$id" $EPOCHREALTIME;; esac
    done
    left=("${{again[@]}}")
done
"""
say = Progress()


class _Socket(HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path):
        super().__init__("plugin", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


@dataclass(slots=True)
class Pods:
    """Pods at a plugin, by uid, as JSON; ``jobs`` has the job of each, ``ended`` when the client saw its end."""

    path: Path
    made: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def create(self, count: int) -> None:
        """Hand over pods, :data:`CLIENTS` at once."""
        with ThreadPoolExecutor(CLIENTS) as threads:
            for done in [threads.submit(self._create, pod(number)) for number in range(count)]:
                done.result()

    def _create(self, one: dict[str, Any]) -> None:
        uid, nothing = one["metadata"]["uid"], dict.fromkeys(("configMaps", "projectedvolumemaps", "secrets"))
        sent = [{"name": container["name"], **nothing} for container in one["spec"]["containers"]]
        body = json.dumps({"pod": one, "container": sent, "jobConfig": {}})
        answer = self.ask(_Socket(self.path), "POST", "/create", body)
        one["metadata"]["annotations"]["JobID"] = self.jobs[uid] = answer["PodJID"]
        self.made[uid] = json.dumps(one)  # once, since this client is not what is measured

    def all_at_once(self, until: Callable[[], bool]) -> None:
        """Ask as the API server does, until all pods have ended."""
        connection, due = _Socket(self.path), time.time()
        while not until():
            self._look(connection, self._going())
            due = max(due + TICK, time.time())
            time.sleep(max(0.0, due - time.time()))

    def one_by_one(self, until: Callable[[], bool]) -> None:
        """Ask as the stock virtual kubelet does, until all pods have ended."""
        connection = _Socket(self.path)
        while not until():
            time.sleep(PAUSE)
            connection.close()  # the plugin has by now; it opens again by itself
            for one in self._going():
                self._look(connection, [one])

    def _going(self) -> list[str]:
        return [one for uid, one in list(self.made.items()) if uid not in self.ended]

    def _look(self, connection: HTTPConnection, asked: Sequence[str]) -> None:
        for status in self.ask(connection, "GET", "/status", f"[{','.join(asked)}]") if asked else ():
            states = [container["state"].get("terminated") for container in status["containers"]]
            if all(states):
                self.ended[status["UID"]] = time.time()
                if any(state["exitCode"] for state in states):
                    raise SystemExit(f"a pod failed: {status}")

    def remove(self) -> None:
        """Delete all pods."""
        connection = _Socket(self.path)
        for one in self.made.values():
            connection.request("POST", "/delete", one)
            connection.getresponse().read()

    def ask(self, connection: HTTPConnection, method: str, path: str, body: str) -> Any:
        """One request and its answer."""
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {told.decode(errors='replace')[:1000]}")
        return json.loads(told)


def pod(number: int) -> dict[str, Any]:
    """A pod with the defaults that Kubernetes fills in, whose one container ends at once."""
    container = {
        "name": "main", "image": IMAGE, "command": ["true"], "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": {"cpu": "1", "memory": "128Mi"}, "requests": {"cpu": "1", "memory": "128Mi"}},
    }  # fmt: skip
    metadata = {
        "name": f"bench-{number}", "namespace": "bench", "uid": str(uuid.uuid4()), "annotations": {},
        "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1",
    }  # fmt: skip
    spec = {
        "containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 30, "nodeName": "vk",
        "dnsPolicy": "ClusterFirst", "serviceAccountName": "default", "serviceAccount": "default", "priority": 0,
        "securityContext": {}, "schedulerName": "default-scheduler", "enableServiceLinks": True,
        "nodeSelector": {"kubernetes.io/hostname": "vk"}, "preemptionPolicy": "PreemptLowerPriority",
        "tolerations": [{"key": "virtual-node.interlink/no-schedule", "operator": "Exists"}],
    }  # fmt: skip
    waiting = {"name": "main", "state": {"waiting": {}}, "lastState": {}, "ready": False, "image": IMAGE}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Pending", "containerStatuses": [waiting]}}


@contextmanager
def plugin(place: Cluster) -> Iterator[tuple[Path, int]]:
    """The plugin for a cluster; its socket and its process."""
    with tempfile.TemporaryDirectory() as folder:
        path, said = Path(folder) / "plugin.sock", Path(folder) / "log"
        with said.open("wb") as log:
            words = ["--site", NAME, "--image-path", IMAGE]
            command: list[str | Path] = [ISTHMUS, "interlink", "plugin", *words, "--socket", path]
            process = subprocess.Popen(command, env=place.server.environment, stdout=log, stderr=log)
        try:
            while not path.exists():
                if process.poll() is not None:
                    raise SystemExit(f"the plugin ended: {said.read_text()}")
                time.sleep(0.05)
            yield path, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@dataclass(frozen=True, slots=True)
class Found:
    """Ages of ends in seconds, queries of the scheduler a second, and seconds of CPU a second of server and plugin."""

    ages: Sequence[float]
    queries: float
    seconds: float
    cpu: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.ages)


def through_plugin(place: Cluster, count: int, mode: Callable[[Pods, Callable[[], bool]], None]) -> Found:
    """So many pods, from the first create until the client has seen all ends, :data:`ENDS` at most."""
    with plugin(place) as (path, process):
        pods, processes = Pods(path), (process, place.server.pid)
        asked, used, begun = queries(place), sum(map(cpu_seconds, processes)), time.time()
        try:
            with ThreadPoolExecutor(1) as threads:
                looking = threads.submit(
                    mode, pods, lambda: len(pods.jobs) == count and len(pods.ended) >= min(count, ENDS)
                )
                pods.create(count)
                looking.result()
            seconds = time.time() - begun
            asked, used = queries(place) - asked, sum(map(cpu_seconds, processes)) - used
            slurm, done = place.slurm_ids(), place.done()
            submissions = {id.rpartition("-")[0]: job for id, job in slurm.items()}
            ages = [seen - done[submissions[pods.jobs[uid]]] for uid, seen in pods.ended.items()]
        finally:
            pods.remove()
    return Found(ages, asked / seconds, seconds, used / seconds)


def by_squeue(place: Cluster, count: int) -> Found:
    """So many jobs of the same kind, asked after one by one on the controller."""
    asked = queries(place)
    said = [line.split() for line in place.user(_LOOP.format(count=count, image=IMAGE)).splitlines()]
    begun, seen = float(said[0][1]), {int(id): float(moment) for id, moment in said[1:]}
    seconds, done = max(seen.values()) - begun, place.done()
    return Found([moment - done[id] for id, moment in seen.items()], (queries(place) - asked) / seconds, seconds)


def queries(place: Cluster) -> int:
    """How often slurmctld was asked after jobs."""
    return sum(count for name, count in place.rpcs().items() if name in QUERIES)


def measure(
    place: Cluster, report: Report, counts: Sequence[int], loops: Sequence[int], kubelet: Sequence[int]
) -> None:
    stock: dict[int, Found] = {}
    for count in loops:
        say(f"{count} jobs, squeue for one after the other")
        stock[count] = by_squeue(place, count)
    for count in counts:
        say(f"{count} pods, asked for together")
        found = through_plugin(place, count, Pods.all_at_once)
        base, against = stock.get(count), "squeue -j, looped"
        of = base or found
        rows = [
            (f"{count} pods: age of an end, median", found.median, "s", of.median, ""),
            ("  worst", max(found.ages), "s", max(of.ages), "≤ 2 s"),
            ("  queries of the scheduler", found.queries, "/s", of.queries, "≤ 1"),
            ("  ends a second", len(found.ages) / found.seconds, "/s", count / of.seconds, ""),
        ]
        for what, value, unit, theirs, goal in rows:
            report.add(what, value, unit, theirs if base else None, against if base else "", goal)
        report.add("  CPU of plugin and server", found.cpu, "cores")
        if count in STOCK:
            report.add("  median, and stock", found.median, "s", STOCK[count], "stock interLink (recorded)")
    for count in kubelet:
        say(f"{count} pods, asked for one by one")
        found = through_plugin(place, count, Pods.one_by_one)
        report.add(f"{count} pods, a request each, 5 s pause: median", found.median, "s", STOCK.get(count),
                   "stock interLink (recorded)")  # fmt: skip
        report.add("  worst", max(found.ages), "s")


def main() -> None:
    """Measure, and print."""
    arguments = parse_arguments(__doc__ or "")
    report = Report("pods through interLink")
    counts, loops = ((1, 10, 50), (1, 10, 50)) if arguments.quick else ((1, 10, 50, 300, 1000), (1, 10, 50, 300))
    with cluster() as place:
        measure(place, report, counts, loops, (10,) if arguments.quick else (1, 10, 50))
    report.note("an age below 0 is an end that the supervisor told before slurmctld noted it")
    report.note("recorded: stock interLink of July 2026 with its Slurm plugin, on another machine")
    report.show(arguments.json)


if __name__ == "__main__":
    main()
