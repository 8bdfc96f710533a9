"""The tests of tests/unit/store/test_jobs.py, on PostgreSQL."""

from ...unit.store.test_jobs import *  # noqa: F403
