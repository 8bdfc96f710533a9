"""Inserting what somebody else may be inserting at the same time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_or_leave(c: Connection, table: Table, **values: Any) -> bool:
    """Insert a row unless one with its primary key is there; says whether it was inserted."""
    make = postgresql.insert if c.dialect.name == "postgresql" else sqlite.insert
    statement = make(table).values(values).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return c.execute(statement).first() is not None
