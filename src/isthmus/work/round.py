"""One round of keeping the jobs of a site: cancel, hand over, look, judge, clear away; and what to write of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import Connection

from isthmus.engine.journal import Journal
from isthmus.sites.errors import QuotaExceeded, SiteError, Temporary
from isthmus.sites.jobs import Jobs, Submission
from isthmus.store import jobs, site_leases
from isthmus.store.jobs import Job, SubmissionRow, Task
from isthmus.store.site_leases import SiteLease
from isthmus.work import sealing, staging
from isthmus.work.background import LONGEST_PAUSE, Background, beside
from isthmus.work.batch_sites import BatchSites, Gone
from isthmus.work.board import Board
from isthmus.work.job import JobSpec, JobState, Reason, TaskStatus
from isthmus.work.sending import Sending
from isthmus.work.verdict import has_ended

log = structlog.get_logger(__name__)
HANDED_AT_ONCE = 16
"""Submissions in one call, so that a lease is prolonged and people see them queued in between."""
HAND_SECONDS = 0.5
"""For which a round hands over before it looks, so that ends are seen soon while many more are handed over."""
TOLD_AGAIN = 30.0
"""Seconds after which a site is told again to end what has not ended."""
WRONG_SECONDS = 5.0
"""After which a site is asked again that refused for a reason which somebody has to put right."""
CLOSE = 0.02
"""Seconds by which a round may come too early for a look, as clocks go."""
LOOK_SECONDS = 1.0
"""Between two looks at a site whose driver does not say ``look_seconds``."""
BlobOf = Callable[[str, str], Path]
"""The file that an owner's digest stands for."""


