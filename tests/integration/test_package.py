"""The built wheel, installed with pip into an empty environment, is the same Isthmus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAKE = "sites: [{name: fake, kind: fake}]\n"


def run(*command: object, **environment: str) -> str:
    words = [str(word) for word in command]
    ran = subprocess.run(
        words, env={**os.environ, **environment}, cwd="/", capture_output=True, text=True, timeout=900, check=False
    )
    assert ran.returncode == 0, f"{words}: {ran.stdout}\n{ran.stderr}"
    return ran.stdout


def test_the_wheel_deploys_from_an_empty_environment(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("isthmus-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    run(tmp_path / "venv/bin/python", "-m", "pip", "install", "--quiet", wheel)
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.yaml").write_text(FAKE)
    isthmus = tmp_path / "venv/bin/isthmus"
    try:
        shown = json.loads(run(isthmus, "catalogue", "list", "--json", ISTHMUS_HOME=str(home)))
        assert [t["name"] for t in shown] == ["dask-cluster", "htcondor-pool", "machine", "slurm-cluster"]
        lines = run(isthmus, "deploy", "slurm-cluster", "--name", "one", "--json", ISTHMUS_HOME=str(home)).splitlines()
        made = json.loads(lines[-1])
        assert made["phase"] == "running"
        assert made["outputs"]["workers"] == ["worker-0", "worker-1"]
        run(isthmus, "delete", "one", "--yes", ISTHMUS_HOME=str(home))
    finally:
        run(isthmus, "server", "stop", ISTHMUS_HOME=str(home))
