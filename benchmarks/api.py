"""The API under load, on a fake site: creates, reads of state, lists; memory and threads of the server.

Set against ``bare-fastapi``, one route that answers a constant, and beside it against what was recorded
of Infrastructure Manager 2.0 on two cores of the same kind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from common import (
    PYTHON,
    Isthmus,
    Progress,
    Report,
    isthmus,
    memory_and_threads,
    parse_arguments,
    percentile,
)

CLIENTS = 16
CONFIG = "sites: [{name: fake, kind: fake}]\n"
RECORDED = "recorded: IM 2.0"
IM_CREATE, IM_CREATE_LATE, IM_STATE = 12.0, 7.0, 138.0
"""Requests a second of Infrastructure Manager 2.0: creates at first and at last, reads of state."""
say = Progress()

INLINE = """\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  inputs:
    cpus: { type: integer, default: 1 }
    note: { type: string, default: none }
  node_templates:
    server:
      type: tosca.nodes.Compute
      capabilities:
        host: { properties: { num_cpus: { get_input: cpus }, mem_size: 1 GiB } }
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, and the token that they carry."""

    port: int
    token: str = "none"

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """A whole HTTP/1.1 request on a connection that stays open."""
        head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {self.token}"]
        if body:
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*head, "", ""]).encode() + body

    def get(self, path: str) -> Any:
        """One read, with a connection of its own."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with urllib.request.urlopen(urllib.request.Request(self.url(path), headers=headers)) as answer:
            return json.load(answer)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


async def send_all(endpoint: Endpoint, requests: Sequence[bytes]) -> list[float]:
    """Send every request from CLIENTS connections; answers what each took, in the order of their ends."""
    waiting, took = iter(requests), list[float]()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        for request in waiting:
            begun = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            answer = await reader.readexactly(int(length[1]) if length else 0)
            if not head.startswith((b"HTTP/1.1 202", b"HTTP/1.1 200")):
                raise SystemExit(f"refused: {head.decode()}{answer.decode()[:500]}")
            took.append(time.perf_counter() - begun)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return took


def send(endpoint: Endpoint, requests: Sequence[bytes]) -> tuple[float, list[float]]:
    """Requests a second, and what each took in seconds."""
    begun = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        took = runner.run(send_all(endpoint, requests))
    return len(requests) / (time.perf_counter() - begun), took


