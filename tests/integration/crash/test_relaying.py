"""Two workers on PostgreSQL: one is killed in the middle, and the other one, alive all the time, goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from ...postgres import Postgres

ROOT = Path(__file__).parents[3]


def test_a_worker_killed_anywhere_is_followed_by_the_one_beside_it(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    command = [sys.executable, "-m", "tests.integration.crash.relaying", str(tmp_path / "kills"), url, "8"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    outcomes = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert [o for o in outcomes if o["wrong"]] == []
    killed = Counter(o["step"] for o in outcomes if o["killed"])
    assert killed.total() >= 60, killed
    assert len(killed) == 9, killed
