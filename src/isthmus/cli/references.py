"""What a name on the command line means: a deployment, or a job.

A name means the deployment or the job that is called so, an id the one that has it. Where there are both, it is
refused: `deployment:NAME` and `job:NAME` say which. Of several jobs of one name the newest is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from isthmus.cli.failures import CONFLICT, NOT_FOUND, USAGE, Failure

if TYPE_CHECKING:
    from isthmus.cli.client import Client

DEPLOYMENT, JOB = "deployment", "job"


@dataclass(frozen=True, slots=True)
class Found:
    """Which of the two, by what the API knows it, and what the API said of it."""

    kind: str
    ref: str
    view: Any

    @property
    def is_job(self) -> bool:
        return self.kind == JOB


def find(client: Client, name: str, *, whole: bool = False) -> Found:
    """What ``name`` means; ``whole`` asks for all of a deployment. Raises :class:`Failure`."""
    kind, colon, ref = name.partition(":")
    if colon and kind in (DEPLOYMENT, JOB):
        return _one(client, kind, ref, whole)
    try:
        deployment = _one(client, DEPLOYMENT, name, whole)
    except Failure as missing:
        if missing.code != NOT_FOUND:
            raise
        try:
            return _one(client, JOB, name, whole)
        except Failure as failure:
            raise (_neither(name, missing) if failure.code == NOT_FOUND else failure) from None
    try:
        job = _one(client, JOB, name, whole)
    except Failure as failure:
        if failure.code != NOT_FOUND:
            raise
        return deployment
    if name in (deployment.view["id"], job.view["id"]):
        return deployment if name == deployment.view["id"] else job
    raise Failure(
        f"{name} is a deployment and a job.", code=CONFLICT, hint=f"Say deployment:{name} or job:{name}."
    )  # fmt: skip


def _neither(name: str, missing: Failure) -> Failure:
    return Failure.of_problem({
        **(missing.problem or {"status": 404, "title": missing.summary}),
        "detail": f"you have neither a deployment nor a job {name!r}",
        "hint": "`isthmus list` shows deployments, `isthmus jobs` shows jobs.",
    })  # fmt: skip


def job_ref(name: str) -> str:
    """The job that is meant where only jobs can be."""
    kind, colon, ref = name.partition(":")
    if colon and kind == DEPLOYMENT:
        raise Failure(f"{name} is no job.", code=USAGE)
    return quote(ref if colon and kind == JOB else name, safe="")


def _one(client: Client, kind: str, ref: str, whole: bool) -> Found:
    place = quote(ref, safe="")
    if not place.strip("."):
        raise Failure(f"{ref!r} is no name.", code=USAGE)
    if kind == JOB:
        return Found(JOB, place, client.get(f"/jobs/{place}"))
    return Found(DEPLOYMENT, place, client.get(f"/deployments/{place}" + ("" if whole else "/state")))
