"""Specs of jobs on their way into the store and out of it: JSON, sealed, since environments and files hold secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from isthmus.store.secrets import Vault
from isthmus.work.job import JobSpec


def seal(vault: Vault, spec: JobSpec) -> bytes:
    """A spec as the store keeps it."""
    return vault.seal(json.dumps(plain(spec), separators=(",", ":")))


def unseal(vault: Vault, sealed: bytes) -> JobSpec:
    """A spec as it was."""
    return read(json.loads(vault.unseal(sealed)))


def plain(spec: JobSpec) -> dict[str, Any]:
    """A spec as JSON, secrets included."""
    return asdict(spec)


def read(data: Mapping[str, Any]) -> JobSpec:
    """The spec that JSON says; raises :class:`pydantic.ValidationError`."""
    return _adapter().validate_python(data)


@cache
def _adapter() -> TypeAdapter[JobSpec]:
    return TypeAdapter(JobSpec)
