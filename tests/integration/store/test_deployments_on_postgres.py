"""The tests of tests/unit/store/test_deployments.py, on PostgreSQL."""

from ...unit.store.test_deployments import *  # noqa: F403
