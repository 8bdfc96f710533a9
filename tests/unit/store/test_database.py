"""The database that is busy, locked or gone: said as such, and nothing of what was asked has happened."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Connection

from isthmus.store import Store, database, deployments
from isthmus.store.database import StoreUnavailable

from .rows import add, deployment, get, tell


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)


def test_a_lock_that_another_process_holds_is_told_and_waited_out(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'isthmus.db'}", tmp_path / "key")
    add(store, deployment(1))
    holder = sqlite3.connect(tmp_path / "isthmus.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked"):
        tell(store, lambda c: deployments.change(c, deployment(1).id, 1, 2.0))
    assert get(store).version == 1, "readers are not kept out"
    holder.execute("ROLLBACK")
    assert tell(store, lambda c: deployments.change(c, deployment(1).id, 1, 2.0))
    holder.close()
    store.close()


def test_a_writer_of_this_process_that_takes_long_is_told_too(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'isthmus.db'}", tmp_path / "key")
    inside, leave = Event(), Event()

    def hold() -> None:
        with store.write():
            inside.set()
            leave.wait()

    holder = Thread(target=hold)
    holder.start()
    inside.wait()
    with pytest.raises(StoreUnavailable, match="busy"), store.write():
        pass
    leave.set()
    holder.join()
    add(store, deployment(1))
    store.close()


def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable):
        Store(f"sqlite:///{tmp_path / 'file' / 'isthmus.db'}", tmp_path / "key")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "isthmus.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnavailable, match="not a database"):
        Store(f"sqlite:///{tmp_path / 'isthmus.db'}", tmp_path / "key")


def test_a_failure_inside_a_transaction_takes_it_back(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'isthmus.db'}", tmp_path / "key")
    add(store, deployment(1))

    def fail(c: Connection) -> None:
        deployments.change(c, deployment(1).id, 1, 2.0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tell(store, fail)
    assert get(store).version == 1
    store.close()
