"""kill -9 at every boundary: whoever comes next goes on, and nothing is lost, leaked or doubled."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_an_engine_killed_anywhere_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.crash.killing", str(tmp_path / "kills"), "3"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    outcomes = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert [o for o in outcomes if o["wrong"]] == []
    killed = Counter(o["step"] for o in outcomes if o["killed"])
    assert killed.total() >= 300, killed
    assert len(killed) == 9, killed
