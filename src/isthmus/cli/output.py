"""What reaches the terminal: tables, lines and JSON, and never a control character from elsewhere.

On a terminal Rich draws; in a pipe the same words come as plain lines.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isthmus.cli.failures import Failure

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
STYLES = {
    **dict.fromkeys(["running", "created", "configured", "started", "done", "ok", "ready"], "green"),
    **dict.fromkeys(["failed", "error", "cancelled", "not ready"], "red"),
    **dict.fromkeys(["deleted", "waiting", "pending", "absent"], "bright_black"),
    "stopped": "blue",
    "degraded": "yellow",
}
"""Colours of states; any other is under way, and cyan."""


def clean(value: object) -> str:
    """Text that cannot move the cursor, ring, recolour or reorder: machines and templates are not trusted."""
    return _CONTROL.sub("\ufffd", str(value))


def on_terminal() -> bool:
    """Whether a person watches stdout."""
    return sys.stdout.isatty()


def console(stderr: bool = False) -> Console:
    """A Rich console; imported only here, because it takes its time."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def say(text: str = "") -> None:
    """A line on stdout."""
    print(clean(text), flush=True)


def note(text: str) -> None:
    """A line on stderr: for the person, not for the pipe."""
    print(clean(text), file=sys.stderr, flush=True)


def emit(value: Any) -> None:
    """A value as JSON: indented for a person, one line in a pipe."""
    print(_json(value, 2 if on_terminal() else None), flush=True)


def emit_line(value: Any) -> None:
    """A value as one line of JSON."""
    print(_json(value), flush=True)


def _json(value: Any, indent: int | None = None) -> str:
    """JSON in which what could play tricks on a terminal is escaped; whoever parses it gets it as it was."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "") -> None:
    """Rows under headings. A column called STATE or PHASE is coloured."""
    cells = [[clean("" if cell is None else cell) for cell in row] for row in rows]
    if not cells and empty:
        note(empty)
        return
    if on_terminal():
        _draw(columns, cells)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in (columns, *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        drawn.add_column(name, overflow="fold")
    for row in rows:
        styled = zip(columns, row, strict=True)
        drawn.add_row(*[Text(cell, style(cell) if name in ("STATE", "PHASE") else "") for name, cell in styled])
    console().print(drawn)


def style(state: str) -> str:
    """The colour of a state."""
    return STYLES.get(state, "cyan")


def when(seconds: float | None) -> str:
    """A time since the epoch, as local date and time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""


def span(seconds: float) -> str:
    """A duration for a person: ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 0 min``, ``7 d 0 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(number: float) -> str:
    """Bytes for a person, in powers of 1024."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def scalar(value: Any) -> str:
    """A value of a template in one line: text as it is, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def show_diagnostic(diagnostic: Mapping[str, Any], verbose: bool = False) -> None:
    """One diagnostic on stderr: place, summary, the line with a caret, what to do."""
    place = diagnostic.get("file") or ""
    if place and diagnostic.get("line"):
        place += f":{diagnostic['line']}:{diagnostic.get('column', 0)}"
    head = f"{place}: " if place else ""
    note(f"{head}{diagnostic['severity']}: {diagnostic['summary']} [{diagnostic['code']}]")
    if excerpt := diagnostic.get("excerpt"):
        note(excerpt)
    if verbose and (detail := diagnostic.get("detail")):
        note(f"  {detail}")
    if suggestion := diagnostic.get("suggestion"):
        note(f"  {suggestion}")


def show_failure(failure: Failure) -> None:
    """Why a command failed, on stderr."""
    note(f"isthmus: {failure.summary}")
    for diagnostic in failure.diagnostics:
        show_diagnostic(diagnostic, verbose=True)
    if failure.detail:
        note(failure.detail)
    if failure.hint:
        note(f"Hint: {failure.hint}")
