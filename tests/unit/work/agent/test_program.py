"""The program that goes to sites."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import zipfile

from isthmus.work import program as module
from isthmus.work.program import bootstrap, program

STUB = "tests.integration.work.stub_batch"


def test_its_bytes_depend_on_its_sources_alone() -> None:
    """Made twice it is the same; with another batch module it is another one."""
    first = program(STUB)
    module.program.cache_clear()
    assert program(STUB) == first
    assert program("isthmus.work.job").digest != first.digest


def test_it_has_the_language_of_python_3_8() -> None:
    """Every module of it; and what starts it even that of 3.6."""
    archive = zipfile.ZipFile(io.BytesIO(program(STUB).data))
    for name in archive.namelist():
        ast.parse(archive.read(name), name, feature_version=(3, 8))
    ast.parse(bootstrap(), feature_version=(3, 6))
    assert "isthmus/work/runner/bootstrap.py" not in archive.namelist()


def test_it_has_all_that_it_imports(tmp_path: object) -> None:
    """Nothing of ours but the runner, no package of others."""
    place = f"{tmp_path}/runner.pyz"
    with open(place, "wb") as file:  # noqa: PTH123
        file.write(program(STUB).data)
    code = (
        "import sys, pkgutil, importlib; sys.path.insert(0, sys.argv[1]); import isthmus.work.runner as r, batch\n"
        "for m in pkgutil.walk_packages(r.__path__, 'isthmus.work.runner.'):\n"
        "    m.name.endswith('__main__') or importlib.import_module(m.name)"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code, place], check=True)
