"""Jobs: run once, listed, waited for, cancelled; their logs and what they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response

from isthmus.api import content
from isthmus.api.auth import Who
from isthmus.api.encode import answer, answer_items
from isthmus.api.job_bodies import CancelBody, JobBody
from isthmus.api.json_route import JsonRoute
from isthmus.api.routes.common import ClosingDep, JobsDep, problems, unquote_key
from isthmus.errors import Forbidden, Invalid, NotFound
from isthmus.job_views import JobPage, JobView, SandboxFile
from isthmus.sites.jobs import LogOptions
from isthmus.work.job import JobState

router = APIRouter(route_class=JsonRoute, prefix="/jobs", tags=["jobs"])
LONGEST_WAIT = 60.0
"""Seconds after which a request that waits for a change answers in any case."""
MOST = 2_000_000_000
"""Lines, or seconds, of a log."""
_AGAIN: dict[int | str, dict[str, Any]] = {200: {"model": JobView, "description": "Made before with this key"}}
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


class _FilePath(Convertor[str]):
    """A path that may hold whatever a name of a file may, line breaks too."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("file", _FilePath())


@dataclass(frozen=True, slots=True)
class FileList:
    items: Sequence[SandboxFile]


def answer_job(view: JobView, status: int = 200) -> Response:
    """A job with its ETag, and its Location where it was made."""
    headers = {"ETag": f'"{view.version}"'}
    if status == 202:
        headers["Location"] = f"/v1/jobs/{view.id}"
    return answer(view, status, headers)


