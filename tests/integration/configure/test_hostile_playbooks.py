"""Playbooks that try to reach the server: each is refused by name, and learns nothing.

No machine is needed: what a playbook would send to one is written down instead.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from isthmus.configure.nurseries import Nursery
from isthmus.configure.playbooks import run_with
from isthmus.sites.contract import Errand, Result
from tests.integration.configure.machines import PaperMachine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRET = "a-secret-of-the-server"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nursery() -> AsyncIterator[Nursery]:
    nursery = Nursery()
    yield nursery
    await nursery.close()


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of the server's; its text is in the server's environment as well."""
    monkeypatch.setenv("ISTHMUS_TOKEN", SECRET)
    file = tmp_path / "secret.yml"
    file.write_text(f"leaked: {SECRET}\n")
    return file


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Nothing that a hostile playbook would leave on the server is there afterwards."""
    yield
    assert not Path("/tmp/isthmus-was-here").exists()
    assert not Path("/etc/cron.d/x").exists()


async def play(nursery: Nursery, files: dict[str, str], **inputs: object) -> tuple[Result, str, bytes]:
    """The result, the log and what the machine got, of ``play.yml`` in ``files``."""
    machine, lines = PaperMachine(), []
    errand = Errand("attack", "play.yml", {k: v.encode() for k, v in files.items()}, {}, 60, inputs)
    results = await run_with(nursery, {"front-0": machine}, {"front-0": errand}, lambda h, t: lines.append(t))
    return results["front-0"], "\n".join(lines), machine.received


def tasks(text: str, head: str = "hosts: all") -> dict[str, str]:
    """A playbook of one play with those tasks."""
    body = "".join(f"    {line}\n" for line in text.strip("\n").split("\n"))
    return {"play.yml": f"- {head}\n  gather_facts: false\n  tasks:\n{body}"}


def show(expression: str) -> dict[str, str]:
    return tasks(f'- debug:\n    msg: "{{{{ {expression} }}}}"')


def leaks(result: Result, log: str, received: bytes) -> bool:
    """Whether the secret or the server's passwd got out, in any of the forms that Ansible sends."""
    told = f"{result} {log}".encode() + received
    return any(s in told for s in (SECRET.encode(), base64.b64encode(SECRET.encode()), b"root:x:0"))


