"""The compiled form of the program: quicker, never needed, and never somebody else's."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from isthmus.work.program import program
from isthmus.work.runner.compiled import Compiled, compiled

STUB = "tests.integration.work.stub_batch"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A program where an agent would have it."""
    folder = tmp_path / "programs"
    folder.mkdir(mode=0o700)
    place = folder / "runner-0.pyz"
    place.write_bytes(program(STUB).data)
    return place


def make(place: Path) -> Path:
    """The compiled form, made."""
    Compiled(place).path()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(20)
    made = Compiled(place).path()
    assert made != place
    return made


def test_it_is_made_while_others_wait_for_nothing(place: Path) -> None:
    """Until it is there the program is what to start; then it is started itself."""
    assert Compiled(place).path() == place
    made = make(place)
    assert made.name == f"runner-0.{sys.implementation.cache_tag}.pyz"
    assert made.stat().st_mode & 0o777 == 0o600
    told = subprocess.run([sys.executable, "-I", "-S", made], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (64, "usage: run --submission FOLDER --index I | serve\n")


def test_its_modules_are_not_compiled_again(place: Path) -> None:
    """Python takes what was compiled, and reads no source."""
    code = (
        "import sys, builtins; sys.path.insert(0, sys.argv[1])\n"
        "builtins.compile = None\n"
        "import isthmus.work.runner.supervisor as s; print(s.__file__)"
    )
    told = subprocess.run([sys.executable, "-I", "-S", "-c", code, make(place)], capture_output=True, text=True)
    assert told.stdout.strip().endswith("supervisor.pyc"), told.stderr


def test_another_python_passes_it_over(place: Path) -> None:
    """What it cannot read has its source beside it."""
    other = io.BytesIO()
    with zipfile.ZipFile(make(place)) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".pyc"):
                assert data.startswith(importlib.util.MAGIC_NUMBER)
                data = b"\x01\x02\r\n" + data[4:]
            target.writestr(name, data)
    file = place.with_name("other.pyz")
    file.write_bytes(other.getvalue())
    told = subprocess.run([sys.executable, "-I", "-S", file], capture_output=True, text=True, check=False)
    assert told.returncode == 64, told.stderr


@pytest.mark.parametrize("how", ["open file", "open folder", "link", "folder", "another user's"])
def test_what_others_could_have_put_there_is_not_started(
    place: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name says nothing."""
    made = make(place)
    match how:
        case "open file":
            made.chmod(0o660)
        case "open folder":
            place.parent.chmod(0o770)
        case "link":
            made.rename(made.with_name("real"))
            made.symlink_to("real")
        case "folder":
            made.unlink()
            made.mkdir()
        case _:
            monkeypatch.setattr("os.getuid", lambda: 12345)
    assert Compiled(place).path() == place


def test_its_bytes_come_from_the_program_alone() -> None:
    assert compiled(program(STUB).data) == compiled(program(STUB).data)
