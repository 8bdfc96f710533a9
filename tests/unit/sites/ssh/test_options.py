"""The options of a site of hosts: what is refused, and in which words."""

from __future__ import annotations

import asyncssh
import pytest

from isthmus.sites.errors import Permanent
from isthmus.sites.ssh import SshDriver
from isthmus.sites.ssh.options import plain_key

KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode().strip()
HOST = {"host": "node7.example.org", "key_file": "key", "cpus": 4, "memory": "8GiB", "host_key": KEY}


@pytest.mark.parametrize(
    ("hosts", "named"),
    [
        ([], "hosts"),
        ([HOST | {"prot": 22}], "prot"),
        ([HOST | {"port": 0}], "port"),
        ([HOST | {"host_key": "nonsense"}], "public key"),
        ([HOST, HOST], r"named twice: node7\.example\.org:22"),
        ([{key: value for key, value in HOST.items() if key != "cpus"}], "cpus"),
    ],
)
def test_wrong_options_are_refused_by_name(hosts, named):
    with pytest.raises(Permanent, match=named):
        SshDriver("lab", {"hosts": hosts})


def test_a_host_without_a_key_is_refused_with_the_way_to_get_it():
    host = HOST | {"host_key": None, "port": 2222}

    with pytest.raises(Permanent, match=r"ssh-keyscan -t ed25519 -p 2222 node7\.example\.org"):
        SshDriver("lab", {"hosts": [host]})


def test_a_file_of_known_hosts_may_stand_for_the_key(tmp_path):
    SshDriver("lab", {"hosts": [HOST | {"host_key": None}], "known_hosts": str(tmp_path / "known_hosts")})


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", 'command="reboot" ' + KEY.split()[0], "ssh-ed25519 AAAA", "ssh-ed25519", "\n"],
)
def test_what_is_no_public_key_is_no_authorized_key(line):
    with pytest.raises(asyncssh.KeyImportError):
        plain_key(line)


def test_an_authorized_key_loses_all_but_itself():
    kind, body = KEY.split()[:2]

    assert plain_key(f"{KEY} somebody@somewhere $(reboot)") == f"{kind} {body}"
    assert "\n" not in plain_key(f"{KEY}\n{KEY}\n")
