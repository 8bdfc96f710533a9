"""The tests of tests/unit/store/test_history.py, on PostgreSQL."""

from ...unit.store.test_history import *  # noqa: F403
