"""Finding and ending what a program has started."""

from __future__ import annotations

import pytest

from isthmus.work.runner import processes


def test_a_chain_of_processes_may_be_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "children", lambda pid: [pid + 1] if pid < 10_000 else [])
    assert list(processes.descendants(1)) == list(range(2, 10_001))


def test_each_process_of_a_tree_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {1: [2, 3], 3: [4, 5], 5: [6]}
    monkeypatch.setattr(processes, "children", lambda pid: list(tree.get(pid, ())))
    assert sorted(processes.descendants(1)) == [2, 3, 4, 5, 6]
