"""Which plugins a playbook may use, and when facts are gathered."""

from pathlib import Path

import pytest

from isthmus.configure.playbook.guards import judge
from isthmus.configure.playbook.payloads import MODULES
from isthmus.configure.playbook.run import needs_facts


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("lookup", "pipe"), ("lookup", "ansible.builtin.env"), ("lookup", "ansible.legacy.url"),
        ("lookup", "community.general.passwordstore"), ("action", "add_host"), ("action", "ansible.posix.synchronize"),
        ("connection", "docker"), ("strategy", "debug"), ("strategy", "ansible.builtin.debug"),
        ("filter", "ansible.builtin.expandvars"), ("test", "ansible.builtin.exists"),
    ],
)  # fmt: skip
def test_what_would_touch_the_server_is_refused_by_name(kind: str, name: str) -> None:
    assert name in (judge(kind, name) or "") or name == "add_host"
    assert judge(kind, name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("lookup", "dict"), ("lookup", "ansible.builtin.items"), ("action", "ansible.legacy.copy"),
        ("connection", "local"), ("strategy", "free"), ("filter", "to_json"), ("test", "version"),
        ("become", "sudo"), ("module", "anything"),
    ],
)  # fmt: skip
def test_the_rest_is_not(kind: str, name: str) -> None:
    assert judge(kind, name) is None


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("{{ ansible_facts.os }}", True),
        ("when: ansible_distribution == 'Debian'", True),
        ("{{ ansible_default_ipv4.address }}", True),
        ("gather_subset: min", True),
        ("{{ ansible_host }} {{ ansible_play_hosts }} {{ ansible_user }}", False),
        ("become: true", False),
    ],
)
def test_facts_are_gathered_when_a_file_names_one(text: str, needed: bool, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.j2").write_text(text)
    assert needs_facts(tmp_path) is needed


def test_no_module_is_made_ahead_twice() -> None:
    assert len(set(MODULES)) == len(MODULES)
