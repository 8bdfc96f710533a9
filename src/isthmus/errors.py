"""What the service layer raises, with what a caller can do about it.

    IsthmusError              500
    ├── Unauthorized          401   no token, or one that is not known
    ├── Forbidden             403   known, but not allowed
    ├── NotFound              404
    ├── Conflict              409   a name in use, a change while another one runs
    ├── PreconditionFailed    412   somebody else changed it first
    ├── TooLarge              413
    ├── Invalid               422   a template or request that is wrong; carries diagnostics
    ├── Unsupported           422   right, but not honoured here; the message names it
    └── Busy                  503   try again after ``retry_after`` seconds

``status`` is the HTTP status, ``code`` a stable word for programs, ``title`` the kind of problem in a few
words, ``detail`` what happened this time, ``hint`` what to do next (RFC 9457 §3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from isthmus.views import DiagnosticView


class IsthmusError(Exception):
    """The root of all errors that are meant to be shown; ``detail`` never holds a secret."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong inside Isthmus"

    def __init__(self, detail: str = "", *, hint: str = "", code: str | None = None):
        super().__init__(detail or self.title)
        self.detail = detail
        self.hint = hint
        self.code = code or self.default_code


class Unauthorized(IsthmusError):
    status = 401
    default_code = "unauthorized"
    title = "Who are you?"


class Forbidden(IsthmusError):
    status = 403
    default_code = "forbidden"
    title = "Not allowed"


class NotFound(IsthmusError):
    status = 404
    default_code = "not-found"
    title = "Not found"


class Conflict(IsthmusError):
    status = 409
    default_code = "conflict"
    title = "In conflict with what is there"


class PreconditionFailed(IsthmusError):
    status = 412
    default_code = "precondition-failed"
    title = "It has changed meanwhile"


class TooLarge(IsthmusError):
    status = 413
    default_code = "too-large"
    title = "Too large"


class Invalid(IsthmusError):
    """Something given is wrong; ``diagnostics`` says all of it at once."""

    status = 422
    default_code = "invalid"
    title = "Not valid"

    def __init__(
        self,
        detail: str = "",
        *,
        diagnostics: Sequence[DiagnosticView] = (),
        hint: str = "",
        code: str | None = None,
    ):
        super().__init__(detail, hint=hint, code=code)
        self.diagnostics = tuple(diagnostics)


class Unsupported(IsthmusError):
    status = 422
    default_code = "unsupported"
    title = "Not supported here"


class Busy(IsthmusError):
    """Right, but not now: worth another try after ``retry_after`` seconds."""

    status = 503
    default_code = "busy"
    title = "Busy"

    def __init__(self, detail: str = "", *, retry_after: float = 1.0, hint: str = "", code: str | None = None):
        super().__init__(detail, hint=hint, code=code)
        self.retry_after = retry_after
