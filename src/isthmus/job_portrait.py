"""Portraits of jobs: rows drawn as the views that users see, without a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from isthmus.job_views import ContainerStatus, JobSummary, JobView, TaskView
from isthmus.store.jobs import Job, Task
from isthmus.work.job import Container, JobSpec, JobState, Phase, TaskStatus

SECRET = "(secret)"  # noqa: S105  what is shown in place of one
SITE = "deployment/"


def summarize(row: Any, counts: Mapping[str, int], names: Mapping[str, str]) -> JobSummary:
    """A job as a list shows it; ``row`` is a summary row or a whole one, ``names`` those of deployments by id."""
    return JobSummary(
        row.id, row.name, row.state, row.reason, site_name(row.site, names), row.owner, row.vo, row.image, row.command,
        counts, row.exit_code, row.created, row.started, row.ended,
    )  # fmt: skip


def draw(row: Job, spec: JobSpec, tasks: Sequence[Task], names: Mapping[str, str]) -> JobView:
    """A job whole."""
    counts: dict[str, int] = {}
    for task in tasks:
        counts[task.state] = counts.get(task.state, 0) + 1
    s = summarize(row, counts, names)
    return JobView(
        s.id, s.name, s.state, s.reason, s.site, s.owner, s.vo, s.image, s.command, s.tasks, s.exit_code, s.created,
        s.started, s.ended, spec=shown(spec), why=row.why, after=row.after, retry=row.retry, keep=max(row.keep, 0),
        removed=row.removed, details=[_task(task) for task in tasks], version=str(row.version),
    )  # fmt: skip


def site_name(site: str, names: Mapping[str, str]) -> str:
    """A site as people call it: a deployed one by the name of its deployment."""
    return names.get(site.removeprefix(SITE), site) if site.startswith(SITE) else site


def shown(spec: JobSpec) -> dict[str, Any]:
    """A spec as its owner may see it: values of secrets and contents of files are left out."""
    data = asdict(spec)
    if data["s3"] is not None:
        data["s3"] |= {key: SECRET for key in ("access_key", "secret_key", "session_token") if data["s3"][key]}
    for container in (*data["containers"], *data["init"]):
        container["secrets"] = dict.fromkeys(container["secrets"], SECRET)
    for volume in data["volumes"]:
        for file in volume["files"] or ():
            if file["content"] is not None:
                file["content"] = SECRET
    return data


def words_of(container: Container) -> list[str]:
    """What a container runs, in one list."""
    return [*container.command, *container.args]


def status(task: Task) -> TaskStatus:
    """A task as its site showed it last."""
    return TaskStatus(
        task.index, JobState(task.state), task.reason, task.words, task.exit_code, task.site_id, task.host, task.queued,
        task.started, task.ended, task.cpu_seconds, task.peak_memory, tuple(_containers(task)),
    )  # fmt: skip


def _containers(task: Task) -> list[ContainerStatus]:
    return [ContainerStatus(**{**c, "phase": Phase(c["phase"])}) for c in task.containers]


def _task(task: Task) -> TaskView:
    queued, started, ended = task.queued, task.started, task.ended
    return TaskView(
        task.index, task.state, task.reason, task.words, task.attempt, task.exit_code, task.site_id, task.host, queued,
        started, ended,
        wait=max(started - queued, 0.0) if started is not None and queued is not None else None,
        run=ended - started if ended is not None and started is not None else None,
        cpu_seconds=task.cpu_seconds, peak_memory=task.peak_memory,
        containers=_containers(task),
    )  # fmt: skip
