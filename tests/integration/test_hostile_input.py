"""Bad and hostile templates, through the real API and the real command: refused by name, the server unharmed."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from .servers import Server

HEAD = "tosca_definitions_version: tosca_simple_yaml_1_3\n"
NODES = HEAD + "topology_template:\n  node_templates:\n"
MACHINE = NODES + "    box: {type: tosca.nodes.Compute}\n"
SOFTWARE = MACHINE + "    app:\n      type: tosca.nodes.SoftwareComponent\n      requirements: [host: box]\n"


@dataclass(frozen=True)
class Case:
    """A template, the code of the diagnostic that refuses it, and a word that names what is wrong."""

    text: str
    code: str
    names: str
    files: dict[str, str] = field(default_factory=dict)


def importing(url: str) -> str:
    return HEAD + f"imports:\n  - {url}\n" + MACHINE.removeprefix(HEAD)


ALIASES = "dsl_definitions:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
CYCLE = (
    "node_types:\n  Loop: {derived_from: tosca.nodes.SoftwareComponent}\n" + MACHINE.removeprefix(HEAD)
    + "    one: {type: Loop, requirements: [host: box, dependency: two]}\n"
    + "    two: {type: Loop, requirements: [host: box, dependency: one]}\n"
)  # fmt: skip
CASES = {
    "an unknown type": Case(NODES + "    box: {type: tosca.nodes.Computer}\n", "type-unknown", "tosca.nodes.Computer"),
    "a wrong property": Case(
        NODES + "    box: {type: tosca.nodes.Compute, properties: {colour: red}}\n", "property-unknown", "colour"
    ),
    "a value of the wrong type": Case(
        NODES + "    box: {type: tosca.nodes.Compute, capabilities: {host: {properties: {num_cpus: many}}}}\n",
        "value-type", "num_cpus",
    ),
    "a cycle": Case(HEAD + CYCLE, "requirement-cycle", "one"),
    "a type that derives from itself": Case(
        HEAD + "node_types:\n  A: {derived_from: B}\n  B: {derived_from: A}\n" + MACHINE.removeprefix(HEAD),
        "type-cycle", "A",
    ),
    "a missing import": Case(importing("types.yaml"), "file-missing", "types.yaml"),
    "an alias bomb": Case(HEAD + ALIASES + MACHINE.removeprefix(HEAD), "yaml-alias", "alias"),
    "an import of a file of the server": Case(importing("file:///etc/passwd"), "import", "file:///etc/passwd"),
    "an import by a path that leaves": Case(importing("../../../../etc/passwd"), "import", "../../../../etc/passwd"),
    "an import by an absolute path": Case(importing("/etc/passwd"), "import", "/etc/passwd"),
    "an import from the metadata address": Case(
        importing("http://169.254.169.254/latest/meta-data/"), "import", "http://169.254.169.254/"
    ),
    "an artifact of the server": Case(
        SOFTWARE + "      interfaces: {Standard: {create: /etc/passwd}}\n", "path-escape", "/etc/passwd"
    ),
    "an artifact by a URL": Case(
        SOFTWARE + "      interfaces: {Standard: {create: 'file:///etc/passwd'}}\n", "path-escape", "file:///etc/passwd"
    ),
}  # fmt: skip


class Bait:
    """An HTTP server on loopback that notes who asks it: nobody must."""

    def __init__(self) -> None:
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:
                self.asked.append(handler.path)
                handler.send_response(200)
                handler.end_headers()
                handler.wfile.write(HEAD.encode())

            def log_message(handler, *_: object) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/types.yaml"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def bait() -> Iterator[Bait]:
    made = Bait()
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    made = Server(home, f"sites:\n  - {{name: fake, kind: fake, options: {{world: {home / 'world.db'}}}}}\n")
    made.start()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _unharmed(server: Server) -> Iterator[None]:
    """After each test the very same process answers, and nothing was made."""
    yield
    assert server.process is not None
    assert server.process.poll() is None
    assert server.api.get("/healthz").status_code == 200
    assert server.ask("/deployments")["items"] == []


def refused(answer: httpx.Response, code: str, names: str) -> None:
    assert answer.status_code == 422, answer.text[:2000]
    problem = answer.json()
    said = [d for d in problem["diagnostics"] if d["severity"] in ("error", "refusal")]
    assert code in {d["code"] for d in said}, said
    assert any(names in f"{d['summary']} {d['detail']} {d['excerpt']}" for d in said), said
    assert "root:" not in answer.text
    assert len(answer.text) < 20_000


def body(text: str, **files: str) -> dict[str, Any]:
    return {"name": "bad", "template": {"main": "bad.yaml", "files": {"bad.yaml": text, **files}}}


def archive(files: dict[str, bytes]) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for path, content in files.items():
            out.writestr(path, content)
    return base64.b64encode(buffer.getvalue()).decode()


def isthmus(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isthmus.cli.main", *words]
    return subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("name", CASES)
def test_the_api_refuses_it_with_a_diagnostic_that_names_it(server: Server, name: str) -> None:
    case = CASES[name]
    refused(server.api.post("/v1/deployments", json=body(case.text, **case.files)), case.code, case.names)
    refused(server.api.post("/v1/plans", json=body(case.text, **case.files)), case.code, case.names)


def test_the_command_refuses_them_each_with_its_file_and_place(server: Server, tmp_path: Path) -> None:
    for number, (name, case) in enumerate(CASES.items()):
        (tmp_path / f"bad{number}.yaml").write_text(case.text)
        if number % 4:
            continue
        done = isthmus(server, "deploy", str(tmp_path / f"bad{number}.yaml"), "--yes")
        assert done.returncode == 2, (name, done)
        assert case.names in done.stdout + done.stderr, (name, done)
    every = isthmus(server, "validate", *(str(tmp_path / f"bad{n}.yaml") for n in range(len(CASES))))
    assert every.returncode == 2
    for name, case in CASES.items():
        assert case.names in every.stdout + every.stderr, name
    assert "Traceback" not in every.stderr


def test_an_operation_whose_file_is_missing_is_refused_by_its_name(server: Server) -> None:
    text = SOFTWARE + "      interfaces: {Standard: {create: nowhere.sh}}\n"
    answer = server.api.post("/v1/deployments", json=body(text))
    assert answer.status_code == 422
    assert "nowhere.sh" in answer.text


@pytest.mark.parametrize("path", ["../outside.yaml", "/etc/cron.d/evil", "a/../../outside.sh", "..\\outside.yaml"])
def test_an_archive_that_leaves_its_folder_is_refused_by_the_name_of_the_file(server: Server, path: str) -> None:
    content = archive({"bad.yaml": MACHINE.encode(), path: b"x"})
    answer = server.api.post("/v1/deployments", json={"name": "bad", "template": {"archive": content}})
    assert answer.status_code == 422
    assert path.rpartition("/")[2].rpartition("\\")[2] in answer.text
    raw = server.api.post("/v1/deployments?name=bad", content=base64.b64decode(content),
                          headers={"Content-Type": "application/zip"})  # fmt: skip
    assert raw.status_code == 422
    assert not (server.home.parent / "outside.yaml").exists()


def test_files_with_paths_that_leave_are_refused(server: Server) -> None:
    for path in ("../../evil.sh", "/evil.sh", "a/./evil.sh", "..\\evil.sh", ""):
        answer = server.api.post("/v1/deployments", json=body(MACHINE, **{path: "x"}))
        refused(answer, "path-escape", repr(path))


def test_more_files_than_a_template_may_have_are_refused(server: Server) -> None:
    refused(server.api.post("/v1/deployments", json=body(MACHINE, **{f"f{n}": "" for n in range(3000)})),
            "too-large", "3,001 files")  # fmt: skip


@pytest.mark.parametrize("place", ["path", "content", "input", "name"])
def test_halves_of_characters_are_refused(server: Server, place: str) -> None:
    sent = body(MACHINE if place != "content" else MACHINE + "# HALF", **({"HALF.sh": "x"} if place == "path" else {}))
    sent |= {"name": "HALF"} if place == "name" else {"inputs": {"a": "HALF"}} if place == "input" else {}
    answer = send(server, json.dumps(sent).replace("HALF", "\\ud800").encode())
    assert answer.status_code == 422, answer.text


def test_an_archive_that_unpacks_to_far_more_than_it_weighs_is_refused(server: Server) -> None:
    content = archive({"bad.yaml": MACHINE.encode(), "zeros": bytes(200 * 2**20)})
    before = most_memory(server)
    answer = server.api.post("/v1/deployments", json={"name": "bad", "template": {"archive": content}})
    refused(answer, "too-large", "unpacks")
    assert most_memory(server) - before < 150


def test_imports_from_the_server_itself_are_refused_and_never_asked_for(server: Server, bait: Bait) -> None:
    for url in (bait.url, bait.url.replace("127.0.0.1", "localhost"), bait.url.replace("127.0.0.1", "[::1]")):
        text = importing(f"'{url}'")
        refused(server.api.post("/v1/deployments", json=body(text)), "import", url)
        path = server.home / "importing.yaml"
        path.write_text(text)
        assert isthmus(server, "validate", str(path)).returncode == 2
    assert bait.asked == []


def test_a_template_of_50_megabytes_is_refused_and_not_kept_in_memory(server: Server, tmp_path: Path) -> None:
    before = most_memory(server)
    large = json.dumps(body(MACHINE + "#" * (50 * 2**20))).encode()
    announced = send(server, large)
    assert announced.status_code == 413
    assert "MiB" in announced.text
    unannounced = send(server, (large[n : n + 2**16] for n in range(0, len(large), 2**16)))
    assert unannounced.status_code == 413
    assert most_memory(server) - before < 150
    (tmp_path / "large.yaml").write_text(MACHINE + "#" * (50 * 2**20))
    done = isthmus(server, "deploy", str(tmp_path / "large.yaml"), "--yes")
    assert done.returncode == 2
    assert "large.yaml" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_template_just_below_the_bound_is_refused_in_little_memory(server: Server) -> None:
    before = most_memory(server)
    text = HEAD + "dsl_definitions: [" + "a," * (7 * 2**20) + "a]\n"
    answer = server.api.post("/v1/deployments", json=body(text))
    refused(answer, "too-large", "bad.yaml" if "bad.yaml" in answer.text else "")
    assert most_memory(server) - before < 300


def test_many_hostile_requests_at_once_leave_the_server_answering(server: Server) -> None:
    hostile = [
        CASES["an alias bomb"].text,
        HEAD + "x: " + "[" * 100_000,
        NODES + "    m: {type: " + "y" * 100_000 + "}",
    ]

    def send_all() -> None:
        with httpx.Client(
            base_url=server.api.base_url, headers=server.api.headers, timeout=300, trust_env=False
        ) as api:
            for text in hostile:
                assert api.post("/v1/plans", json=body(text)).status_code == 422

    threads = [threading.Thread(target=send_all) for _ in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert server.api.get("/healthz").status_code == 200
        threads[0].join(0.05)
        for thread in threads:
            thread.join(0.01)


def send(server: Server, content: Any) -> httpx.Response:
    """A POST whose answer may come before all was sent, when the server closes."""
    with httpx.Client(base_url=server.api.base_url, headers=server.api.headers, timeout=300, trust_env=False) as api:
        return api.post("/v1/deployments", content=content, headers={"Content-Type": "application/json"})


def most_memory(server: Server) -> float:
    """The most that the server's process has had in memory, in MiB."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
