"""The profiles that come with the language, as data files written from their specifications."""

from __future__ import annotations

import pkgutil
from functools import cache

SIMPLE = "profiles/simple.yaml"
"""The types of the Simple Profile 1.0 to 1.3, which documents of these versions see without importing them."""
NFV = "profiles/nfv.yaml"

NORMATIVE = {"tosca_simple_profile_for_nfv_1_0_0": NFV}
"""Versions of TOSCA 1.x documents that see another profile than the simple one."""

BUILT_IN = dict.fromkeys(("org.oasis-open.simple:2.0", "org.oasis-open.tosca.simple:2.0"), "profiles/simple-2.0.yaml")
"""Profiles that documents of TOSCA 2.0 may import by name, and their files."""


@cache
def data_of(file: str) -> bytes | None:
    """The content of a profile's file; None for any other file."""
    if file not in {SIMPLE, NFV, *BUILT_IN.values()}:
        return None
    return pkgutil.get_data("isthmus.tosca", file)
