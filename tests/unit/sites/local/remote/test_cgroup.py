"""Where control groups are made, on machines with either version of them; with folders in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.sites.local.remote.cgroup import OVERHEAD, Slot, hierarchies


def mount(path: Path, kind: str, options: str) -> str:
    path.mkdir(parents=True, exist_ok=True)
    return f"30 1 0:5 / {path} rw,relatime shared:1 - {kind} cgroup {options}"


def test_version_two_is_found_with_its_own_group_at_the_root(tmp_path: Path) -> None:
    (found,) = hierarchies("ours", mount(tmp_path, "cgroup2", "rw"), "0::/user.slice")
    assert (found.base, found.version) == (tmp_path / "ours", 2)


def test_version_one_is_used_for_memory_alone(tmp_path: Path) -> None:
    mounts = "\n".join(mount(tmp_path / name, "cgroup", f"rw,{name}") for name in ("cpu", "memory", "pids"))
    (found,) = hierarchies("ours", mounts, "4:memory:/\n1:cpu:/")
    assert (found.base, found.version) == (tmp_path / "memory" / "ours", 1)


def test_where_nothing_can_be_made_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("in the way")
    assert hierarchies("ours", mount(tmp_path, "cgroup2", "rw"), "0::/") == []
    assert hierarchies("ours", "21 1 0:5 / /proc rw - proc proc rw", "") == []


def test_who_may_not_use_the_root_has_the_group_below_his_own(tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("in the way")
    (tmp_path / "user.slice").mkdir()
    (found,) = hierarchies("ours", mount(tmp_path, "cgroup2", "rw"), "0::/user.slice")
    assert found.base == tmp_path / "user.slice" / "ours"


@pytest.mark.parametrize(("kind", "file"), [("cgroup2", "memory.max"), ("cgroup", "memory.limit_in_bytes")])
def test_a_limit_leaves_room_for_the_supervisor(tmp_path: Path, kind: str, file: str) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "cgroup.subtree_control").write_text("cpu memory")
    found = hierarchies("ours", mount(tmp_path, kind, "rw,memory"), "0::/")
    slot = Slot(3, found)
    slot.make()
    slot.prepare(1000, 1)
    assert (tmp_path / "ours" / "slot-3" / file).read_text() == str(1000 + OVERHEAD)
    slot.prepare(None, 1)
    assert (tmp_path / "ours" / "slot-3" / file).read_text() in ("max", "-1")


def test_a_kill_of_the_kernel_is_seen_only_by_the_task_that_it_befell(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "cgroup.subtree_control").write_text("cpu memory")
    slot = Slot(0, hierarchies("ours", mount(tmp_path, "cgroup2", "rw"), "0::/"))
    slot.make()
    events = tmp_path / "ours" / "slot-0" / "memory.events"
    events.write_text("oom 4\noom_kill 3\n")
    slot.prepare(1000, 1)
    assert not slot.ran_out_of_memory()
    events.write_text("oom 5\noom_kill 4\n")
    assert slot.ran_out_of_memory()
    slot.prepare(1000, 1)
    assert not slot.ran_out_of_memory()
