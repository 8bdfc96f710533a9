"""Two workers on PostgreSQL: one is killed in the middle, and the other one, alive all the time, goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...postgres import Postgres

ROOT = Path(__file__).parents[3]


def relay(url: str, folder: Path, first: int, last: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.integration.crash.relaying", str(folder), url, str(first), str(last)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert ran.returncode == 0, ran.stderr[-4000:]
    return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]


def test_a_worker_killed_anywhere_is_followed_by_the_one_beside_it(postgres: Postgres, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as both:  # the workers wait for leases most of the time
        halves = [both.submit(relay, postgres.new_database(), tmp_path / str(n), n, n + 3) for n in (0, 4)]
        outcomes = [outcome for half in halves for outcome in half.result()]
    assert [o for o in outcomes if o["wrong"]] == []
    killed = Counter(o["step"] for o in outcomes if o["killed"])
    assert killed.total() >= 60, killed
    assert len(killed) == 9, killed
