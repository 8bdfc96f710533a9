"""The tests of tests/unit/store/test_resources.py, on PostgreSQL."""

from ...unit.store.test_resources import *  # noqa: F403
