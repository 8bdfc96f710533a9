"""Secrets: sealed in the database, and of no use without the key."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text

from isthmus.store import Store, WrongKey, secrets
from isthmus.store.models import secrets as table

from .rows import add, ask, deployment, tell

ONE = deployment(1).id
WORDS = "correct horse battery staple"


@pytest.fixture
def kept(store: Store) -> Store:
    add(store, deployment(1))
    tell(store, lambda c: store.vault.put(c, ONE, "password", WORDS))
    return store


def test_a_secret_comes_back(kept: Store) -> None:
    assert ask(kept, lambda c: kept.vault.get(c, ONE, "password")) == WORDS
    assert ask(kept, lambda c: kept.vault.get(c, ONE, "other")) is None
    tell(kept, lambda c: kept.vault.put(c, ONE, "password", "ünders"))
    assert ask(kept, lambda c: kept.vault.get(c, ONE, "password")) == "ünders"


def test_a_row_holds_nothing_of_the_plain_text(kept: Store) -> None:
    sealed = bytes(ask(kept, lambda c: c.scalar(select(table.c.ciphertext))))
    assert WORDS.encode() not in sealed
    every = ask(kept, lambda c: c.execute(text("SELECT * FROM secrets")).all())
    assert "horse" not in repr(every)


def test_equal_secrets_do_not_look_equal(kept: Store) -> None:
    tell(kept, lambda c: kept.vault.put(c, ONE, "again", WORDS))
    sealed = ask(kept, lambda c: c.scalars(select(table.c.ciphertext)).all())
    assert len({bytes(s) for s in sealed}) == 2


def test_a_secret_that_nobody_gave_is_made_once(kept: Store) -> None:
    made = tell(kept, lambda c: kept.vault.get_or_make(c, ONE, "munge"))
    assert len(made) >= 43
    assert tell(kept, lambda c: kept.vault.get_or_make(c, ONE, "munge")) == made
    assert tell(kept, lambda c: kept.vault.get_or_make(c, ONE, "password")) == WORDS


def test_the_secrets_of_a_deployment_are_forgotten_with_it(kept: Store) -> None:
    tell(kept, lambda c: secrets.forget(c, ONE))
    assert ask(kept, lambda c: c.execute(select(table)).all()) == []


def test_the_key_lies_in_a_file_that_only_its_owner_may_read(kept: Store, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_store_with_another_key_does_not_open(kept: Store, tmp_path: Path, open_another: Callable[[], Store]) -> None:
    assert open_another().vault is not None
    (tmp_path / "key").unlink()
    with pytest.raises(WrongKey, match="key"):
        open_another()
    (tmp_path / "key").write_bytes(b"not a key")
    with pytest.raises(WrongKey):
        open_another()
