"""The command starts without what it does not need yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ["httpx", "yaml", "fastapi", "pydantic", "rich.live", "rich.console", "sqlalchemy", "isthmus.tosca", "asyncssh"]


def loaded_by(*words: str) -> str:
    """Which of the heavy modules a command leaves behind."""
    program = (
        f"import sys; sys.argv = ['isthmus', *{words}]\n"
        "from isthmus.cli.main import main\n"
        "try: main()\n"
        f"except SystemExit: print('HEAVY', [m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_help_imports_nothing_heavy() -> None:
    assert loaded_by("--help") == "HEAVY []"


def test_validating_imports_the_language_and_nothing_else(tmp_path: Path) -> None:
    """Typer would import Pydantic for the words of the command line; see `isthmus.cli.words`."""
    (tmp_path / "t.yaml").write_text("tosca_definitions_version: tosca_simple_yaml_1_3\n")
    assert loaded_by("validate", str(tmp_path / "t.yaml"), "-v", "--set", "a=1") == "HEAVY ['yaml', 'isthmus.tosca']"


def test_help_of_a_run_imports_nothing_heavy() -> None:
    assert loaded_by("run", "--help") == "HEAVY []"