class Round:
    """Keeps the jobs of one site, a round at a time, while its lease lasts."""

    def __init__(
        self, site: str, lease: SiteLease, lease_seconds: float, journal: Journal, sites: BatchSites, blob: BlobOf,
        wake: Callable[[], None],
    ):  # fmt: skip
        self.site = site
        self.lease = lease
        self.lease_seconds = lease_seconds
        self.journal = journal
        self.sites = sites
        self.blob = blob
        self.look_seconds = LOOK_SECONDS
        """Between two looks, as the driver has it."""
        self._misses: dict[str, tuple[int, float]] = {}
        """For a submission that was not taken: how often, and when to try again."""
        self._away_since: float | None = None
        """Since when the site has not answered."""
        self._more = False
        """Whether the last round left something that could be handed over."""
        self._looked = float("-inf")
        """When the site was asked last how its jobs stand, by the monotonic clock."""
        self._seen: dict[str, Sequence[TaskStatus]] = {}
        """What the site told when it was last written down: what it tells again changes nothing."""
        self._told = self._seen
        self._background = Background(wake)
        """What takes as long as files take to travel, and must not keep the rest waiting."""
        self._sending = Sending(journal, self._background)

    async def close(self) -> None:
        """Stop what is under way; whoever keeps the site next does it anew."""
        await self._background.close()

    async def __call__(self, rows: Sequence[Job]) -> float:
        """Do what is to be done for these jobs; answers how many seconds to wait for the next round.

        The site is not asked how jobs stand when it was a moment ago.

        Raises :class:`~isthmus.store.LeaseLost` when somebody else keeps this site now.
        """
        board = await self._read(rows)
        self._end_what_was_never_given(board)
        await self._write(board)  # nothing is asked of a site under a lease that is lost
        try:
            driver, lent = await self.sites.get(self.site)
            await self._cancel(board, lent)
            await self._admit(board)
            await self._hand_over_and_look(board, lent)
            await self._clear(board, lent)
        except Gone as error:
            return await self._give_up(board, error)
        except SiteError as error:
            return await self._wait_out(board, error)
        self._away_since = None
        await self._settle(board)
        self._seen = self._told
        self.look_seconds = getattr(driver, "look_seconds", LOOK_SECONDS)
        if self._more:
            return 0.0
        pause = board.pause(self.journal.store.now(), self.look_seconds)
        if pause <= self.look_seconds:
            pause = min(pause, max(self._until_look(), self.look_seconds / 4))
        return pause

    # -- reading and writing ----------------------------------------------------------------

    async def _read(self, rows: Sequence[Job]) -> Board:
        ids = [row.id for row in rows]

        def query(c: Connection) -> tuple[dict[str, list[Task]], dict[str, list[SubmissionRow]]]:
            return jobs.tasks_of(c, ids), jobs.submissions_of(c, ids)

        return Board(rows, *await self.journal.read(query))

    async def _write(self, board: Board, *changes: Callable[[Connection], None]) -> None:
        """Write under the lease: tasks that changed, then ``changes``."""
        changed, now = board.take_changed(), self.journal.store.now()

        def write(c: Connection) -> None:
            site_leases.guard(c, self.lease, now, self.lease_seconds)
            jobs.put_tasks(c, changed)
            for change in changes:
                change(c)

        await self.journal.write(write)

    async def _settle(self, board: Board) -> None:
        """Write what became of tasks, and of jobs through them; wake who waits for them."""
        now = self.journal.store.now()
        board.retry(now)
        changes = board.changes(now)
        if changes:
            over = [id_ for id_, values in changes.items() if has_ended(values["state"])]
            clear = partial(jobs.clear_later, ids=over, now=now)
            await self._write(board, partial(jobs.put_jobs, changes=changes), clear)
            self.journal.pulse.beat(*changes)

    # -- the steps --------------------------------------------------------------------------

    def _end_what_was_never_given(self, board: Board) -> None:
        """End the tasks to be cancelled that the site need not be told of; it may be away."""
        now = self.journal.store.now()
        for tasks in board.tasks.values():
            for task in list(tasks.values()):
                if task.cancel and task.submission == 0 and not has_ended(task.state):
                    board.end(task, JobState.CANCELLED, Reason.CANCELLED, "", now)

    async def _cancel(self, board: Board, lent: Jobs) -> None:
        """Tell the site what to end."""
        now = self.journal.store.now()
        told: dict[float | None, list[tuple[SubmissionRow, Sequence[int] | None]]] = {}
        for row in board.open_submissions():
            wanted = [t.index for t in board.current(row) if t.cancel and not has_ended(t.state)]
            if len(wanted) == len(row.indices):
                self._background.stop(row.id)  # it must not be handed over once its files have arrived
            if wanted and (row.cancelled is None or row.cancelled < now - TOLD_AGAIN):
                which = None if len(wanted) == len(row.indices) else wanted
                told.setdefault(board.jobs[row.job].grace, []).append((row, which))
        for grace, group in told.items():
            await lent.cancel_jobs({row.id: indices for row, indices in group}, grace=grace)
            rows = [row for row, _ in group]
            await self._write(board, partial(jobs.mark_cancelled, rows=rows, now=now))
            board.mark(rows, cancelled=now)

    async def _admit(self, board: Board) -> None:
        """Write down new submissions of the tasks that are due, unless they wait for other jobs."""
        now = self.journal.store.now()
        due = {id_: [t for t in tasks.values() if _is_due(t, now)] for id_, tasks in board.tasks.items()}
        due = {id_: tasks for id_, tasks in due.items() if tasks}
        before = {id_ for job in due for id_ in board.jobs[job].after}
        states = await self.journal.read(lambda c: jobs.states(c, before)) if before else {}
        made = []
        for id_, tasks in due.items():
            state, words = _before(board.jobs[id_], states)
            if state == JobState.SUCCEEDED:
                number = max(board.submissions[id_], default=0) + 1
                made.append(SubmissionRow(id_, number, tuple(t.index for t in tasks)))
            for task in tasks:
                if state == JobState.FAILED:
                    board.end(task, JobState.FAILED, Reason.DEPENDENCY, words, now)
                elif state == JobState.PENDING:
                    board.say(task, words)
        if made:
            await self._write(board, partial(jobs.add_submissions, rows=made))
            board.add(made)

    async def _hand_over_and_look(self, board: Board, lent: Jobs) -> None:
        """Hand over, and look once that is done, or while it goes on if a look is due by then."""
        looked = False
        async with beside(self._hand_over(board, lent)) as handing:
            if _asked_after(board):
                await asyncio.wait([handing], timeout=max(0.0, self._until_look()))
                if not handing.done():  # an end shall not wait for all others to be handed over
                    looked = await self._look(board, lent)
                    self._sending.go_on(board, lent)
                    await self._settle(board)
        if not looked and self._until_look() <= 0:
            await self._look(board, lent)
        self._sending.go_on(board, lent)

    def _until_look(self) -> float:
        """Seconds until the site may be asked again."""
        left = self._looked + self.look_seconds - time.monotonic()
        return left if left > CLOSE else 0.0

    async def _hand_over(self, board: Board, lent: Jobs) -> None:
        """Hand over what the site has not taken yet."""
        now = self.journal.store.now()
        todo = [row for row in board.open_submissions() if not row.handed and self._may_try(row, now)]
        todo = [row for row in todo if not all(task.cancel for task in board.current(row))]
        until = time.monotonic() + HAND_SECONDS
        while todo:
            group, todo = todo[:HANDED_AT_ONCE], todo[HANDED_AT_ONCE:]
            await self._hand_over_some(board, group, lent)
            if time.monotonic() >= until:
                break
        self._more = bool(todo)

    async def _hand_over_some(self, board: Board, todo: Sequence[SubmissionRow], lent: Jobs) -> None:
        sealed = await self.journal.read(lambda c: jobs.specs(c, {row.job for row in todo}))
        answers: dict[str, SiteError | None] = {}
        made = []
        for row in todo:
            try:
                one = self._submission(board.jobs[row.job], row, sealed[row.job])
            except SiteError as error:
                answers[row.id] = error
                continue
            except Exception as error:  # whatever is wrong with one job must not keep those of others from the site
                log.exception("a defect", doing=f"handing over {row.id}")
                answers[row.id] = Temporary(f"a defect of the server ({type(error).__name__})", delay=10.0)
                continue
            if not one.blobs and not one.spec.inputs:
                made.append(one)
            elif self._background.ended(row.id):
                answers[row.id] = self._background.take(row.id)
            elif self._background.start(row.id, _submit_one(lent, one)):
                for task in board.current(row):
                    board.say(task, "its files are on their way")
        if made:
            answers |= dict(zip((one.id for one in made), await lent.submit_jobs(made), strict=True))
        await self._take_answers(board, [row for row in todo if row.id in answers], answers)

    async def _take_answers(
        self, board: Board, rows: Sequence[SubmissionRow], answers: Mapping[str, SiteError | None]
    ) -> None:
        now, taken = self.journal.store.now(), []
        for row in rows:
            answer = answers[row.id]
            if answer is None:
                taken.append(row)
                self._misses.pop(row.id, None)
                board.queue(row, now)
            elif isinstance(answer, Temporary):
                self._miss(board, row, answer, now)
            else:
                for task in board.current(row):
                    board.end(task, JobState.FAILED, Reason(answer.reason or Reason.REFUSED), str(answer), now)
        await self._write(board, partial(jobs.mark_handed, rows=taken))
        board.mark(taken, handed=True, cancelled=None)

    def _submission(self, job: Job, row: SubmissionRow, sealed: bytes) -> Submission:
        spec = sealing.unseal(self.journal.store.vault, sealed)
        blobs = {digest: self.blob(f"{job.vo}/{job.owner}", digest) for digest in digests(spec)}
        return Submission(row.id, job.name, staging.signed_inputs(spec), tuple(row.indices), blobs)

    def _may_try(self, row: SubmissionRow, now: float) -> bool:
        return self._misses.get(row.id, (0, 0.0))[1] <= now

    def _miss(self, board: Board, row: SubmissionRow, error: Temporary, now: float) -> None:
        misses = self._misses.get(row.id, (0, 0.0))[0] + 1
        pause = min(error.delay * 2.0 ** (misses - 1), LONGEST_PAUSE)
        self._misses[row.id] = (misses, now + pause)
        for task in board.current(row):
            board.say(task, str(error), Reason.QUOTA if isinstance(error, QuotaExceeded) else error.reason)

    async def _look(self, board: Board, lent: Jobs) -> bool:
        """Ask how everything that has not ended stands, at once; whether there was anything to ask."""
        rows = _asked_after(board)
        if not rows:
            return False
        self._looked = time.monotonic()
        seen = await lent.look_at_jobs([row.id for row in rows])
        now = self.journal.store.now()
        for row in rows:
            told = seen.get(row.id)
            if told is None or self._seen.get(row.id) != told:
                board.see(row, told, now)
        self._told = {**seen}
        return True

    async def _clear(self, board: Board, lent: Jobs | None) -> None:
        """Remove what ended jobs have left on the site, when it has been kept for long enough.

        Without a site only those are cleared away that left nothing there.
        """
        now = self.journal.store.now()
        over = [j for j in board.jobs.values() if j.ended is not None and j.ended + max(j.keep, 0) <= now]
        # One that is removed already is here because it was deleted just then.
        over = [job for job in over if has_ended(job.state) and (lent or not board.submissions[job.id])]
        if not over:
            return
        left = [row.id for job in over for row in board.submissions[job.id].values()]
        if lent is not None and left:
            await lent.remove_jobs(left)
        gone = {job.id: {"removed": True, "due": None} for job in over}
        await self._write(board, partial(jobs.put_jobs, changes=gone), partial(jobs.forget, ids=gone))
        board.drop([job.id for job in over])

    # -- sites that do not answer -----------------------------------------------------------

    async def _wait_out(self, board: Board, error: SiteError) -> float:
        """Say why nothing happens, and wait for as long as the site has been away, however often new jobs came.

        A login that is refused or a setting that is wrong is waited out too: jobs that run there go on, and whoever
        keeps the site can put it right.
        """
        now = self.journal.store.now()
        self._away_since = now if self._away_since is None else self._away_since
        for tasks in board.tasks.values():
            for task in list(tasks.values()):
                if task.state == JobState.PENDING:
                    board.say(task, str(error))
        await self._clear(board, None)
        await self._settle(board)
        delay = error.delay if isinstance(error, Temporary) else WRONG_SECONDS
        pause = min(max(delay, 0.5, now - self._away_since), LONGEST_PAUSE)
        log.warning("a site does not answer", site=self.site, error=str(error), again_in=pause)
        return pause

    async def _give_up(self, board: Board, error: Gone) -> float:
        """The site is no more: what it had is lost, the rest refused."""
        now = self.journal.store.now()
        for tasks in board.tasks.values():
            for task in list(tasks.values()):
                if not has_ended(task.state):
                    reason = Reason.LOST if task.submission else Reason.REFUSED
                    board.end(task, JobState.FAILED, reason, str(error), now)
        changed, gone = board.changes(now), {"removed": True, "due": None}
        changes = {id_: changed.get(id_, {}) | gone for id_ in board.jobs}
        await self._write(board, partial(jobs.put_jobs, changes=changes), partial(jobs.forget, ids=changes))
        self.journal.pulse.beat(*changes)
        return 0.0


