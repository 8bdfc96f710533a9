"""Outputs of jobs that have succeeded, on their way from the site to where they are to go."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.engine.journal import Journal
from isthmus.sites.errors import SiteError, Temporary
from isthmus.sites.jobs import Jobs
from isthmus.store import jobs
from isthmus.store.jobs import Job, SubmissionRow
from isthmus.work import sealing, staging
from isthmus.work.background import LONGEST_PAUSE, Background
from isthmus.work.board import Board
from isthmus.work.job import JobState, Reason
from isthmus.work.verdict import has_ended


class Sending:
    """Sends what jobs of one site have made; a job is not over before all of it is where it goes."""

    def __init__(self, journal: Journal, background: Background):
        self._journal = journal
        self._background = background
        self._misses: dict[str, tuple[int, float]] = {}
        """For a job whose outputs were not taken: how often, and when to try again."""

    def go_on(self, board: Board, lent: Jobs) -> None:
        """Begin to send, and hear what became of it; until it is done, or the job cancelled, the job goes on."""
        now = self._journal.store.now()
        for job in [job for job in board.jobs.values() if job.sends and not has_ended(job.state)]:
            tasks = list(board.tasks[job.id].values())
            if any(task.state != JobState.SUCCEEDED for task in tasks):
                continue
            name = f"{job.id} sends"
            misses, due = self._misses.get(job.id, (0, 0.0))
            if any(task.cancel for task in tasks):
                self._background.stop(name)
                board.end(tasks[0], JobState.CANCELLED, Reason.CANCELLED, "before its outputs were sent", now)
            elif not self._background.ended(name):
                if due <= now:
                    self._background.start(name, self._send(job, list(board.submissions[job.id].values()), lent))
                board.hold_back(job.id)
            elif isinstance(error := self._background.take(name), Temporary):
                self._misses[job.id] = (misses + 1, now + min(error.delay * 2.0 ** (misses + 1), LONGEST_PAUSE))
                board.say(tasks[0], str(error), Reason.STAGE_OUT)
                board.hold_back(job.id)
            elif error is not None:
                board.end(tasks[0], JobState.FAILED, Reason.STAGE_OUT, str(error), now)
            else:
                self._misses.pop(job.id, None)
                board.say(tasks[0], "", "")

    async def _send(self, job: Job, rows: Sequence[SubmissionRow], lent: Jobs) -> SiteError | None:
        try:
            sealed = await self._journal.read(lambda c: jobs.specs(c, [job.id]))
            spec = sealing.unseal(self._journal.store.vault, sealed[job.id])
            for row in rows:
                if row.handed:
                    wanted = staging.targets(spec, await lent.list_files(row.id))
                    if wanted:
                        await lent.send_files(row.id, wanted)
        except SiteError as error:
            return error
        return None
