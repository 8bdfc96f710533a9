"""Settings: defaults, file, environment; what is unknown is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.errors import Invalid
from isthmus.settings import load_settings


def load(home: Path, text: str | None = None, **environ: str):  # type: ignore[no-untyped-def]
    if text is not None:
        (home / "config.yaml").write_text(text)
    return load_settings({"ISTHMUS_HOME": str(home), **environ})


def test_without_a_file_there_is_one_local_site_and_a_database_at_home(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/isthmus.db"
    assert [(s.name, s.kind) for s in settings.sites] == [("local", "local")]
    assert (settings.host, settings.port) == ("127.0.0.1", 0)


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, "tick: 3\nlisten: 127.0.0.1:9\n", ISTHMUS_TICK="7", ISTHMUS_LISTEN="[::1]:8")
    assert (settings.tick, settings.host, settings.port) == (7, "::1", 8)


def test_sites_are_read_with_their_options(tmp_path: Path) -> None:
    settings = load(tmp_path, "sites: [{name: a, kind: fake, options: {latency: 1}}]")
    assert settings.sites[0].options == {"latency": 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tik: 3", "unknown key tik"),
        ("sites: [{name: a, kind: b, option: 1}]", "unknown key sites.0.option"),
        ("tick: 0", "tick: "),
        ("listen: somewhere", "HOST:PORT"),
        ("listen: 1.2.3.4:99999", "HOST:PORT"),
        ("sites: [{name: a, kind: b}, {name: a, kind: c}]", "two sites are called a"),
        ("sites: [{name: A_, kind: b}]", "sites.0.name"),
        ("home: /tmp", "set ISTHMUS_HOME"),
        ("- a", "keys and values"),
        ("a: [", "cannot be read"),
        ("log_level: loud", "log_level"),
    ],
)
def test_what_is_wrong_is_refused_by_name(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told.replace("[", r"\[")):
        load(tmp_path, text)


def test_the_home_follows_the_xdg_state_folder(tmp_path: Path) -> None:
    from isthmus.home import find_home

    assert find_home({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "isthmus"
    assert find_home({"XDG_STATE_HOME": "not/absolute"}) == Path.home() / ".local/state/isthmus"