def load(endpoint: Endpoint, paths: Sequence[str], seconds: int) -> tuple[float, float]:
    """Reads a second by wrk from CLIENTS connections over ``paths`` in turn, and the 99th percentile in ms."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        listed = ",".join(json.dumps(path) for path in paths)
        script.write(f"local p = {{{listed}}}\nlocal i = 0\n")
        script.write('request = function() i = i % #p + 1; return wrk.format("GET", p[i]) end\n')
        script.flush()
        command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--latency", "-s", script.name]
        command += ["-H", f"Authorization: Bearer {endpoint.token}", endpoint.url("/")]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(f"wrk was refused: {out}")
    rate, late = re.search(r"Requests/sec:\s+([\d.]+)", out), re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    assert rate is not None
    assert late is not None, "wrk prints both"
    return float(rate[1]), float(late[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[late[2]]


@contextmanager
def bare() -> Iterator[tuple[Endpoint, int]]:
    """The baseline's server and its process."""
    process = subprocess.Popen([PYTHON, str(Path(__file__).with_name("_bare.py"))], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        endpoint = Endpoint(int(process.stdout.readline()))
        while True:
            try:
                endpoint.get("/constant")
                break
            except OSError:
                time.sleep(0.05)
        yield endpoint, process.pid
    finally:
        process.terminate()
        process.wait()


def creates(endpoint: Endpoint, first: int, count: int) -> list[bytes]:
    """Requests for one machine each, from the catalogue."""
    bodies = [{"template": {"catalogue": "machine"}, "name": f"b-{n}"} for n in range(first, first + count)]
    return [endpoint.request("POST", "/v1/deployments", json.dumps(body).encode()) for body in bodies]


def fresh_creates(endpoint: Endpoint, count: int) -> list[bytes]:
    """Requests whose template text and inputs the server has never seen: nothing can be remembered."""
    bodies = [
        {"template": {"main": "t.yaml", "files": {"t.yaml": f"{INLINE}# {n}\n"}}, "name": f"f-{n}",
         "inputs": {"note": str(n)}}
        for n in range(count)
    ]  # fmt: skip
    return [endpoint.request("POST", "/v1/deployments", json.dumps(body).encode()) for body in bodies]


def settle(endpoint: Endpoint) -> float:
    """Seconds until no deployment is on its way."""
    begun = time.perf_counter()
    while any(endpoint.get(f"/v1/deployments?limit=1&phase={p}")["items"] for p in ("pending", "deploying")):
        time.sleep(0.2)
    return time.perf_counter() - begun


def tell_blocks(report: Report, took: Sequence[float], block: int) -> None:
    """p50, p95 and the longest of each block of requests, in ms."""
    for begin in range(0, len(took), block):
        part = [1000 * t for t in took[begin : begin + block]]
        figures = f"p50 {percentile(part, 0.5):6.1f}  p95 {percentile(part, 0.95):6.1f}  max {max(part):6.1f} ms"
        report.note(f"creates {begin + 1:>6}..{begin + len(part):<6} {figures}")


def measure_baseline(quick: bool) -> dict[str, float]:
    with bare() as (endpoint, pid):
        bodies = [json.dumps({"template": {"catalogue": "machine"}, "name": f"b-{n}"}).encode() for n in range(1000)]
        rate, took = send(endpoint, [endpoint.request("POST", "/constant", body) for body in bodies])
        reads, late = load(endpoint, ["/constant"], 1 if quick else 5)
        size, threads = memory_and_threads(pid)
    return {"create": rate, "p95": percentile(took, 0.95), "read": reads, "late": late, "memory": size,
            "threads": threads}  # fmt: skip


def measure_reads(report: Report, endpoint: Endpoint, count: int, base: dict[str, float], seconds: int) -> None:
    step = max(1, count // 500)
    paths = [f"/v1/deployments/b-{n}/state" for n in range(0, count, step)]
    rate, late = load(endpoint, paths, seconds)
    report.add(f"state reads at {count:,}", rate, "/s", base["read"], "bare-fastapi", "≥ 2,760/s")
    report.add("", rate, "/s", IM_STATE, RECORDED, "≥ 20 ×")
    report.add(f"  99th percentile at {count:,}", late, "ms", base["late"], "bare-fastapi")
    rate, late = load(endpoint, ["/v1/deployments?limit=50"], seconds)
    report.add(f"lists of 50 at {count:,}", rate, "/s", base["read"], "bare-fastapi")
    rate, late = load(endpoint, [f"/v1/deployments/b-{n}" for n in range(0, count, step)], seconds)
    report.add(f"whole views at {count:,}", rate, "/s", base["read"], "bare-fastapi")


def create_some(report: Report, endpoint: Endpoint, first: int, count: int, base: dict[str, float]) -> None:
    last = first + count
    say(f"creating deployments {first + 1:,} to {last:,} with {CLIENTS} clients")
    rate, took = send(endpoint, creates(endpoint, first, count))
    report.add(f"creates, {first + 1:,} to {last:,}", rate, "/s", base["create"], "bare-fastapi", "≥ 240/s")
    report.add("", rate, "/s", IM_CREATE if first == 0 else IM_CREATE_LATE, RECORDED, "≥ 20 ×")
    head, tail = took[: len(took) // 10], took[-len(took) // 10 :]
    report.add("  p95 of the first tenth", 1000 * percentile(head, 0.95), "ms", 1000 * base["p95"], "bare-fastapi")
    report.add("  p95 of the last tenth", 1000 * percentile(tail, 0.95), "ms", 1000 * percentile(head, 0.95),
               "its first tenth", "flat")  # fmt: skip
    tell_blocks(report, took, max(1, count // 10))
    say("waiting until all are running")
    rest = settle(endpoint)
    report.add(f"  until all {last:,} run, after the last", rest, "s")
    report.add("  deployments made real", count / (rest + sum(took) / CLIENTS), "/s", rate, "their creates")


def measure(report: Report, server: Isthmus, base: dict[str, float], sizes: Sequence[int], seconds: int) -> None:
    endpoint = Endpoint(int(server.url.rpartition(":")[2]), server.token)
    first = 0
    for size in sizes:
        create_some(report, endpoint, first, size - first, base)
        say(f"reading at {size:,}")
        measure_reads(report, endpoint, size, base, seconds)
        used, threads = memory_and_threads(server.pid)
        report.add(f"memory of the server at {size:,}", used, "MB", base["memory"], "bare-fastapi")
        report.add(f"threads of the server at {size:,}", threads, "", base["threads"], "bare-fastapi")
        first = size
    count = min(200, sizes[0])
    rate, _ = send(endpoint, fresh_creates(endpoint, count))
    report.add(f"creates of {count} templates never seen", rate, "/s", base["create"], "bare-fastapi")
    settle(endpoint)


def add_sizes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", type=int, nargs="+", help="how many deployments to measure at")


def main() -> None:
    args = parse_arguments(__doc__ or "", add_sizes)
    sizes = args.sizes or ([200, 1000] if args.quick else [1000, 10_000])
    report = Report("api")
    say("the baseline")
    base = measure_baseline(args.quick)
    with isthmus(CONFIG) as server:
        measure(report, server, base, sizes, 2 if args.quick else 5)
    report.show(args.json)


if __name__ == "__main__":
    main()
