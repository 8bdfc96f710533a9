"""Stores on PostgreSQL, each in a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isthmus.store import Store

from ...postgres import Postgres
from ...unit.store.rows import open_store


@pytest.fixture
def url(postgres: Postgres) -> str:
    """The URL of an empty database."""
    return postgres.new_database()


@pytest.fixture
def open_another(url: str, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens the same store again, as another process would."""
    yield from open_store(url, tmp_path / "key")


@pytest.fixture
def store(open_another: Callable[[], Store]) -> Store:
    return open_another()
