"""Stores on SQLite; tests/integration/store runs the same tests on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isthmus.store import Store, database

from .rows import open_store


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who write at once wait for each other, however slow the disk is."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 60.0)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of an empty database."""
    return f"sqlite:///{tmp_path / 'isthmus.db'}"


@pytest.fixture
def open_another(url: str, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens the same store again, as another process would."""
    yield from open_store(url, tmp_path / "key")


@pytest.fixture
def store(open_another: Callable[[], Store]) -> Store:
    return open_another()
