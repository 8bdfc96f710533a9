"""What a playbook may not do on the server, refused by name: the first of two layers.

Ansible believes its playbooks; here they are hostile. These guards say clearly what is not done and why. The
second layer (:mod:`isthmus.configure.sandbox`) holds even where a guard has a hole.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.executor.process import worker
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.base import Base
from ansible.playbook.play import Play
from ansible.plugins import loader
from ansible.plugins.action import include_vars
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

from isthmus.configure.playbook.pipes import PipeQueue

LOOKUPS = frozenset({
    "dict", "file", "fileglob", "first_found", "indexed_items", "inventory_hostnames", "items", "list", "nested",
    "random_choice", "sequence", "subelements", "template", "together", "varnames", "vars",
})  # fmt: skip
ACTIONS = frozenset({
    "assemble", "assert", "async_status", "command", "copy", "debug", "dnf", "fail", "fetch", "gather_facts",
    "group_by", "include_vars", "normal", "package", "pause", "raw", "reboot", "script", "service", "set_fact",
    "set_stats", "shell", "template", "unarchive", "uri", "validate_argument_spec", "wait_for_connection",
})  # fmt: skip
STRATEGIES = frozenset({"linear", "free", "host_pinned"})
CONNECTIONS = frozenset({"isthmus", "ssh", "smart", "local", "paramiko", "paramiko_ssh"})
"""All of these mean the machine that the task is for; there is one way to it."""
FILTERS_REFUSED = frozenset({"fileglob", "realpath", "expanduser", "expandvars"})
TESTS_REFUSED = frozenset({
    "directory", "exists", "file", "is_dir", "is_file", "is_link", "is_mount", "is_same_file", "link",
    "link_exists", "mount", "same_file",
})  # fmt: skip
_OPEN_FOLDERS = frozenset({"library", "module_utils"})
"""Plugin folders of a bundle that hold what runs on the machine alone."""


class BundleLoader(DataLoader):  # type: ignore[misc]
    """Finds and reads files of the bundle, and nothing else."""

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = os.path.realpath(folder)

    def inside(self, path: str | bytes) -> str:
        """``path`` if it is in the run's folder; raises :class:`AnsibleParserError` else."""
        text = os.fsdecode(path)
        real = os.path.realpath(text)
        if real != self._folder and not real.startswith(self._folder + "/"):
            raise AnsibleParserError(f"refused: {text} is not a file of the template; a playbook can use only those")
        return text

    def path_exists(self, path: str) -> bool:
        return bool(super().path_exists(self.inside(self.path_dwim(path))))

    def is_file(self, path: str) -> bool:
        return bool(super().is_file(self.inside(self.path_dwim(path))))

    def is_directory(self, path: str) -> bool:
        return bool(super().is_directory(self.inside(self.path_dwim(path))))

    def list_directory(self, path: str) -> list[str]:
        return list(super().list_directory(self.inside(self.path_dwim(path))))

    def get_real_file(self, file_path: str, decrypt: bool = True) -> str:
        return str(super().get_real_file(self.inside(self.path_dwim(file_path)), decrypt))

    def _get_file_contents(self, file_name: str) -> tuple[bytes, bool]:
        self.inside(self.path_dwim(file_name))
        return super()._get_file_contents(file_name)  # type: ignore[no-any-return]

    def path_dwim_relative(self, path: str, dirname: str, source: str, is_role: bool = False) -> str:
        self._refuse_outside(source)
        return self.inside(super().path_dwim_relative(path, dirname, source, is_role))

    def path_dwim_relative_stack(self, paths: list[str], dirname: str, source: str, is_role: bool = False) -> str:
        self._refuse_outside(source)
        return self.inside(super().path_dwim_relative_stack(paths, dirname, source, is_role))

    def _refuse_outside(self, source: str | bytes | None) -> None:
        text = os.fsdecode(source or "")
        if text.startswith(("/", "~")):
            self.inside(Path(text).expanduser().as_posix())


def install(folder: Path, readable: list[Path], inputs: frozenset[str]) -> None:
    """Put the guards up, for good, around a run in ``folder`` whose inputs have these names."""
    _guard_plugins()
    _guard_plugin_folders(folder)
    _guard_keywords(inputs)
    _guard_folders()
    worker.WorkerQueue = PipeQueue
    _watch([folder, *readable])


# -- plugins ----------------------------------------------------------------------------------------


def short_name(name: str) -> str:
    """A plugin's name without the collection of Ansible's own."""
    return name.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")


