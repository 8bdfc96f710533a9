"""The mirror of a Debian host is found in its apt sources, whatever their form."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.sites.local.mirrors import Mirror, find_mirror

DEB822 = """\
# a comment
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
Enabled: no
URIs: http://disabled.example/debian
Suites: bookworm
Components: main
"""
LINES = """\
# deb http://comment.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://mirror.example/debian bookworm main contrib
deb http://security.example/debian-security bookworm-security main
"""
FOUND = Mirror("http://mirror.example/debian", "http://security.example/debian-security")


def host(etc: Path, sources: dict[str, str], release: str = 'ID=debian\nVERSION_CODENAME="bookworm"\n') -> Path:
    (etc / "apt" / "sources.list.d").mkdir(parents=True)
    (etc / "os-release").write_text(release)
    for name, text in sources.items():
        (etc / "apt" / name).write_text(text)
    return etc


@pytest.mark.parametrize(
    "sources",
    [
        {"sources.list.d/debian.sources": DEB822},
        {"sources.list": LINES},
        {"sources.list.d/other.list": LINES},
        {
            "sources.list.d/a-vendor.list": "deb http://vendor.example/apt vendor-bookworm main\n",
            "sources.list.d/debian.sources": DEB822,
        },
    ],
    ids=["deb822", "one line each", "in a folder", "beside a vendor's"],
)
def test_the_mirror_of_the_host_is_found(tmp_path, sources):
    assert find_mirror(host(tmp_path, sources)) == FOUND


def test_a_host_that_names_no_mirror_has_none(tmp_path):
    assert find_mirror(host(tmp_path, {"sources.list": "deb cdrom:[Debian]/ bookworm main\n"})) is None


def test_the_mirror_of_another_distribution_is_not_taken(tmp_path):
    release = "ID=ubuntu\nVERSION_CODENAME=bookworm\n"

    assert find_mirror(host(tmp_path, {"sources.list": LINES}, release)) is None


def test_a_host_without_os_release_has_no_mirror(tmp_path):
    assert find_mirror(tmp_path) is None


def test_sources_name_updates_and_the_security_archive():
    assert FOUND.sources("trixie") == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://security.example/debian-security trixie-security main",
    ]
    assert len(Mirror("http://mirror.example/debian").sources("trixie")) == 2
