"""The submit description of a job, and what has to lie in its folder for it."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from isthmus.work.runner.allowance import allowance, processes_on_node
from isthmus.work.runner.failures import Permanent
from isthmus.work.runner.places import checked_index

MIB = 1024 * 1024
OVERTIME = 120
"""Seconds after the time limit and the grace after which the pool ends a task whose supervisor did not."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""For programs on a node: HTCondor gives a job none."""


def describe(spec: Mapping[str, Any], command: Sequence[str], config: Mapping[str, Any], root: Path) -> str:
    """The submit description of a spec, without its ``queue``; :class:`Permanent` for what a pool cannot do."""
    program = next(word for word in command if word.endswith(".pyz"))
    if not re.fullmatch(r"/[A-Za-z0-9._/@+~-]*", program):
        raise Permanent("program {}: not a path that a submit file takes".format(program))
    asked = spec.get("resources") or {}
    options = dict(spec.get("options") or {})
    grace = math.ceil(float(spec.get("grace") or 0))
    each = spec.get("launch") == "each" and int(asked.get("tasks") or 1) > 1
    machines = int(asked.get("tasks" if each else "nodes") or 1)
    node = ".$(Node)" if machines > 1 else ""
    lines = [
        "universe = {}".format("parallel" if machines > 1 else "vanilla"),
        "executable = /usr/bin/env",
        "transfer_executable = false",
        "arguments = {} {} run --submission . --index $(Task)".format(_python(config), Path(program).name),
        'environment = "PATH={}"'.format(PATH),
        "initialdir = {}/submissions/$(Submission)".format(root),
        "should_transfer_files = YES",
        "when_to_transfer_output = ON_EXIT",
        "transfer_input_files = {}, order.json, blobs, work, outputs.tar".format(program),
        "transfer_output_files = outputs.tar",
        'transfer_output_remaps = "outputs.tar=tasks/$(Task)/outputs{}.tar"'.format(node),
        "output = tasks/$(Task)/stream{}.out".format(node),
        "stream_output = true",
        "error = tasks/$(Task)/stream{}.err".format(node),
        "batch_name = isthmus-$(Submission)",
        'My.IsthmusSubmission = "$(Submission)"',
        "My.IsthmusTask = $(Task)",
        'My.IsthmusName = "$(Title)"',
        "want_graceful_removal = true",
        "kill_sig = SIGTERM",
        "job_max_vacate_time = {}".format(grace + 15),
        *_resources(spec, each),
    ]
    if asked.get("time") is not None:
        most = math.ceil(float(asked["time"])) + grace + OVERTIME
        lines.append("periodic_remove = JobStatus == 2 && time() - JobCurrentStartExecutingDate > {}".format(most))
    if machines > 1:
        lines += ["machine_count = {}".format(machines), 'My.ParallelShutdownPolicy = "WAIT_FOR_ALL"']
        lines += [] if each else ["My.WantIOProxy = true"]  # they meet by chirp
        if spec.get("array") is not None:
            raise Permanent("array: HTCondor runs tasks of several nodes one job at a time")
    if spec.get("array_limit") is not None:
        lines.append("max_materialize = {}".format(max(1, int(spec["array_limit"]))))
    lines += _options(options, asked, config)
    return "".join(line + "\n" for line in lines)


def _python(config: Mapping[str, Any]) -> str:
    python = str(config.get("node_python") or "python3")
    if not re.fullmatch(r"[A-Za-z0-9._/+-]+", python):
        raise Permanent("python {}: not a path that a submit file takes".format(python))
    return python


def _resources(spec: Mapping[str, Any], each: bool) -> List[str]:
    """What each process asks for if HTCondor starts them, else what all of them do that are on one node."""
    asked = spec.get("resources") or {}
    tasks = 1 if each else processes_on_node(asked)
    lines = ["request_cpus = {}".format(max(1, math.ceil(float(asked.get("cpus") or 1) * tasks)))]
    if asked.get("memory") is not None:
        lines.append("request_memory = {}".format(math.ceil((int(asked["memory"]) * tasks + allowance(spec)) / MIB)))
    if asked.get("gpus"):
        lines.append("request_gpus = {}".format(int(asked["gpus"]) * tasks))
        kind = asked.get("gpu_type")
        if kind is not None:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}", kind):
                raise Permanent("resources.gpu_type {!r}: not the name of a GPU".format(kind))
            pattern = kind.replace(".", "[.]")
            lines.append('require_gpus = regexp("{}", DeviceName, "i")'.format(pattern))
    return lines


def _options(options: Dict[str, Any], asked: Mapping[str, Any], config: Mapping[str, Any]) -> List[str]:
    lines = []
    group = options.pop("accounting_group", None) or config.get("accounting_group")
    if group is not None:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}", str(group)):
            raise Permanent("options.accounting_group {!r}: not a name".format(group))
        lines.append("accounting_group = {}".format(group))
    priority = options.pop("priority", None)
    if priority is not None:
        if not re.fullmatch(r"-?[0-9]{1,6}", str(priority)):
            raise Permanent("options.priority {!r}: not a whole number".format(priority))
        lines.append("priority = {}".format(int(priority)))
    disk = options.pop("disk", None)
    if disk is not None:
        found = re.fullmatch(r"([1-9][0-9]{0,9}) ?([KMGT])i?B", str(disk))
        if not found:
            raise Permanent("options.disk {!r}: not a size such as 10GiB".format(disk))
        lines.append("request_disk = {}{}".format(*found.groups()))
    known = config.get("requirements") or {}
    chosen = []
    for name in str(options.pop("requirements", None) or "").split(","):
        if name.strip() and name.strip() not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise Permanent("options.requirements {!r}: this site has {}".format(name.strip(), listed))
        chosen += ["({})".format(known[name.strip()])] if name.strip() else []
    if chosen:
        lines.append("requirements = {}".format(" && ".join(chosen)))
    if options:
        raise Permanent(
            "options.{}: HTCondor sites take accounting_group, disk, priority and requirements".format(min(options))
        )
    return lines


def lay_out(folder: Path, order: Mapping[str, Any]) -> None:
    """What condor_submit wants to be there before: places to write to, and files to send even if there are none."""
    for index in order["indices"]:
        (folder / "tasks" / str(checked_index(index)) / "log").mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "blobs").mkdir(mode=0o700, exist_ok=True)
    # A task that could not even begin has outputs too: this file, which went in and comes out.
    (folder / "outputs.tar").touch(mode=0o600)
    if order["spec"].get("array_limit") is not None:
        (folder / "limited").touch(mode=0o600)
