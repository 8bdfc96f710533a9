"""Jobs, their tasks and the sites that take them, as a person reads them."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from isthmus.cli.output import say, size, span, table, when

Json = Mapping[str, Any]
ENDED = ("succeeded", "failed", "cancelled")
_ORDER = ("failed", "cancelled", "succeeded", "running", "held", "queued", "pending")
_FEW_TASKS = 10
_LONGEST_ARRAY = 200
"""Characters of the indices of an array."""


def is_array(view: Json) -> bool:
    """Whether a job has an array of tasks."""
    return bool(sum(view["tasks"].values()) > 1)


def counts(view: Json) -> str:
    """How many tasks are in each state: ``200 succeeded``, ``3 failed, 197 succeeded``."""
    return ", ".join(f"{view['tasks'][s]} {s}" for s in _ORDER if view["tasks"].get(s))


def show_jobs(jobs: Sequence[Json]) -> None:
    """A list of jobs; an array is one row."""
    table(
        ["NAME", "ID", "STATE", "REASON", "TASKS", "SITE", "CREATED", "RUN", "EXIT", "COMMAND"],
        [
            [
                j["name"], j["id"], j["state"], j["reason"],
                counts(j) if is_array(j) else "", j["site"], when(j["created"]), _ran(j),
                "" if j["exit_code"] is None else j["exit_code"], _short(shlex.join(j["command"]) or j["image"] or ""),
            ]
            for j in jobs
        ],
        empty="No jobs. `isthmus run --image IMAGE -- COMMAND` runs one.",
    )  # fmt: skip


def _ran(view: Json) -> str:
    if not view["started"]:
        return ""
    return span((view["ended"] or time.time()) - view["started"])


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 50 else flat[:49] + "…"


def show_job(view: Json, *, tasks: bool = False) -> None:
    """One job: what was asked, how it stands, what it used; every task if there are few or ``tasks`` asks."""
    say(headline(view))
    for name, text in _lines(view):
        say(f"  {name}: {text}")
    if is_array(view) and (tasks or len(view["details"]) <= _FEW_TASKS):
        say()
        show_tasks(view["details"])
    elif is_array(view):
        say(f"  isthmus show {view['name']} --tasks lists them.")
    _show_containers(view)


def headline(view: Json) -> str:
    """Name, state and why, in one line."""
    site = f" on {view['site']}" if view["site"] else ""
    return f"{view['name']} ({view['id']}) {view['state']}{site}{_why(view)}"


def _why(view: Json) -> str:
    details = view.get("details") or ()
    reason = view["reason"]
    told = [t["words"] for t in details if t["words"] and (t["state"] == view["state"] or reason == t["reason"] != "")]
    words = told[0] if told else ""
    words = "" if words == view["reason"] else words
    if not view["reason"]:
        return f": {words}" if words and view["state"] not in ("running", "succeeded") else ""
    return f": {view['reason']}" + (f" ({words})" if words else "")


def _lines(view: Json) -> list[tuple[str, str]]:
    spec = view["spec"]
    single = view["details"][0] if len(view["details"]) == 1 else None
    lines = [
        ("image", view["image"] or "none, plain processes"),
        ("command", shlex.join(view["command"])),
        ("asked", asked(spec)),
        ("containers", _names(spec)),
        ("environment", _environment(spec)),
        ("array", _array(spec)),
        ("tasks", counts(view) if is_array(view) else ""),
        ("options", " ".join(f"{k}={v}" for k, v in spec.get("options", {}).items())),
        ("inputs", ", ".join(_way(i["url"], i["path"]) for i in spec.get("inputs") or ())),
        ("outputs", ", ".join(_way(o["path"], o["url"]) for o in spec.get("outputs") or ())),
        ("retry", "" if view["retry"] is None else str(view["retry"])),
        ("chosen", view["why"]),
        ("after", " ".join(view["after"])),
        ("owner", f"{view['owner']} of {view['vo']}"),
        ("created", when(view["created"])),
        ("started", when(view["started"])),
        ("ended", when(view["ended"])),
        ("exit code", "" if view["exit_code"] is None else str(view["exit_code"])),
        ("used", used(view)),
        ("host", single["host"] if single else ""),
        ("site id", single["site_id"] if single else ""),
        ("attempt", str(single["attempt"]) if single and single["attempt"] > 1 else ""),
        ("files", "removed from the site" if view["removed"] else f"stay for {span(view['keep'])} after its end"),
    ]
    return [(name, text) for name, text in lines if text]


def _names(spec: Json) -> str:
    """The containers of a job that has several, those that prepare the others first."""
    first, others = ([c["name"] for c in spec.get(kind) or ()] for kind in ("init", "containers"))
    return " ".join([*(f"{name} (first)" for name in first), *others]) if len(first) + len(others) > 1 else ""


def _environment(spec: Json) -> str:
    """Names alone: values may be long, and secrets are known to nobody here."""
    made = {}
    for container in (*(spec.get("init") or ()), *(spec.get("containers") or ())):
        made.update(dict.fromkeys(container.get("env") or (), ""))
        made.update(dict.fromkeys(container.get("secrets") or (), " (secret)"))
    return ", ".join(f"{name}{kind}" for name, kind in made.items())


def _array(spec: Json) -> str:
    """Its indices as they are written for ``--array``."""
    indices, limit = spec.get("array"), spec.get("array_limit")
    if indices is None:
        return ""
    steps = {after - before for before, after in pairwise(indices)}
    step = steps.pop() if len(steps) == 1 else 0
    every = f":{step}" if step > 1 else ""
    text = f"{indices[0]}-{indices[-1]}{every}" if step > 0 else ",".join(map(str, indices))
    if len(text) > _LONGEST_ARRAY:
        text = text[:_LONGEST_ARRAY].rpartition(",")[0] + ",..."
    return f"{text}%{limit}" if limit else text


def _way(source: str | None, target: str | None) -> str:
    return " to ".join(side for side in (source, target) if side)


def asked(spec: Json) -> str:
    """The resources of a job in a few words."""
    r = spec.get("resources") or {}
    words = [f"{r.get('cpus', 1):g} CPUs"]
    words += [size(r["memory"])] if r.get("memory") else []
    words += [f"{r['gpus']} GPUs" + (f" {r['gpu_type']}" if r.get("gpu_type") else "")] if r.get("gpus") else []
    words += [f"{r['tasks']} processes on {r['nodes']} nodes"] if r.get("tasks", 1) > 1 else []
    words += [f"at most {span(r['time'])}"] if r.get("time") else []
    return ", ".join(words)


def used(view: Json) -> str:
    """What the tasks of a job used: waited and ran the longest, CPU time together, memory at most."""
    details = view["details"]

    def most(key: str) -> float | None:
        return max((t[key] for t in details if t[key] is not None), default=None)

    wait, run, memory = most("wait"), most("run"), most("peak_memory")
    cpu = [t["cpu_seconds"] for t in details if t["cpu_seconds"] is not None]
    words = [f"waited {span(wait)}"] if wait is not None else []
    words += [f"ran {span(run)}"] if run is not None else []
    words += [f"CPU time {span(sum(cpu))}"] if cpu else []
    words += [f"peak memory {size(memory)}"] if memory else []
    return ", ".join(words) + (" (the most of a task; CPU time together)" if words and len(details) > 1 else "")


def show_tasks(tasks: Sequence[Json]) -> None:
    """Tasks as a table."""
    table(
        ["TASK", "STATE", "REASON", "EXIT", "TRY", "HOST", "WAIT", "RUN", "CPU", "MEMORY"],
        [
            [
                t["index"], t["state"], t["reason"] or t["words"], t["exit_code"], t["attempt"], t["host"],
                _span(t["wait"]), _span(t["run"]), _span(t["cpu_seconds"]),
                size(t["peak_memory"]) if t["peak_memory"] else "",
            ]
            for t in tasks
        ],
    )  # fmt: skip


def _span(seconds: float | None) -> str:
    return "" if seconds is None else span(seconds)


def _show_containers(view: Json) -> None:
    """The containers of a single task, where there are several or one has something to say."""
    if len(view["details"]) != 1:
        return
    containers = view["details"][0]["containers"]
    if len(containers) < 2 and not any(c["message"] or c["restarts"] for c in containers):
        return
    say()
    table(
        ["CONTAINER", "STATE", "REASON", "EXIT", "RESTARTS", "MESSAGE"],
        [
            [
                c["name"] + (" (init)" if c["init"] else ""), c["phase"], c["reason"], c["exit_code"],
                c["restarts"] or "", c["message"],
            ]
            for c in containers
        ],
    )  # fmt: skip


def standing(view: Json) -> str:
    """Where a job stands, for the line that one watches."""
    what = counts(view) if is_array(view) else view["state"] + _why(view)
    return f"{view['name']} on {view['site']}: {what}" if view["site"] else f"{view['name']}: {what}"


def outcome(view: Json) -> str:
    """How a job ended, in one line."""
    code = f", exit code {view['exit_code']}" if view["exit_code"] not in (None, 0) else ""
    tasks = f" ({counts(view)})" if is_array(view) else ""
    use = used(view)
    return f"{view['name']} {view['state']}{_why(view)}{tasks}{code}" + (f"; {use}" if use else "") + "."


def show_site(site: Json) -> None:
    """What a site offers to jobs."""
    scheduler = " ".join(filter(None, (site["scheduler"], site["version"])))
    kind = f" ({site['kind']})" if site["kind"] else ""
    say(f"{site['site']}{kind} {'ready' if site['ready'] else 'not ready'}{_colon(site['detail'])}")
    lines = [
        ("scheduler", scheduler), ("user", site["user"]), ("containers", ", ".join(site["runtimes"])),
        ("accounts", ", ".join(site["accounts"])), ("qos", ", ".join(site["qos"])),
        ("options", ", ".join(site["options"] or ()) or ("" if site["options"] is None else "none")),
        ("capabilities", " ".join(site["capabilities"])),
    ]  # fmt: skip
    if site["ready"] and scheduler and not site["runtimes"]:
        lines[2] = ("containers", "none, plain processes only")
    for name, text in lines:
        if text:
            say(f"  {name}: {text}")
    if site["partitions"]:
        say()
        table(
            ["PARTITION", "STATE", "NODES", "CPUS", "FREE", "LARGEST NODE", "GPUS", "LIMIT", "QUEUED", "RUNNING",
             "WAIT"],
            [_partition_row(p) for p in site["partitions"]],
        )  # fmt: skip


def _colon(text: str) -> str:
    return f": {text}" if text else ""


def _partition_row(p: Json) -> list[object]:
    gpus = " ".join(f"{kind}:{count}" for kind, count in p["gpus"].items())
    return [
        p["name"] + ("*" if p["default"] else ""), p["state"], p["nodes"], p["cpus"], p["free_cpus"],
        _largest(p), gpus, _span(p["time_limit"]), p["queued"], p["running"],
        _span(p["wait"]),
    ]  # fmt: skip


def _largest(p: Json) -> str:
    """What the largest node of a partition has, and that there are others."""
    if not p["shapes"]:
        return size(p["memory"]) if p["memory"] else ""
    node, *others = p["shapes"]
    has = [f"{node['cpus']:g} CPU{'s' * (node['cpus'] != 1)}"] if node["cpus"] is not None else []
    has += [size(node["memory"])] if node["memory"] else []
    has += [f"{kind}:{count}" for kind, count in (node["gpus"] or {}).items()]
    return ", ".join(has) + (f" (and {len(others)} smaller kind{'s' * (len(others) > 1)})" if others else "")
