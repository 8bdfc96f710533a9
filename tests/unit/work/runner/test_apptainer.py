"""What Apptainer is told that needs no Apptainer to be seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isthmus.work.runner.runtimes.apptainer import _goes_bare, may_mount_proc
from isthmus.work.runner.runtimes.joining import is_inside


@pytest.mark.parametrize(
    ("mounts", "may"),
    [
        (["/", "/proc", "/sys", "/processes/x"], True),
        (["/", "/proc", "/proc/sys/fs/binfmt_misc"], True),
        (["/", "/proc", "/proc/kcore"], False),
        (["/", "/proc", "/proc/sys"], False),
    ],
)
def test_a_proc_of_ones_own_needs_one_that_nothing_covers(tmp_path: Path, mounts: list[str], may: bool) -> None:
    table = tmp_path / "mountinfo"
    lines = [f"{n} 1 0:{n} / {point} rw,relatime shared:1 - proc proc rw" for n, point in enumerate(mounts)]
    table.write_text("\n".join([*lines, "", "odd"]))
    assert may_mount_proc(str(table)) is may


@pytest.mark.parametrize(
    ("name", "value", "bare"),
    [
        ("A", "plain\n$(id)", False),
        ("A", "a\r\nb", True),
        ("with.dots", "x", True),
        ("PATH", "/bin\r\n", False),
        ("LD_PRELOAD", "/x\r\n", False),
        ("APPTAINER_BIND", "/:/host\r\n", False),
        ("SINGULARITYENV_A", "x\r\n", False),
    ],
)
def test_no_variable_steers_apptainer_itself(name: str, value: str, bare: bool) -> None:
    assert _goes_bare(name, value) is bare


def test_this_process_is_in_no_container_of_its_own() -> None:
    assert is_inside(os.getpid()) is False
    assert is_inside(2**22 + 1) is None
