"""The tests of tests/unit/store/test_leases.py, on PostgreSQL."""

from ...unit.store.test_leases import *  # noqa: F403
