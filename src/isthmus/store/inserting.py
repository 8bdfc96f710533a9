"""Inserting what somebody else may be inserting at the same time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_or_leave(c: Connection, table: Table, **values: Any) -> bool:
    """Insert a row unless one with its primary key is there; says whether it was inserted."""
    if c.dialect.name == "postgresql":
        return c.execute(postgresql.insert(table).values(values).on_conflict_do_nothing()).rowcount == 1
    return c.execute(sqlite.insert(table).values(values).on_conflict_do_nothing()).rowcount == 1
