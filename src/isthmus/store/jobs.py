"""Jobs as rows: what was asked, where each task stands, what was handed to which site."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, literal, or_, select, tuple_, update

from isthmus.store.models import jobs, submissions, tasks

j, t, s = jobs.c, tasks.c, submissions.c
FORGET = -1.0
"""What ``keep`` says of a job that nobody sees any more: it is forgotten once nothing of it is left on its site."""
MANY = 500
"""Parameters in one statement, well below what any database takes."""


@dataclass(frozen=True, slots=True)
class Job:
    """One row. ``site`` is the name of a site, or ``deployment/ID``; ``spec`` is sealed."""

    id: str
    name: str
    owner: str
    vo: str
    site: str
    why: str
    spec: bytes
    image: str | None
    command: Sequence[str]
    after: Sequence[str]
    retry: int | None
    keep: float
    sends: bool
    grace: float | None
    state: str
    reason: str
    exit_code: int | None
    version: int
    due: float | None
    removed: bool
    key: str | None
    request_digest: str | None
    created: float
    started: float | None
    ended: float | None


@dataclass(frozen=True, slots=True)
class Task:
    """One row: the task ``index`` of a job as it was last seen."""

    job: str
    index: int
    submission: int = 0
    attempt: int = 1
    due: float | None = None
    cancel: bool = False
    state: str = "pending"
    reason: str = ""
    words: str = ""
    exit_code: int | None = None
    site_id: str = ""
    host: str = ""
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    containers: Sequence[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """One row: the tasks that were, or are about to be, handed over together."""

    job: str
    number: int
    indices: Sequence[int]
    handed: bool = False
    cancelled: float | None = None

    @property
    def id(self) -> str:
        """What a site knows it by."""
        return f"{self.job}-{self.number}"


_JOB = [jobs.c[f.name] for f in fields(Job)]
_TASK = [tasks.c[f.name] for f in fields(Task)]
_SUBMISSION = [submissions.c[f.name] for f in fields(SubmissionRow)]
_SUMMARY = [c for c in _JOB if c.name != "spec"]


def add(c: Connection, job: Job, rows: Sequence[Task]) -> None:
    """Insert a job with its tasks; raises IntegrityError when its key is taken."""
    c.execute(insert(jobs), {f.name: getattr(job, f.name) for f in fields(Job)})
    c.execute(insert(tasks), [asdict(row) for row in rows])


def get(c: Connection, id_: str) -> Job | None:
    row = c.execute(select(*_JOB).where(j.id == id_)).one_or_none()
    return Job(*row) if row else None


def find(c: Connection, vo: str, owner: str | None, ref: str, mine: str) -> Job | None:
    """The job with an id, else the youngest of a name, among those of ``owner`` (None: of anybody).

    Where several people have one of that name it is that of ``mine``.
    """
    where = [
        j.vo == vo,
        j.keep >= 0,
        or_(j.id == ref, j.name == ref),
        *([j.owner == owner] if owner is not None else []),
    ]
    order = (j.id != ref, j.owner != mine, j.created.desc())
    row = c.execute(select(*_JOB).where(*where).order_by(*order).limit(1)).one_or_none()
    return Job(*row) if row else None


def by_keys(c: Connection, vo: str, owner: str, keys: Collection[str]) -> dict[str, Job]:
    """The jobs that were made with idempotency keys."""
    found: dict[str, Job] = {}
    for part in _parts(keys):
        rows = c.execute(select(*_JOB).where(j.vo == vo, j.owner == owner, j.key.in_(part)))
        found |= {str(row.key): Job(*row) for row in rows}
    return found


def states_by_keys(c: Connection, vo: str, owner: str, keys: Collection[str]) -> dict[str, tuple[str, str]]:
    """The id and the state of the jobs that were made with idempotency keys."""
    found: dict[str, tuple[str, str]] = {}
    for part in _parts(keys):
        query = select(j.key, j.id, j.state).where(j.vo == vo, j.owner == owner, j.key.in_(part))
        found |= {str(row.key): (row.id, row.state) for row in c.execute(query)}
    return found


def page(
    c: Connection, vo: str, owner: str | None, *, after: tuple[float, str] | None, limit: int,
    state: str | None, site: str | None,
) -> Sequence[Any]:  # fmt: skip
    """A page of jobs without their specs, the youngest first."""
    where = [j.vo == vo, j.keep >= 0, *([j.owner == owner] if owner is not None else [])]
    where += [j.state == state] if state else []
    where += [j.site == site] if site else []
    if after is not None:
        where.append(tuple_(j.created, j.id) < tuple_(literal(after[0]), literal(after[1])))
    return c.execute(select(*_SUMMARY).where(*where).order_by(j.created.desc(), j.id.desc()).limit(limit)).all()


def counts(c: Connection, ids: Collection[str]) -> dict[str, dict[str, int]]:
    """How many tasks of each job are in each state."""
    found: dict[str, dict[str, int]] = {}
    for part in _parts(ids):
        query = select(t.job, t.state, func.count()).where(t.job.in_(part)).group_by(t.job, t.state)
        for job, state, number in c.execute(query):
            found.setdefault(job, {})[state] = number
    return found


def tasks_of(c: Connection, ids: Collection[str]) -> dict[str, list[Task]]:
    """The tasks of jobs, by index."""
    found: dict[str, list[Task]] = {id_: [] for id_ in ids}
    for part in _parts(ids):
        for row in c.execute(select(*_TASK).where(t.job.in_(part)).order_by(t.job, t.index)):
            found[row.job].append(Task(*row))
    return found


def task_state(c: Connection, job: str, index: int) -> str | None:
    """Where one task stands; None when there is none."""
    return c.scalar(select(t.state).where(t.job == job, t.index == index))


def submissions_of(c: Connection, ids: Collection[str]) -> dict[str, list[SubmissionRow]]:
    """What was handed over of jobs, in order."""
    found: dict[str, list[SubmissionRow]] = {id_: [] for id_ in ids}
    for part in _parts(ids):
        for row in c.execute(select(*_SUBMISSION).where(s.job.in_(part)).order_by(s.job, s.number)):
            found[row.job].append(SubmissionRow(*row))
    return found


def states(c: Connection, ids: Collection[str]) -> dict[str, str]:
    """Where jobs stand, of those that exist."""
    found: dict[str, str] = {}
    for part in _parts(ids):
        found |= {row.id: row.state for row in c.execute(select(j.id, j.state).where(j.id.in_(part)))}
    return found


def versions(c: Connection, ids: Collection[str]) -> dict[str, int]:
    """How often jobs have changed."""
    found: dict[str, int] = {}
    for part in _parts(ids):
        found |= {row.id: row.version for row in c.execute(select(j.id, j.version).where(j.id.in_(part)))}
    return found


# -- for the keeper of a site -------------------------------------------------------------------


def sites_due(c: Connection, now: float) -> list[str]:
    """The sites that have jobs to look at."""
    return list(c.scalars(select(j.site).where(j.due <= now).distinct()))


def due(c: Connection, site: str, now: float, limit: int) -> list[Job]:
    """The jobs of a site that are to be looked at, without their specs, the longest due first."""
    query = select(*_SUMMARY).where(j.site == site, j.due <= now).order_by(j.due, j.created).limit(limit)
    return [Job(**row, spec=b"") for row in c.execute(query).mappings()]


def going_on(c: Connection) -> dict[str, str]:
    """The jobs that have not ended, each with its owner as ``VO/SUBJECT``."""
    return {row.id: f"{row.vo}/{row.owner}" for row in c.execute(select(j.id, j.vo, j.owner).where(j.ended.is_(None)))}


def specs(c: Connection, ids: Collection[str]) -> dict[str, bytes]:
    """The sealed specs of jobs."""
    found: dict[str, bytes] = {}
    for part in _parts(ids):
        found |= {row.id: bytes(row.spec) for row in c.execute(select(j.id, j.spec).where(j.id.in_(part)))}
    return found


def add_submissions(c: Connection, rows: Sequence[SubmissionRow]) -> None:
    """Write down what is about to be handed over, and that its tasks are in it."""
    if not rows:
        return
    c.execute(insert(submissions), [asdict(row) for row in rows])
    marked = update(tasks).where(t.job == bindparam("of"), t.index == bindparam("at"))
    marks = [{"of": r.job, "at": i, "into": r.number} for r in rows for i in r.indices]
    c.execute(marked.values(submission=bindparam("into"), due=None), marks)


def mark_handed(c: Connection, rows: Iterable[SubmissionRow]) -> None:
    """Write down that a site has taken submissions; whatever was to be cancelled before is to be told again."""
    _mark(c, rows, {"handed": True, "cancelled": None})


def mark_cancelled(c: Connection, rows: Iterable[SubmissionRow], now: float) -> None:
    """Write down when a site was told to end submissions."""
    _mark(c, rows, {"cancelled": now})


def _mark(c: Connection, rows: Iterable[SubmissionRow], values: Mapping[str, Any]) -> None:
    marked = update(submissions).where(s.job == bindparam("of"), s.number == bindparam("no")).values(**values)
    if marks := [{"of": r.job, "no": r.number} for r in rows]:
        c.execute(marked, marks)


def put_tasks(c: Connection, rows: Sequence[Task]) -> None:
    """Write tasks as they were seen; whether somebody wants them cancelled stays as it is in the store."""
    names = [f.name for f in fields(Task) if f.name not in ("job", "index", "cancel")]
    statement = update(tasks).where(t.job == bindparam("of"), t.index == bindparam("at"))
    statement = statement.values({name: bindparam(f"v_{name}") for name in names})
    if rows:
        c.execute(statement, [{"of": r.job, "at": r.index, **{f"v_{n}": getattr(r, n) for n in names}} for r in rows])


def put_jobs(c: Connection, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Write columns of jobs, by id; each change makes a new version."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for id_, values in changes.items():
        alike.setdefault(tuple(sorted(values)), []).append({"of": id_} | {f"v_{n}": v for n, v in values.items()})
    for names, rows in alike.items():
        values = {name: bindparam(f"v_{name}") for name in names}
        c.execute(update(jobs).where(j.id == bindparam("of")).values(version=j.version + 1, **values), rows)


def clear_later(c: Connection, ids: Collection[str], now: float) -> None:
    """Have what jobs left removed when its time is over, as the store has that time now: it may have been changed."""
    for part in _parts(ids):
        c.execute(update(jobs).where(j.id.in_(part)).values(due=now + case((j.keep > 0, j.keep), else_=0.0)))


def ask_cancel(c: Connection, id_: str, indices: Collection[int] | None, now: float, grace: float | None) -> None:
    """Have tasks of a job that has not ended cancelled (None: all), now."""
    which = [t.job == id_, *([t.index.in_(indices)] if indices is not None else [])]
    c.execute(update(tasks).where(*which).values(cancel=True))
    going_on = update(jobs).where(j.id == id_, j.ended.is_(None))
    c.execute(going_on.values(due=now, grace=grace, version=j.version + 1))


def forget(c: Connection, ids: Collection[str]) -> None:
    """Forget those of these jobs that somebody has deleted; nothing of them may be left on a site."""
    for part in _parts(ids):
        for id_ in c.scalars(select(j.id).where(j.id.in_(part), j.keep < 0)).all():
            remove(c, id_)


def remove(c: Connection, id_: str) -> None:
    """Forget a job; nothing of it may be left on a site."""
    for table in (submissions, tasks):
        c.execute(delete(table).where(table.c.job == id_))
    c.execute(delete(jobs).where(j.id == id_))


def _parts(values: Collection[str]) -> Iterable[Sequence[str]]:
    listed = list(values)
    return (listed[first : first + MANY] for first in range(0, len(listed), MANY))
