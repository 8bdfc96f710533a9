"""Options of a local site: what is not known or not sensible is refused by name."""

from __future__ import annotations

import pytest

from isthmus.sites.errors import Permanent
from isthmus.sites.local.connection import find_socket
from isthmus.sites.local.driver import LocalDriver
from isthmus.sites.local.options import read_options


def test_no_option_is_needed():
    options = read_options("local", {})

    assert (options.suite, options.prefix, options.cpus, options.memory) == ("trixie", "localhost/isthmus", 1.0, 2**30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sokcet", "unix:///x"),
        ("suite", "trixie; reboot"),
        ("suite", "--setup-hook=x"),
        ("prefix", "UPPER/case"),
        ("prefix", "unqualified"),
        ("subnets", "8.8.0.0/16"),
        ("subnets", "10.0.0.0/28"),
        ("subnets", "nonsense"),
        ("mirror", "file:///etc"),
        ("mirror", "http://mirror.example/ [trusted=yes]"),
        ("cpus", 0),
        ("memory", 1),
        ("timeout", 0),
        ("nested_containers", True),
        ("nested_containers", "always"),
    ],
)
def test_a_wrong_option_is_refused_by_name(name, value):
    with pytest.raises(Permanent, match=rf"site here: .*{name}"):
        LocalDriver("here", {name: value})


def test_a_driver_that_is_only_made_asks_no_engine():
    LocalDriver("here", {"socket": "unix:///nowhere"})


def test_the_socket_is_as_asked_then_as_the_environment_says():
    environment = {"DOCKER_HOST": "tcp://elsewhere:2375"}

    assert find_socket("unix:///asked", environment) == "unix:///asked"
    assert find_socket(None, environment) == "tcp://elsewhere:2375"
