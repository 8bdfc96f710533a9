"""The table of fields, and that people can read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.api.dialects.interlink.fields import CONFINED, HARMLESS, is_harmless
from isthmus.api.dialects.interlink.slurm_flags import KNOWN
from isthmus.api.dialects.interlink.statuses import TERMINATED, WAITING

PAGE = (Path(__file__).parents[4] / "docs" / "interlink.md").read_text()


@pytest.mark.parametrize("name", sorted({name for fields in HARMLESS.values() for name in fields}))
def test_each_harmless_field_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE.partition("### Harmless fields")[2].partition("### What")[0]


@pytest.mark.parametrize("name", CONFINED)
def test_what_a_confined_site_promises_is_documented(name: str) -> None:
    assert name in PAGE


@pytest.mark.parametrize("flag", sorted(KNOWN))
def test_each_flag_is_documented(flag: str) -> None:
    assert f"`--{flag}`" in PAGE or f"`--{flag}=" in PAGE


@pytest.mark.parametrize("reason", sorted({*TERMINATED.values(), *WAITING.values()}))
def test_each_reason_of_a_status_is_documented(reason: str) -> None:
    assert f"`{reason}`" in PAGE.partition("## What the cluster sees")[2]


def test_a_field_is_harmless_with_the_values_that_say_nothing() -> None:
    assert is_harmless("spec", "runtimeClassName", "nvidia")
    assert not is_harmless("spec", "runtimeClassName", "gvisor")
    assert is_harmless("container.securityContext", "seccompProfile", {"type": "RuntimeDefault"})
    assert not is_harmless("container.securityContext", "seccompProfile", {"type": "Unconfined"})
    assert not is_harmless("spec", "hostPID", True)