def _asked_after(board: Board) -> list[SubmissionRow]:
    """The submissions of which a site may know something new."""
    return [row for row in board.open_submissions() if row.handed or row.cancelled is not None]


async def _submit_one(lent: Jobs, one: Submission) -> SiteError | None:
    try:
        return (await lent.submit_jobs([one]))[0]
    except SiteError as error:
        return error


def digests(spec: JobSpec) -> set[str]:
    """The digests of all files that a job brings along."""
    files = [file.digest for volume in spec.volumes for file in volume.files or ()]
    return {digest for digest in [*files, *(given.digest for given in spec.inputs)] if digest}


def _is_due(task: Task, now: float) -> bool:
    waiting = task.state == JobState.PENDING and task.submission == 0 and not task.cancel
    return waiting and task.due is not None and task.due <= now


def _before(job: Job, states: Mapping[str, str]) -> tuple[JobState, str]:
    """SUCCEEDED when a job may begin, PENDING when not yet, FAILED when never; and why."""
    for id_ in job.after:
        state = states.get(id_, "deleted")
        if state == "deleted" or (has_ended(state) and state != JobState.SUCCEEDED):
            return JobState.FAILED, f"job {id_}, which it follows, is {state}"
        if state != JobState.SUCCEEDED:
            return JobState.PENDING, f"waits for job {id_}, which is {state}"
    return JobState.SUCCEEDED, ""
