"""What runs on sites keeps to what Python 3.8 can read and has, and starts quickly."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import isthmus.work.runner

FOLDER = Path(isthmus.work.runner.__file__).parent
MODULES = sorted(path.relative_to(FOLDER) for path in FOLDER.rglob("*.py"))
DEAR = {"asyncio", "dataclasses", "http", "inspect", "pathlib", "shutil", "socket", "ssl", "subprocess", "tempfile",
        "threading", "traceback", "typing", "urllib"}  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_python_3_8_reads_it(module: Path):
    ast.parse((FOLDER / module).read_text(), feature_version=(3, 8))


def test_what_a_plain_program_needs_brings_nothing_dear_with_it():
    code = (
        "import sys; before = set(sys.modules)\n"
        "import isthmus.work.runner.supervisor, isthmus.work.runner.task, isthmus.work.runner.runtimes.process\n"
        "print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(FOLDER.parents[2])!r})\n{code}"]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert {name.partition(".")[0] for name in loaded} & DEAR == set()
