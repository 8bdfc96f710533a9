"""What tests of all kinds share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from .postgres import Postgres, Unavailable

# Cases that several test files share say what they saw when they fail, as test files do by themselves.
pytest.register_assert_rewrite("tests.acceptance", "tests.integration")

# How long examples take says how busy the machine is, nothing of what is tested; and which ones are tried hangs on the
# test alone, so that what passes today passes tomorrow. `--hypothesis-profile=default` tries others.
settings.register_profile("unhurried", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; its tests are skipped, saying why, where there can be none."""
    try:
        server = Postgres()
    except Unavailable as error:
        pytest.skip(str(error))
    yield server
    server.close()
