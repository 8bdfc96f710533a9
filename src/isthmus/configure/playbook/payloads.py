"""The archives in which common modules travel, made once for all runs by a process that no playbook touches.

Making one takes Ansible half a second, and each run would make its own; a cache that runs write to would let
one deployment's playbook change what another's sends to its machines.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import functools
import io
import os
import zipfile
from pathlib import Path

from ansible import constants as C
from ansible._internal._ansiballz import _builder
from ansible._internal._datatag._tags import Origin
from ansible.executor import module_common
from ansible.plugins.loader import module_loader

CACHE = "ansiballz_cache"
MODULES = (
    "command", "copy", "stat", "file", "setup", "systemd", "service", "apt", "user", "group", "lineinfile",
    "get_url", "unarchive", "blockinfile", "replace", "package_facts", "slurp", "find", "wait_for", "uri",
    "hostname", "pip", "git", "cron", "getent", "ping", "async_wrapper", "async_status", "tempfile", "dnf",
    "apt_repository", "deb822_repository", "apt_key", "service_facts", "assemble", "known_hosts",
)  # fmt: skip
"""Most used first: those that are not ready yet when a run begins, it makes for itself."""


def remember_syntax_trees() -> None:
    """Parse what modules share once only, also for the modules that are not made ahead."""
    original = module_common._compile_module_ast
    module_common._compile_module_ast = functools.lru_cache(maxsize=256)(original)


def make_payloads(folder: Path) -> None:
    """Make the archives of the common modules in ``folder``, as Ansible itself would, in its cache's form."""
    for name in MODULES:
        found = module_loader.find_plugin_with_context(name)
        if found.resolved:
            _make(folder, name, Path(found.plugin_resolved_path))


def _make(folder: Path, name: str, source: Path) -> None:
    full_name = module_common._get_ansible_module_fqn(str(source))
    content = source.read_bytes()
    now = datetime.datetime.now(datetime.UTC)
    extensions = _builder.ExtensionManager.create(task_vars={})
    out = io.BytesIO()
    with zipfile.ZipFile(out, mode="w", compression=getattr(zipfile, C.DEFAULT_MODULE_COMPRESSION)) as archive:
        tagged = Origin(path=str(source)).tag(content)
        metadata = module_common.recursive_finder(name, full_name, tagged, archive, now, extensions)
        module_common._add_module_to_zip(archive, now, full_name, content, str(source), extensions)
    made = module_common._CachedModule(zip_data=base64.b64encode(out.getvalue()), metadata=metadata, source_mapping={})
    made.dump(str(folder / f"{full_name}-{C.DEFAULT_MODULE_COMPRESSION}-none"))


def link_payloads(folder: Path, tmp: Path) -> None:
    """Let a run whose temporary folder is ``tmp`` read the archives that are ready in ``folder``."""
    (tmp / CACHE).mkdir()
    for entry in os.scandir(folder):
        if not entry.name.endswith(".lock") and entry.is_file():
            with contextlib.suppress(FileExistsError):
                (tmp / CACHE / entry.name).symlink_to(entry.path)
