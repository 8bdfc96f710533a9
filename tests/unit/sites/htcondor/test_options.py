"""What the options of an HTCondor site may say."""

from __future__ import annotations

import pytest

from isthmus.sites.errors import Permanent
from isthmus.sites.htcondor.options import parse_options
from isthmus.sites.registry import capabilities, open_site

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGMKEJ2AiFgjmDZ2WPhNBgtxcgNqMNoQBLrWTPWzBQZM"
LEAST = {"host": "submit.example.org", "user": "u", "key_file": "/key", "host_key": KEY}


def test_the_least_that_is_needed() -> None:
    options = parse_options("s", LEAST)
    assert (options.folder, options.node_python) == ("~/.isthmus", "python3")
    assert options.runtime_order["kind"] == "apptainer"
    assert parse_options("s", {**LEAST, "runtime": "none"}).runtime_order == {"kind": "process"}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"rank": "x"}, "rank"),
        ({"key_file": None}, "key_file"),
        ({"host_key": None}, "host key"),
        ({"node_python": "python3 -c"}, "node_python"),
        ({"accounting_group": "a\nb"}, "accounting_group"),
        ({"requirements": {"x": "true\nqueue 5"}}, "requirements"),
        ({"requirements": {"x": "$(HOME)"}}, "requirements"),
        ({"requirements": {"x y": "true"}}, "requirements"),
        ({"runtime": "docker"}, "runtime"),
    ],
)
def test_what_is_wrong_is_named(more: dict[str, object], named: str) -> None:
    with pytest.raises(Permanent, match=named):
        parse_options("s", {**LEAST, **more})


def test_a_key_is_never_shown() -> None:
    text = "-----BEGIN OPENSSH PRIVATE KEY-----"
    options = parse_options("s", {**LEAST, "key_file": None, "key": text})
    assert "BEGIN" not in repr(options)
    with pytest.raises(Permanent) as error:
        parse_options("s", {**LEAST, "key": text})
    assert "BEGIN" not in str(error.value)


async def test_the_registry_opens_it() -> None:
    site = open_site("pool", "htcondor", LEAST)
    assert site.kind == "htcondor"
    assert "machines" not in capabilities(site)
    await site.close()
