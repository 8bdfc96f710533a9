"""The documentation keeps its word: its links resolve, and the commands, options and settings in it exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from isthmus.cli.main import app
from isthmus.settings import _ENVIRONMENT, Settings
from isthmus.sites.fake.options import Options as FakeOptions
from isthmus.sites.htcondor.driver import HTCondorDriver
from isthmus.sites.htcondor.options import Options as HTCondorOptions
from isthmus.sites.local.jobs import LocalQueue
from isthmus.sites.local.options import JobsOptions, LocalOptions
from isthmus.sites.slurm.driver import SlurmDriver
from isthmus.sites.slurm.options import Options as SlurmOptions
from isthmus.sites.ssh.options import HostOptions
from isthmus.sites.ssh.options import Options as SshOptions

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CLI: Any = get_command(app)
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_ENDS = frozenset("|;&()<>")


def pages() -> list[Any]:
    return [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES]


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page can be linked to."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def typed(page: Path) -> Iterator[str]:
    """Every command line of a page: in console blocks what follows ``$``, in prose spans that begin with isthmus."""
    for _, language, block in _FENCE.findall(page.read_text()):
        whole = block.replace("\\\n", " ")
        if language == "console":
            yield from (line.strip()[2:] for line in whole.splitlines() if line.strip().startswith("$ "))
        elif language in ("sh", "bash"):
            yield from whole.splitlines()
    yield from (span for span in _SPAN.findall(prose(page)) if span.startswith("isthmus "))


def calls(line: str) -> Iterator[list[str]]:
    """The words after each ``isthmus`` that stands where a shell looks for a program."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        begins = not before or set(before) <= _ENDS or re.fullmatch(r"[A-Z_]+=.*", before)
        if begins and word.rpartition("/")[2] == "isthmus":
            rest = words[at + 1 :]
            end = next((i for i, w in enumerate(rest) if w == "--" or set(w) <= _ENDS), len(rest))
            yield rest[:end]


def options(command: Any) -> set[str]:
    return {"-h", "--help"} | {name for p in command.params for name in (*p.opts, *p.secondary_opts)}


def unknown(words: Sequence[str]) -> list[str]:
    """What of a call the command line would not know."""
    command, known, wrong, named, alone = CLI, options(CLI), [], False, True
    for word in words:
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in known:
                wrong.append(word)
        elif not named and word in getattr(command, "commands", {}):
            command = command.commands[word]
            known = options(command)
            named = not hasattr(command, "commands")
            alone = named or command.invoke_without_command
        elif not named and hasattr(command, "commands") and command is not CLI:
            wrong.append(word)
    return wrong if alone else [*wrong, "a command"]


def leaves(command: Any = CLI, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command with its full name."""
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from leaves(inner, (*path, name))
        else:
            yield " ".join((*path, name)), inner


def section(page: Path, heading: str) -> str:
    """The text below a heading, up to the next of its level or above."""
    level = heading.partition(" ")[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", page.read_text(), re.M | re.S)
    assert found, heading
    return found[1]


def first_cells(text: str) -> set[str]:
    """The names in the first column of the tables of a text."""
    rows = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return {name for row in rows for name in _SPAN.findall(row)}


@pytest.mark.parametrize("page", pages())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", pages())
def test_every_command_and_option_that_is_shown_exists(page: Path) -> None:
    wrong = {line: found for line in typed(page) for words in calls(line) if (found := unknown(words))}
    assert wrong == {}


def test_the_check_of_commands_finds_what_is_wrong() -> None:
    assert list(calls("cd x && A=1 .venv/bin/isthmus list --json | head")) == [["list", "--json"]]
    assert list(calls("isthmus exec a -- isthmus --nonsense")) == [["exec", "a"]]
    assert unknown(["deploy", "x", "--sit", "y"]) == ["--sit"]
    assert unknown(["server", "restart"]) == ["restart", "a command"]
    assert unknown(["--url", "http://x", "list"]) == []


def test_every_command_and_option_is_told_of() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    missing = [name for name, _ in leaves() if f"`isthmus {name}" not in page]
    found = {o for _, command in leaves() for o in options(command)} | options(CLI)
    missing += [o for o in sorted(found) if o.startswith("--") and not re.search(rf"[` (]{o}[` ,)]", page)]
    assert [m for m in missing if m != "--help"] == []


def test_the_table_of_settings_is_that_of_the_server() -> None:
    told = section(ROOT / "docs" / "operate.md", "## Settings")
    assert first_cells(told) == set(Settings.model_fields) - {"home"}
    assert [name for name in ("ISTHMUS_HOME", *_ENVIRONMENT) if f"`{name}`" not in told] == []


@pytest.mark.parametrize(
    ("heading", "models"),
    [
        ("### local: this machine", [LocalOptions, JobsOptions]),
        ("### ssh: hosts that you have", [SshOptions, HostOptions]),
        ("### slurm: a cluster that you have", [SlurmOptions]),
        ("### htcondor: a pool that you have", [HTCondorOptions]),
        ("### fake: pretended machines", [FakeOptions]),
    ],
)
def test_the_tables_of_options_are_those_of_the_drivers(heading: str, models: Sequence[Any]) -> None:
    told = first_cells(section(ROOT / "docs" / "operate.md", heading))
    assert told == {name for model in models for name in model.model_fields}


def test_every_option_that_jobs_may_have_on_a_site_is_told_of() -> None:
    told = first_cells(section(ROOT / "docs" / "jobs.md", "### Options of sites"))
    assert told == {*SlurmDriver.takes, *HTCondorDriver.takes, *LocalQueue.takes}
