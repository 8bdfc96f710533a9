"""Runs one playbook with Ansible in this process, which then ends: confined, guarded, and watched."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.executor.playbook_executor import PlaybookExecutor
from ansible.inventory.manager import InventoryManager
from ansible.plugins import loader as loaders
from ansible.utils.context_objects import CLIArgs
from ansible.vars.manager import VariableManager

from isthmus.configure.playbook import door, guards
from isthmus.configure.playbook.payloads import link_payloads, remember_syntax_trees
from isthmus.configure.playbook.report import Reporter
from isthmus.configure.playbook.request import Request, load_request
from isthmus.configure.sandbox import confine, die_with_parent

LOCAL_NAMES = ("localhost", "local", "127.0.0.1", "::1")
"""What catalogues write for "here": the machine that the playbook is for, never the server."""
FORKS = 16
_AS_USUAL = {
    "verbosity": 0, "check": False, "diff": False, "tags": ("all",), "skip_tags": (), "connection": "isthmus",
    "remote_user": "root", "become": False, "become_method": "sudo", "become_user": None, "timeout": 10,
}  # fmt: skip
_FACTS = re.compile(
    rb"ansible_(?!play|host\b|user\b|check_mode|version|connection|python_interpreter|become|managed|loop"
    rb"|index_var|search_path|role_|parent_role|dependent_role|diff_mode|config_file|collection_name|run_tags"
    rb"|skip_tags|inventory_sources|verbosity|forks|limit|ssh|port|remote_tmp|async|shell|failed|pipelining)[a-z]"
    rb"|gather_subset"
)


def warm() -> None:
    """Load what every run needs, once, before the first run is forked."""
    loaders.init_plugin_loader([])
    remember_syntax_trees()
    for kind in (loaders.connection_loader, loaders.shell_loader, loaders.become_loader):
        list(kind.all(class_only=True))
    for kind in (loaders.filter_loader, loaders.test_loader):
        list(kind.all())
    for kind, names in (
        (loaders.lookup_loader, guards.LOOKUPS),
        (loaders.action_loader, guards.ACTIONS),
        (loaders.strategy_loader, guards.STRATEGIES),
    ):
        for name in sorted(names):
            kind.get(name, class_only=True)
    loaders.vars_loader.get("host_group_vars")


def run(stream: socket.socket, passage: socket.socket, payloads: Path) -> None:
    """Take a request from ``stream``, run it and report on ``stream``. For a process of its own.

    ``payloads`` is where :func:`make_payloads` puts what it has made.
    """
    with stream.makefile("rb") as file:
        request = load_request(file.read())
    out = stream.makefile("wb")
    reporter = Reporter(out, [host.name for host in request.hosts])
    door.use(passage)
    try:
        folder = Path(request.folder)
        _settle(folder)
        link_payloads(payloads, folder / "tmp")
        executor = _prepare(request, reporter)
        readable = [*guards.readable_folders(), payloads]
        guards.install(folder, readable, _input_names(request))
        confine(readable, [folder])
        executor.run()
    except AnsibleError as error:
        _fail(request, reporter, f"{_place(error)}{error}")
    except Exception as error:  # a fault of ours or of Ansible's is a failed run, not a silent one
        _fail(request, reporter, f"{type(error).__name__}: {error}")
    out.close()


def _fail(request: Request, reporter: Reporter, message: str) -> None:
    for host in request.hosts:
        reporter.end(host.name, 2, message.replace(request.folder + "/bundle/", ""))


def _place(error: AnsibleError) -> str:
    """Where in the bundle an error stands, as ``FILE:LINE:COLUMN: ``, or nothing."""
    first = str(error._formatted_source_context or "").partition("\n")[0]
    place = first.removeprefix("Origin: ")
    return f"{place}: " if place.startswith("/") else ""


def _settle(folder: Path) -> None:
    """Make the run's folder the process's own."""
    tmp = str(folder / "tmp")
    os.environ.update({"HOME": tmp, "TMPDIR": tmp})
    tempfile.tempdir = C.DEFAULT_LOCAL_TMP = tmp
    os.chdir(folder / "bundle")
    os.register_at_fork(after_in_child=die_with_parent)


def _prepare(request: Request, reporter: Reporter) -> PlaybookExecutor:
    """Ansible, ready to read the playbook: from then on nothing is to be trusted."""
    bundle = Path(request.folder) / "bundle"
    forks = min(FORKS, len(request.hosts))
    context.CLIARGS = CLIArgs({"forks": forks, "syntax": False, "start_at_task": None, **_AS_USUAL})
    C.DEFAULT_GATHERING = "implicit" if needs_facts(bundle) else "explicit"
    loader = guards.BundleLoader(Path(request.folder))
    inventory = make_inventory(request, loader)
    variables = VariableManager(loader=loader, inventory=inventory)
    executor = PlaybookExecutor([str(bundle / request.entry)], inventory, variables, loader, {})
    executor._tqm._callback_plugins.append(reporter)
    return executor


def _input_names(request: Request) -> frozenset[str]:
    return frozenset(name for host in request.hosts for name in host.variables)


def needs_facts(bundle: Path) -> bool:
    """Whether any file of the bundle names a fact; gathering them costs a second on each machine."""
    return any(_FACTS.search(path.read_bytes()) for path in bundle.rglob("*") if path.is_file())


def make_inventory(request: Request, loader: Any) -> Any:
    """The machines of the run. Their inputs are variables of the host; none of them is a template."""
    inventory = InventoryManager(loader=loader, sources=[])
    data = inventory._inventory
    for name in LOCAL_NAMES:
        data.add_group(name)
    for host in request.hosts:
        data.add_host(host.name)
        for group in LOCAL_NAMES:
            if group != host.name:
                data.add_child(group, host.name)
        given = {**host.variables, "ansible_user": "root", "isthmus_machine": host.name}
        given["isthmus_python"] = host.python
        given.setdefault("ansible_python_interpreter", host.python)
        for name, value in given.items():
            data.set_variable(host.name, name, value)
    data.reconcile_inventory()
    return inventory
