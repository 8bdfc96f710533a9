"""Migrations lead from nothing, and from every released schema, to exactly the tables of the models."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from isthmus.store import SchemaUnknown, Store, deployments
from isthmus.store.database import Database
from isthmus.store.migrate import current, downgrade, upgrade
from isthmus.store.models import metadata


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


def differences(database: Database) -> list[object]:
    with database.read() as c:
        context = MigrationContext.configure(c, opts={"compare_type": True, "target_metadata": metadata})
        return list(compare_metadata(context, metadata))


def tables(database: Database) -> set[str]:
    with database.read() as c:
        return set(inspect(c).get_table_names())


def test_an_empty_database_becomes_exactly_what_the_models_say(database: Database) -> None:
    upgrade(database)
    assert differences(database) == []
    assert tables(database) == {*metadata.tables, "alembic_version"}


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    upgrade(database)
    upgrade(database)
    assert differences(database) == []


def test_all_the_way_down_and_up_again(database: Database) -> None:
    upgrade(database)
    downgrade(database, "base")
    assert tables(database) == {"alembic_version"}
    upgrade(database)
    assert differences(database) == []


def test_servers_that_start_at_once_upgrade_once(url: str) -> None:
    together = Barrier(3)

    def start(_: int) -> list[object]:
        own = Database(url)
        try:
            together.wait()
            upgrade(own)
            return differences(own)
        finally:
            own.close()

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(start, range(3))) == [[], [], []]


def test_a_database_of_the_first_release_opens_with_all_that_is_in_it(url: str, tmp_path: Path) -> None:
    old = Database(url)
    upgrade(old, "0001")
    with old.write() as c:
        c.execute(text("INSERT INTO bundles VALUES ('b', 'zip', 1.5)" if old.is_sqlite
                       else "INSERT INTO bundles VALUES ('b', decode('7a6970', 'hex'), 1.5)"))  # fmt: skip
        c.execute(text(
            "INSERT INTO deployments (id, name, owner, vo, template, bundle, inputs, instances, power, version,"
            " converged_version, phase, reason, outputs, cancelled, attempts, due, created, updated) VALUES"
            " ('0123456789ab', 'mine', 'alice', 'physics', 't', 'b', '{\"a\": 1}', '{\"w\": [0]}', 'running', 3,"
            " 3, 'running', '', '{}', false, 0, NULL, 1.5, 2.5)"
        ))  # fmt: skip
    old.close()
    store = Store(url, tmp_path / "key")
    with store.read() as c:
        (row,) = deployments.find(c, "physics", "alice", "mine")
    assert (row.inputs, row.instances, row.version, row.placement) == ({"a": 1}, {"w": [0]}, 3, None)
    assert differences(store.database) == []
    store.close()


def test_a_database_of_a_later_release_is_refused_and_left_alone(database: Database) -> None:
    upgrade(database)
    with database.write() as c:
        c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaUnknown, match="9999"):
        upgrade(database)
    with database.read() as c:
        assert current(c) == "9999"