EXPRESSIONS = {
    "lookup file": ("lookup('file', '@')", "not a file of the template"),
    "lookup by long name": ("lookup('ansible.builtin.file', '@')", "not a file of the template"),
    "lookup of a folder above": ("lookup('file', '../../../../../..@')", ""),
    "lookup pipe": ("lookup('pipe', 'cat @')", "lookup pipe"),
    "lookup lines": ("lookup('lines', 'cat @')", "lookup lines"),
    "lookup env": ("lookup('env', 'ISTHMUS_TOKEN')", "lookup env"),
    "lookup url": ("lookup('url', 'file://@')", "lookup url"),
    "lookup password": ("lookup('password', '@')", "lookup password"),
    "lookup unvault": ("lookup('unvault', '@')", "lookup unvault"),
    "lookup csvfile": ("lookup('csvfile', 'leaked: file=@')", "lookup csvfile"),
    "lookup ini": ("lookup('ini', 'leaked type=properties file=@')", "lookup ini"),
    "lookup config": ("lookup('config', 'DEFAULT_ROLES_PATH')", "lookup config"),
    "lookup template": ("lookup('template', '@')", "not a file of the template"),
    "lookup first_found": ("lookup('file', lookup('first_found', ['@']))", "not a file of the template"),
    "query": ("query('pipe', 'cat @')", "lookup pipe"),
    "short query": ("q('file', '@')", "not a file of the template"),
    "lookup whose errors are ignored": ("lookup('file', '@', errors='ignore')", ""),
    "filter fileglob": ("'/etc/*' | fileglob", "filter fileglob"),
    "filter expandvars": ("'$ISTHMUS_TOKEN' | expandvars", "filter expandvars"),
    "filter realpath": ("'/proc/self/cwd' | realpath", "filter realpath"),
    "test exists": ("'@' is exists", "test exists"),
    "test file": ("'@' is file", "test file"),
    "class walk": ("''.__class__.__mro__[1].__subclasses__()", ""),
    "globals of lookup": ("lookup.__globals__", ""),
    "globals of a macro": ("cycler.__init__.__globals__.os.popen('id').read()", ""),
    "globals by attr": ("lookup | attr('__globals__')", ""),
    "format string": ("'{0.__class__.__mro__}'.format('')", ""),
    "loader of the environment": ("self._TemplateReference__context.environment.loader", ""),
    "map attribute": ("[lookup] | map(attribute='__globals__') | list", ""),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
async def test_an_expression_reads_nothing_of_the_server(name: str, nursery: Nursery, secret: Path) -> None:
    expression, said = EXPRESSIONS[name]
    result, log, received = await play(nursery, show(expression.replace("@", str(secret))))
    assert not leaks(result, log, received)
    assert said in result.message
    if said:
        assert result.code != 0
        assert "refused" in result.message
    assert "os.py" not in log
    assert "<module" not in log
    assert "uid=" not in log


TASKS = {
    "copy of a file": ("- copy: {src: '@', dest: /tmp/x}", "not a file of the template"),
    "copy of a folder": ("- copy: {src: '@/../', dest: /tmp/x}", "not a file of the template"),
    "copy from above": ("- copy: {src: '../../../../../../../..@', dest: /tmp/x}", ""),
    "template": ("- template: {src: '@', dest: /tmp/x}", "not a file of the template"),
    "script": ("- script: '@'", "not a file of the template"),
    "unarchive": ("- unarchive: {src: '@', dest: /tmp}", "not a file of the template"),
    "assemble": ("- assemble: {src: /etc, dest: /tmp/x, remote_src: false}", "not a file of the template"),
    "uri": ("- uri: {url: 'http://a/', src: '@', method: PUT}", "not a file of the template"),
    "include_vars of a file": ("- include_vars: {file: '@'}", "not a file of the template"),
    "include_vars of a folder": ("- include_vars: {dir: /etc}", "not a file of the template"),
    "include_tasks": ("- include_tasks: '@'", "not a file of the template"),
    "import_tasks": ("- import_tasks: '@'", "not a file of the template"),
    "import_role": ("- import_role: {name: /etc}", "not a file of the template"),
    "include_role": ("- include_role: {name: ../../../../../../etc}", ""),
    "with_fileglob": ("- debug: {msg: '{{ item }}'}\n  with_fileglob: ['/etc/*']", ""),
    "with_file": ("- debug: {msg: '{{ item }}'}\n  with_file: ['@']", "not a file of the template"),
    "with_lines": ("- debug: {msg: '{{ item }}'}\n  with_lines: ['cat @']", "lookup lines"),
    "with_first_found": ("- copy: {src: '{{ item }}', dest: /tmp/x}\n  with_first_found: ['@']", "not a file"),
    "fetch to a folder of the server": ("- fetch: {src: /a, dest: /etc/cron.d/x, flat: true}", "not a file"),
    "delegate_to localhost": ("- command: id\n  delegate_to: localhost", "localhost is not a machine"),
    "delegate_to an address": ("- command: id\n  delegate_to: 127.0.0.1", "127.0.0.1 is not a machine"),
    "delegate_to with local": (
        "- command: id\n  delegate_to: other\n  vars: {ansible_connection: local}", "other is not a machine"),
    "delegated facts": ("- setup:\n  delegate_to: localhost\n  delegate_facts: true", "localhost is not a machine"),
    "local_action": ("- local_action: command id", "localhost is not a machine"),
    "add_host": ("- add_host: {name: localhost, ansible_connection: local}", "add_host"),
    "another connection": ("- command: id\n  connection: winrm", "connection winrm"),
    "connection by a variable": ("- command: id\n  vars: {ansible_connection: psrp}", "connection psrp"),
    "debugger": ("- command: id\n  debugger: always", "debugger"),
    "an action of another collection": ("- ansible.posix.synchronize: {src: /etc, dest: /tmp}", "synchronize"),
}  # fmt: skip


@pytest.mark.parametrize("name", TASKS)
async def test_a_task_reaches_nothing_of_the_server(name: str, nursery: Nursery, secret: Path) -> None:
    text, said = TASKS[name]
    result, log, received = await play(nursery, tasks(text.replace("@", str(secret))))
    assert not leaks(result, log, received)
    assert said in result.message
    assert result.code != 0


PLAYS = {
    "vars_files": ("- hosts: all\n  vars_files: ['@']\n  tasks: [{debug: {var: leaked}}]", "not a file of"),
    "vars_prompt": ("- hosts: all\n  vars_prompt: [{name: a}]\n  tasks: []", "vars_prompt"),
    "import_playbook": ("- import_playbook: '@'", "not a file of the template"),
    "roles by path": ("- hosts: all\n  roles: [/etc]", "not a file of the template"),
    "strategy": ("- hosts: all\n  strategy: debug\n  tasks: [{debug: {msg: a}}]", "strategy debug"),
    "no machine": ("- hosts: elsewhere\n  tasks: [{debug: {msg: a}}]", "for no machine"),
}


@pytest.mark.parametrize("name", PLAYS)
async def test_a_play_reaches_nothing_of_the_server(name: str, nursery: Nursery, secret: Path) -> None:
    text, said = PLAYS[name]
    result, log, received = await play(nursery, {"play.yml": text.replace("@", str(secret))})
    assert not leaks(result, log, received)
    assert said in result.message
    assert result.code != 0


PLUGIN = "raise SystemExit(open('/tmp/isthmus-was-here', 'w'))\n"
FOLDERS = [
    "filter_plugins",
    "lookup_plugins",
    "action_plugins",
    "callback_plugins",
    "connection_plugins",
    "test_plugins",
]
FOLDERS += ["strategy_plugins", "vars_plugins", "cache_plugins", "inventory_plugins", "become_plugins", "shell_plugins"]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("where", ["", "roles/r/"])
async def test_plugins_of_a_bundle_are_refused(folder: str, where: str, nursery: Nursery) -> None:
    play_text = "- hosts: all\n  gather_facts: false\n  roles: [r]\n  tasks: [{debug: {msg: hello}}]"
    files = {"play.yml": play_text, "roles/r/tasks/main.yml": "- debug: {msg: in role}\n"}
    result, _, _ = await play(nursery, files | {f"{where}{folder}/debug.py": PLUGIN})
    assert result.code != 0
    assert "holds plugins" in result.message


async def test_plugins_of_a_collection_in_a_bundle_are_never_loaded(nursery: Nursery) -> None:
    files = show("'x' | mine.own.evil") | {
        "collections/ansible_collections/mine/own/plugins/filter/evil.py": PLUGIN,
        "collections/ansible_collections/mine/own/plugins/__init__.py": PLUGIN,
    }
    result, _, _ = await play(nursery, files)
    assert result.code != 0


async def test_a_module_of_a_bundle_runs_on_the_machine(nursery: Nursery) -> None:
    module = "#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\n" + PLUGIN
    result, _, received = await play(nursery, tasks("- mine:") | {"library/mine.py": module})
    assert result.code == 0
    assert received


async def test_settings_of_a_bundle_are_not_read(nursery: Nursery) -> None:
    config = "[defaults]\nfilter_plugins = .\nstdout_callback = evil\ncallback_plugins = .\n"
    result, _, _ = await play(nursery, show("1 + 1") | {"ansible.cfg": config, "evil.py": PLUGIN})
    assert result.code == 0


@pytest.mark.parametrize(
    "variables",
    [
        {"ansible_connection": "local"},
        {"ansible_connection": "local", "ansible_host": "localhost"},
        {"ansible_ssh_common_args": "-o ProxyCommand='touch /tmp/isthmus-was-here'"},
        {"ansible_ssh_executable": "/usr/bin/touch /tmp/isthmus-was-here"},
        {"ansible_python_interpreter": "/usr/bin/touch /tmp/isthmus-was-here;"},
        {"ansible_shell_executable": "/usr/bin/touch"},
        {"ansible_become": True, "ansible_become_exe": "/usr/bin/touch"},
        {"ansible_host": "127.0.0.1", "ansible_port": 1, "inventory_hostname": "localhost"},
        {"_ANSIBALLZ_DEBUGPY_CONFIG": "{}", "ansible_debug": True},
    ],
)  # fmt: skip
async def test_no_variable_leads_a_task_away_from_its_machine(variables: dict[str, object], nursery: Nursery) -> None:
    for where in ("inputs", "vars"):
        files = tasks("- command: hostname")
        if where == "vars":
            given = "".join(f"    {k}: {v!r}\n" for k, v in variables.items())
            files = {"play.yml": files["play.yml"].replace("  tasks:", f"  vars:\n{given}  tasks:")}
        inputs = variables if where == "inputs" else {}
        result, _, received = await play(nursery, files, **inputs)
        assert received or result.code != 0


async def test_local_means_the_machine(nursery: Nursery) -> None:
    for hosts in ("localhost", "local", "127.0.0.1", "all", "'{{ where }}'"):
        files = tasks("- raw: hostname", f"hosts: {hosts}\n  connection: local\n  vars: {{where: localhost}}")
        result, log, received = await play(nursery, files)
        assert (result.code, result.message) == (0, "")
        assert b"hostname" in received
        assert "TASK [raw]" in log


async def test_an_input_is_never_a_template(nursery: Nursery, secret: Path) -> None:
    evil = "{{ lookup('file', '" + str(secret) + "') }}{{ 1 + 1 }}"
    result, log, received = await play(nursery, show("given"), given=evil)
    assert result.code == 0
    assert evil in log
    assert not leaks(result, log, received)


async def test_an_input_stands_in_for_a_variable_of_the_play(nursery: Nursery) -> None:
    text = tasks("- debug: {msg: '{{ a }} {{ b }} {{ c.d }}'}", "hosts: all\n  vars: {a: 1, b: 2}")
    _, log, _ = await play(nursery, text, a="given", c={"d": [True]})
    assert "given 2 [True]" in log


async def test_files_of_the_bundle_are_found(nursery: Nursery) -> None:
    text = """
- include_vars: more.yml
- include_tasks: tasks/next.yml
- debug: {msg: "{{ lookup('file', 'note.txt') }} {{ more }} {{ lookup('template', 't.j2') }}"}
- debug: {msg: "{{ item | basename }}"}
  with_fileglob: ['files/*.txt']
- copy: {src: note.txt, dest: /tmp/note}
- set_stats: {data: {answer: 42}}
"""
    files = tasks(text) | {
        "vars/more.yml": "more: beer\n", "tasks/next.yml": "- debug: {msg: next}\n", "files/note.txt": "a note",
        "templates/t.j2": "{{ more | upper }}",
    }  # fmt: skip
    result, log, received = await play(nursery, files)
    assert (result.code, result.message) == (0, "")
    assert dict(result.outputs) == {"answer": 42}
    assert "a note beer BEER" in log
    assert "next" in log
    assert "note.txt" in log
    assert b"a note" in received


async def test_a_bomb_stays_inside(nursery: Nursery) -> None:
    result, _, _ = await play(nursery, show("'a' * 4000000000"))
    assert result.code != 0


def payloads(nursery: Nursery) -> dict[str, int]:
    """The archives that all runs share, and when each was written."""
    return {f.name: f.stat().st_mtime_ns for f in Path(nursery._home, "payloads").iterdir()}


async def test_a_run_cannot_change_what_others_send(nursery: Nursery) -> None:
    before = payloads(nursery)
    await play(nursery, tasks("- command: a\n- ping:\n- mine:") | {"library/mine.py": "#!/usr/bin/python\n"})
    after = payloads(nursery)
    assert {name: after[name] for name in before} == before
    assert not any("mine" in name for name in after)


async def test_a_nursery_that_died_is_replaced(nursery: Nursery) -> None:
    assert nursery._process
    nursery._process.kill()
    await nursery._process.wait()
    result, log, _ = await play(nursery, show("1 + 1"))
    assert result.code == 0
    assert "2" in log
