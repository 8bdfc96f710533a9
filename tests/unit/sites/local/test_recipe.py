"""The recipe of the machine image: its tag follows it, its command is a plain argument list."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from isthmus.sites.local import recipe
from isthmus.sites.local.image import bootstrap_command
from isthmus.sites.local.mirrors import Mirror


def test_the_tag_is_stable_and_names_the_release():
    assert recipe.tag("trixie") == recipe.tag("trixie")
    assert recipe.tag("trixie").startswith("trixie-")


@pytest.mark.parametrize("part", ["PACKAGES", "DPKG_OPTIONS", "APT_OPTIONS", "ABSENT"])
def test_a_changed_recipe_has_another_tag(monkeypatch, part):
    before = recipe.tag("trixie")

    monkeypatch.setattr(recipe, part, (*getattr(recipe, part), "more"))

    assert recipe.tag("trixie") != before


def test_a_changed_file_has_another_tag(monkeypatch):
    before = recipe.tag("trixie")

    monkeypatch.setattr(recipe, "FILES", {**recipe.FILES, "etc/motd": "hello"})

    assert recipe.tag("trixie") != before


def test_the_overlay_holds_every_file_and_link_and_nothing_executable():
    with tarfile.open(fileobj=io.BytesIO(recipe.overlay())) as tar:
        entries = {entry.name: entry for entry in tar.getmembers()}

    assert entries.keys() == recipe.FILES.keys() | recipe.LINKS.keys()
    assert all(entry.issym() or entry.mode == 0o644 for entry in entries.values())
    assert not any(name.startswith("/") or ".." in name for name in entries)


def test_password_login_is_off():
    assert "PasswordAuthentication no" in recipe.SSHD
    assert "PermitRootLogin prohibit-password" in recipe.SSHD


def test_without_a_mirror_the_builder_takes_its_own_default():
    plain = bootstrap_command("trixie", None, Path("overlay.tar"), Path("image.tar"))
    named = bootstrap_command("trixie", Mirror("http://mirror.example/debian"), Path("overlay.tar"), Path("image.tar"))

    assert plain[-2:] == ["trixie", "image.tar"]
    assert named[: len(plain)] == plain
    assert named[len(plain) :] == Mirror("http://mirror.example/debian").sources("trixie")
