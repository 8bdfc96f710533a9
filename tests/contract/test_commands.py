"""The contract of commands: sites that run operations themselves."""

from __future__ import annotations

import pytest

from isthmus.sites.contract import Errand
from isthmus.sites.errors import SiteError

JOB = Errand("node/Standard.create", "run.sh", {"run.sh": b"echo"}, {"SECRET": "s3cr3t-value"}, timeout=10)


async def test_an_operation_runs_and_says_how_it_ended(bench, commands):
    await commands.create_machine(bench.spec())
    lines = []

    result = await commands.run(bench.ref(), JOB, lines.append)

    assert result.code == 0
    assert all(isinstance(line, str) and "\n" not in line for line in lines)


async def test_the_values_of_inputs_stand_in_no_line(bench, commands):
    await commands.create_machine(bench.spec())
    lines = []

    result = await commands.run(bench.ref(), JOB, lines.append)

    assert "s3cr3t-value" not in "".join(lines) + result.message


async def test_a_machine_that_is_not_there_runs_nothing(bench, commands):
    with pytest.raises(SiteError):
        await commands.run(bench.ref(), JOB, lambda _: None)
