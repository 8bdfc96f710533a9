"""Rows for tests of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from isthmus.store import Store, deployments
from isthmus.store.deployments import Deployment


def open_store(url: str, key: Path) -> Iterator[Callable[[], Store]]:
    """Hands out an opener of stores, and closes what it opened."""
    opened: list[Store] = []

    def again() -> Store:
        opened.append(Store(url, key, clock=lambda: 100.0))
        return opened[-1]

    yield again
    for store in opened:
        store.close()


def deployment(number: int = 1, **values: Any) -> Deployment:
    """A deployment due at second 10."""
    usual: dict[str, Any] = {
        "id": f"{number:012x}", "name": f"d{number}", "owner": "alice", "vo": "physics", "template": "test",
        "bundle": "b" * 64, "inputs": {}, "pinned_site": None, "placement": None, "instances": {"worker": [0, 1]},
        "power": "running", "version": 1, "converged_version": 0, "phase": "pending", "reason": "", "outputs": {},
        "cancelled": False, "attempts": 0, "due": 10.0, "idempotency_key": None, "request_digest": None,
        "created": 1.0, "updated": 1.0,
    }  # fmt: skip
    return Deployment(**{**usual, **values})


def add(store: Store, *rows: Deployment) -> None:
    """Keep deployments, and their bundle."""
    with store.write() as c:
        for row in rows:
            deployments.save_bundle(c, row.bundle, b"zip", 1.0)
            deployments.add(c, row)


def get(store: Store, number: int = 1) -> Deployment:
    row = ask(store, lambda c: deployments.get(c, f"{number:012x}"))
    assert isinstance(row, Deployment)
    return row


def ask(store: Store, query: Callable[[Connection], Any]) -> Any:
    with store.read() as c:
        return query(c)


def tell(store: Store, change: Callable[[Connection], Any]) -> Any:
    with store.write() as c:
        return change(c)
