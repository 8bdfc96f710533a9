"""Cursors of paged lists: where a page ended, as one opaque word."""

from __future__ import annotations

import base64
import json
import re

from isthmus.errors import Invalid


def write_cursor(created: float, id_: str) -> str:
    """The cursor after the row of that time and id."""
    return base64.urlsafe_b64encode(json.dumps([created, id_]).encode()).decode()


def read_cursor(cursor: str | None) -> tuple[float, str] | None:
    """What :func:`write_cursor` was given; raises :class:`Invalid` for anything else."""
    if cursor is None:
        return None
    try:
        created, id_ = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not re.fullmatch("[0-9a-f]{12}", id_):
            raise ValueError(id_)
        return float(created), id_
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise Invalid("this cursor is none that a list has given") from error
