"""Locks keep threads and processes apart, and leave no file."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest

from isthmus.sites.errors import Temporary
from isthmus.sites.local.locks import exclusive, state_folder


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_a_lock_leaves_no_file_and_can_be_taken_again():
    for _ in range(2):
        with exclusive("name"):
            assert len(list(state_folder().iterdir())) == 1

    assert list(state_folder().iterdir()) == []


def test_a_lock_is_let_go_when_its_holder_fails():
    with pytest.raises(ZeroDivisionError), exclusive("name"):
        _ = 1 / 0

    with exclusive("name", patience=0):
        pass


def test_many_threads_are_let_in_one_by_one():
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with exclusive("name"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (inside, most) == (0, 1)


def test_who_waits_too_long_is_told_to_try_later():
    with exclusive("name"), pytest.raises(Temporary, match="name"), exclusive("name", patience=0):
        pass


def test_other_names_are_not_held_up():
    with exclusive("name"), exclusive("other", patience=0):
        pass


def _die_with_it(taken) -> None:
    with exclusive("name"):
        taken.set()
        threading.Event().wait()


def test_a_lock_goes_with_the_process_that_was_killed():
    context = multiprocessing.get_context("spawn")
    taken = context.Event()
    process = context.Process(target=_die_with_it, args=(taken,))
    process.start()
    assert taken.wait(120)

    with pytest.raises(Temporary), exclusive("name", patience=0):
        pass
    process.kill()
    process.join()

    with exclusive("name", patience=60):
        pass
    process.close()
