"""The tests of tests/unit/store/test_migrations.py, on PostgreSQL."""

from ...unit.store.test_migrations import *  # noqa: F403
