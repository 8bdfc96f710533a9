"""The tests of tests/unit/store/test_secrets.py, on PostgreSQL."""

from ...unit.store.test_secrets import *  # noqa: F403