@router.post(
    "",
    summary="Run a job",
    status_code=202,
    response_model=JobView,
    responses=_AGAIN | problems(403, 404, 409, 413),
)
async def create_job(
    body: JobBody,
    jobs: JobsDep,
    who: Who,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Response:
    """Accepts a job; it is handed to its site soon after. Put its files with `/v1/blobs` first."""
    if body.vo not in (None, who.vo):
        raise Forbidden(f"You do not act for the VO {body.vo}.", hint=f"You act for {who.vo}.")
    view, new = await jobs.create(who, body.request(unquote_key(idempotency_key)))
    return answer_job(view, 202 if new else 200)


@router.get("", summary="List jobs", response_model=JobPage, responses=problems())
async def list_jobs(
    jobs: JobsDep,
    who: Who,
    cursor: Annotated[str | None, Query(max_length=500, description="From the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    state: JobState | None = None,
    site: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The newest first. `Link` names the next page."""
    page = await jobs.list(who, cursor=cursor, limit=limit, state=state, site=site)
    headers = {}
    if page.cursor:
        query = {"cursor": page.cursor, "limit": limit, "state": state, "site": site}
        known = urlencode({k: v for k, v in query.items() if v is not None})
        headers["Link"] = f'</v1/jobs?{known}>; rel="next"'
    return answer(page, headers=headers)


@router.get("/{ref}", summary="Show a job", response_model=JobView, responses=problems(404))
async def show_job(
    ref: str,
    jobs: JobsDep,
    closing: ClosingDep,
    who: Who,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Answer once it changes, or after so long.")] = 0,
    version: Annotated[str | None, Query(max_length=100, description="The version that is known already.")] = None,
    tasks: Annotated[bool, Query(description="Whether to tell of every task.")] = True,
) -> Response:
    """By id or name; of several with a name the newest is meant.

    With `wait` and the `version` that you know, it answers at once if there is another one, and else as soon as
    there is.
    """
    view = await _waited(jobs, closing, who, ref, version, wait) if wait else await jobs.get(who, ref)
    return answer_job(view if tasks else replace(view, details=()))


async def _waited(
    jobs: JobsDep, closing: ClosingDep, who: Who, ref: str, version: str | None, seconds: float
) -> JobView:
    waiting = asyncio.ensure_future(jobs.wait(who, ref, version=version, seconds=seconds))
    try:
        await closing.or_done(waiting)
        return waiting.result() if waiting.done() else await jobs.get(who, ref)
    finally:
        waiting.cancel()


@router.post(
    "/{ref}/cancel", summary="Cancel a job", status_code=202, response_model=JobView, responses=problems(404, 409)
)
async def cancel_job(ref: str, jobs: JobsDep, who: Who, body: CancelBody | None = None) -> Response:
    """Ends it, or some tasks of its array. What it has written stays until its time is over."""
    tasks = body.tasks if body else None
    if tasks and tasks[1] is not None:
        raise Invalid("A limit (%) has no meaning for a cancel.", code="invalid-request")
    return answer_job(await jobs.cancel(who, ref, tasks[0] if tasks else None), 202)


@router.delete("/{ref}", summary="Forget a job", status_code=204, responses=problems(404, 409))
async def delete_job(ref: str, jobs: JobsDep, who: Who) -> Response:
    """Ends it if need be, then removes its sandbox and its logs."""
    await jobs.delete(who, ref)
    return Response(status_code=204)


@router.get("/{ref}/log", summary="Read a job's log", response_class=Response, responses=_TEXT | problems(404))
async def read_log(
    ref: str,
    jobs: JobsDep,
    closing: ClosingDep,
    who: Who,
    task: Annotated[int | None, Query(ge=0, description="Index of an array; the first one when missing.")] = None,
    container: Annotated[str | None, Query(max_length=63, description="The first one when missing.")] = None,
    tail: Annotated[int | None, Query(ge=0, le=MOST, description="Only so many lines from the end.")] = None,
    since: Annotated[float | None, Query(ge=0, le=MOST, description="Only of the last so many seconds.")] = None,
    since_time: Annotated[datetime | None, Query(description="Only what came since (RFC 3339).")] = None,
    limit: Annotated[int | None, Query(ge=1, le=2**53, description="At most so many bytes.")] = None,
    timestamps: Annotated[bool, Query(description="The time (RFC 3339) before each line.")] = False,
    follow: Annotated[bool, Query(description="Go on until the container has ended.")] = False,
    previous: Annotated[bool, Query(description="Of the run before the last restart.")] = False,
) -> Response:
    """What it printed, standard output and error together, as it stands or as it comes."""
    if task is None:
        task = ((await jobs.get(who, ref)).spec.get("array") or (0,))[0]
    options = LogOptions(tail, _since(since, since_time), limit, timestamps, follow, previous)
    chunks = await jobs.output.log(who, ref, index=task, container=container, options=options)
    return content.answer_text(content.until(closing, chunks) if follow else await content.begun(chunks))


def _since(seconds: float | None, moment: datetime | None) -> float | None:
    if seconds is not None and moment is not None:
        raise Invalid("since and since_time exclude one another.", code="invalid-request")
    if moment is not None:
        if moment.tzinfo is None:
            raise Invalid("since_time has no time zone.", hint="End it with Z for UTC.", code="invalid-request")
        return max(moment.timestamp(), 0.0)
    return max(datetime.now().timestamp() - seconds, 0.0) if seconds is not None else None


@router.get("/{ref}/files", summary="List what a job left", response_model=FileList, responses=problems(404))
async def list_files(ref: str, jobs: JobsDep, who: Who) -> Response:
    """What its outputs name, with sizes and SHA-256 digests, as it is now."""
    return answer_items(await jobs.output.files(who, ref))


@router.get(
    "/{ref}/files/{path:file}",
    summary="Fetch a file that a job left",
    response_class=Response,
    responses=_BYTES | problems(404),
)
async def read_file(ref: str, path: str, jobs: JobsDep, who: Who) -> Response:
    """The bytes of one file, by the path that the list of files tells."""
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise NotFound("No file of a job has such a path.")
    return content.answer_file(await content.begun(await jobs.output.read_file(who, ref, path)), path)
