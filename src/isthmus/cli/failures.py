"""How a command fails: an exit code that scripts can rely on, and words for the person.

    0    done
    1    the deployment or the operation failed
    2    wrong usage, or a template or input that is not valid
    3    no such thing
    4    in conflict with what is there, or changed meanwhile
    5    the server cannot be reached, or is busy
    6    not allowed
    130  interrupted; work that was begun goes on at the server

``isthmus exec`` passes on the exit code of the command that it ran, ``run`` and ``wait`` those of jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FAILED, USAGE, NOT_FOUND, CONFLICT, UNREACHABLE, NOT_ALLOWED, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130
_BY_STATUS = {
    400: USAGE, 413: USAGE, 422: USAGE, 404: NOT_FOUND, 409: CONFLICT, 412: CONFLICT, 401: NOT_ALLOWED,
    403: NOT_ALLOWED, 503: UNREACHABLE,
}  # fmt: skip


class Failure(Exception):
    """Ends a command: ``summary`` in a few words, then detail, hint and diagnostics where there are any."""

    def __init__(
        self,
        summary: str,
        *,
        code: int = FAILED,
        detail: str = "",
        hint: str = "",
        diagnostics: Sequence[Mapping[str, Any]] = (),
        problem: Mapping[str, Any] | None = None,
    ):
        super().__init__(summary)
        self.summary = summary
        self.code = code
        self.detail = detail
        self.hint = hint
        self.diagnostics = diagnostics
        self.problem = problem

    @classmethod
    def of_problem(cls, problem: Mapping[str, Any]) -> Failure:
        """The failure that the server's problem document (RFC 9457) tells."""
        status = int(problem.get("status", 500))
        faults = problem.get("errors", ())
        detail = "\n".join(f"{f['pointer']}: {f['detail']}" for f in faults) or problem.get("detail", "")
        return cls(
            problem.get("title", f"The server answered {status}"),
            code=_BY_STATUS.get(status, FAILED),
            detail=detail,
            hint=problem.get("hint", ""),
            diagnostics=problem.get("diagnostics", ()),
            problem=problem,
        )

    def as_json(self) -> dict[str, Any]:
        """For ``--json``: the server's own document, or one like it."""
        own = {
            "title": self.summary, "detail": self.detail, "hint": self.hint, "diagnostics": list(self.diagnostics),
        }  # fmt: skip
        return {"error": dict(self.problem) if self.problem else {k: v for k, v in own.items() if v}}