def judge(kind: str, name: str) -> str | None:
    """Why the plugin ``name`` of that kind is refused, or None."""
    short = short_name(name)
    match kind:
        case "lookup" if short not in LOOKUPS:
            return f"the lookup {name} would read the server; what a playbook needs comes as an input"
        case "action" if short == "add_host":
            return "add_host: the machines of a run are those of the deployment"
        case "action" if short not in ACTIONS:
            return f"the action {name} would run on the server"
        case "connection" if short not in CONNECTIONS:
            return f"the connection {name}: machines are reached in one way only"
        case "strategy" if short not in STRATEGIES:
            return f"the strategy {name}"
        case "filter" if short in FILTERS_REFUSED:
            return f"the filter {name} would look at the server's files"
        case "test" if short in TESTS_REFUSED:
            return f"the test {name} would look at the server's files; use the module stat on the machine"
    return None


def _guard_plugins() -> None:
    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def get_with_context(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            why = judge(self.type, name)
            if why and self.type != "action":
                raise AnsibleError(f"refused: {why}")
            if self.type == "connection":
                name = "isthmus"
            found = original(self, name, *args, **kwargs)
            if why and found.object is not None:  # most modules have no action on the server at all
                raise AnsibleError(f"refused: {why}")
            return found

        return get_with_context

    for kind in (loader.PluginLoader, loader.Jinja2Loader):
        kind.get_with_context = guarded(kind.get_with_context)


def _guard_plugin_folders(folder: Path) -> None:
    root = os.path.realpath(folder)

    def add_directory(self: Any, directory: str, with_subdir: bool = False) -> None:
        where = os.path.realpath(Path(directory, self.subdir) if with_subdir else directory)
        if self.subdir not in _OPEN_FOLDERS or not where.startswith(root + "/"):
            raise AnsibleParserError(
                f"refused: {os.path.relpath(where, root)} holds plugins, which would run on the server"
            )
        original(self, directory, with_subdir)

    original = loader.PluginLoader.add_directory
    loader.PluginLoader.add_directory = add_directory
    _AnsibleCollectionFinder.set_playbook_paths = lambda self, paths: None


# -- keywords ---------------------------------------------------------------------------------------


def _guard_keywords(inputs: frozenset[str]) -> None:
    def refuse_debugger(self: Any, attribute: str, name: str, value: object) -> None:
        if value not in (None, "never"):
            raise AnsibleParserError("refused: debugger, for nobody sits at a terminal")

    Base._validate_debugger = refuse_debugger
    original = Play.load

    def load(data: Any, variable_manager: Any = None, loader: Any = None, vars: Any = None) -> Any:
        if isinstance(data, dict):
            if data.get("vars_prompt"):
                raise AnsibleParserError("refused: vars_prompt, for nobody is asked; use inputs")
            if isinstance(data.get("vars"), dict):
                for name in inputs & data["vars"].keys():
                    del data["vars"][name]
        return original(data, variable_manager=variable_manager, loader=loader, vars=vars)

    Play.load = staticmethod(load)


def _guard_folders() -> None:
    original = include_vars.ActionModule._set_root_dir

    def set_root_dir(self: Any) -> None:
        original(self)
        self._loader.inside(self.source_dir)

    include_vars.ActionModule._set_root_dir = set_root_dir


# -- system calls -----------------------------------------------------------------------------------


def readable_folders() -> list[Path]:
    """What Ansible and Python themselves need to read: programs, libraries, time zones; nothing of a user's."""
    own = Path(__file__).parents[2]
    python = [Path(sys.prefix), Path(sys.base_prefix), *(Path(p) for p in sys.path if p.endswith("-packages"))]
    system = [Path("/usr/lib"), Path("/usr/lib64"), Path("/lib"), Path("/lib64"), Path("/usr/share/zoneinfo")]
    system += [Path("/etc/ld.so.cache"), Path("/etc/localtime"), Path("/usr/share/ansible")]
    return [p for p in dict.fromkeys([*python, own, *system]) if p.exists() and p != Path("/")]


_FILES = frozenset({"open", "os.listdir", "os.scandir", "os.chdir", "os.truncate", "shutil.copyfile"})
_NEVER = {
    "subprocess.Popen": "run a program",
    "os.exec": "run a program",
    "os.posix_spawn": "run a program",
    "os.system": "run a program",
    "socket.connect": "open a connection",
    "socket.bind": "listen",
    "socket.getaddrinfo": "look up a name",
}


def _watch(folders: list[Path]) -> None:
    """Refuse, by Python's audit events (PEP 578), to touch other files, run programs and connect."""
    roots = [os.path.realpath(p) for p in folders]
    devices = {"/dev/null", "/dev/urandom", "/dev/random", "/dev/zero"}

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _FILES and isinstance(args[0], str | bytes):
            path = os.path.realpath(os.fsdecode(args[0]))
            if path not in devices and not any(path == r or path.startswith(r + "/") for r in roots):
                raise PermissionError(f"refused: {path} is not a file of the template")
        elif event in _NEVER:
            raise PermissionError(f"refused: a playbook cannot {_NEVER[event]} on the server")

    sys.addaudithook(hook)
