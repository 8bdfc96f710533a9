"""Real server processes with a home of their own, killed and started again; clients and lookers-on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")


def eventually(ask: Callable[[], T], seconds: float = 60.0, pause: float = 0.02) -> T:
    """What ``ask`` answers once that is true; what it waits for has no other way to say so."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)
    return answer


class Server:
    """`python -m isthmus.api.server` on a home folder, in the foreground."""

    def __init__(self, home: Path, config: str, **environment: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.yaml").write_text(config)
        self.home = home
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ISTHMUS_")}
        self.environment = {**kept, "ISTHMUS_HOME": str(home), **environment}
        self.process: subprocess.Popen[bytes] | None = None
        self.api = httpx.Client(timeout=300, trust_env=False)

    def start(self) -> None:
        """Start it and wait until it serves."""
        with (self.home / "server.log").open("ab") as log:
            command = [sys.executable, "-m", "isthmus.api.server"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=self.home)
        noted = eventually(self._noted)
        self.api.base_url = httpx.URL(noted["url"])
        self.api.headers["Authorization"] = f"Bearer {(self.home / 'token').read_text().strip()}"

    def _noted(self) -> dict[str, Any] | None:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            noted: dict[str, Any] = json.loads((self.home / "server.json").read_text())
        except (OSError, ValueError):
            return None
        return noted if noted["pid"] == self.process.pid else None

    def kill(self) -> None:
        """As a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an operator would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(90)

    def close(self) -> None:
        self.stop()
        self.api.close()

    def log(self) -> str:
        return (self.home / "server.log").read_text(errors="replace")[-4000:]

    def ask(self, path: str, **query: Any) -> Any:
        answer = self.api.get(f"/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tell(self, path: str, body: Any = None, method: str = "POST") -> Any:
        answer = self.api.request(method, f"/v1{path}", json=body)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    def settled(self, name: str, phase: str, seconds: float = 300.0) -> dict[str, Any]:
        """The deployment once nothing more is to be done; fails unless it is then in ``phase``."""

        def look() -> Any:
            found = self.ask(f"/deployments/{name}")
            return found if found["phase"] in (phase, "failed", "cancelled") else None

        try:
            found = eventually(look, seconds, 0.1)
        except AssertionError:
            found = self.ask(f"/deployments/{name}")
        assert found["phase"] == phase, (found["phase"], found["reason"], self.log())
        return dict(found)


class Watcher:
    """Reads a server's history past the server, so that it can be killed at what it has just written."""

    def __init__(self, home: Path) -> None:
        self.file = home / "isthmus.db"
        self.seen = 0
        self.past: list[str] = []
        """What was read but nobody has waited for yet: much may happen between two looks."""

    def new(self) -> Iterator[str]:
        """What has happened since the last look: ``KIND ACTION``, and ``line TEXT``."""
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=60)) as db:
            rows = db.execute(
                "SELECT id, kind || ' ' || coalesce(action, message) FROM events WHERE id > ? ORDER BY id", (self.seen,)
            ).fetchall()
        for number, text in rows:
            self.seen = number
            yield text

    def wait(self, beginning: str, seconds: float = 300.0) -> None:
        """Return as soon as something is written that begins so."""

        def comes() -> int | None:
            self.past.extend(self.new())
            return next((n for n, text in enumerate(self.past, 1) if text.startswith(beginning)), None)

        try:
            del self.past[: eventually(comes, seconds)]
        except AssertionError:
            raise AssertionError(f"{beginning} did not happen, but {self.past[-30:]}") from None

    def skip(self) -> None:
        """Forget what was until now."""
        for _ in self.new():
            continue
        self.past.clear()
