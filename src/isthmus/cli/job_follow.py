"""Waiting for a job: where it stands in one line, what it prints as it comes, and how it ended."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from isthmus.cli.failures import FAILED, INTERRUPTED, Failure
from isthmus.cli.job_log import Reader, Wish, prefixed, quietly, read_log, to_stdout
from isthmus.cli.job_render import ENDED, is_array, standing
from isthmus.cli.output import clean, emit_line, note

if TYPE_CHECKING:
    from isthmus.cli.client import Client

WAIT = 20
"""Seconds for which the server may hold a question back until there is news."""
_DRAIN = 15.0
"""Seconds that a log may take to come whole after its job has ended."""


class Status:
    """A line on stderr that is drawn over itself; in a pipe only what is new in kind is told, line by line."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._told = ""

    def draw(self, text: str) -> None:
        """Show progress; a pipe has no use for it."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + clean(text).replace("\n", " ")[:width])
            sys.stderr.flush()

    def tell(self, text: str) -> None:
        """Show where something stands."""
        if text != self._told:
            self._told = text
            self.draw(text) if self._live else note(text)

    def clear(self) -> None:
        """Leave the line to others."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._told = ""


def wait_for_job(client: Client, view: Any, status: Status, *, log: bool, as_json: bool = False) -> Any:
    """Watch a job until it has ended, and show its log if asked to; the whole of it then.

    Raises :class:`Failure` (interrupted) on Ctrl-C, with the words for how to go on.
    """
    try:
        logs = _Logs(client, view) if log and not as_json else None
        return _watch(client, view, status, logs, as_json)
    except KeyboardInterrupt:
        status.clear()
        name = view["name"]
        raise Failure(
            f"You left; {name} goes on.",
            code=INTERRUPTED,
            hint=f"isthmus logs -f {name} follows it again, isthmus cancel {name} ends it"
            + (f", isthmus fetch {name} brings what it leaves." if view["spec"].get("outputs") else "."),
        ) from None


def _watch(client: Client, view: Any, status: Status, logs: _Logs | None, as_json: bool) -> Any:
    path = f"/jobs/{view['id']}"
    details = None if not is_array(view) else "false"
    while view["state"] not in ENDED:
        if as_json:
            emit_line({**view, "details": []})
        elif logs is None or not logs.begun:
            status.tell(standing(view))
        if logs is not None and view["state"] == "running" and not logs.begun:
            status.clear()
            logs.begin()
        known = view["version"]
        view = client.patiently(partial(client.get, path, wait=WAIT, version=known, tasks=details))
    status.clear()
    if logs is not None and view["started"] is not None:
        logs.finish()
    return view if details is None else client.patiently(partial(client.get, path))


class _Logs:
    """The logs of a job's containers, each read by a thread of its own with a connection of its own."""

    def __init__(self, client: Client, view: Any):
        self._client = client
        self._job = view["id"]
        containers = view["spec"].get("containers") or [{"name": None}]
        self._names = [c["name"] for c in containers]
        self._threads: list[threading.Thread] = []

    @property
    def begun(self) -> bool:
        """Whether logs are being shown."""
        return bool(self._threads)

    def begin(self) -> None:
        """Show what is printed from now on, and all that was."""
        for name in self._names:
            thread = threading.Thread(target=self._show, args=(name, True), daemon=True)
            thread.start()
            self._threads.append(thread)

    def finish(self) -> None:
        """Wait until all of the logs is shown."""
        if not self.begun:
            for name in self._names:
                self._show(name, False)
        for thread in self._threads:
            thread.join(_DRAIN)
        if any(thread.is_alive() for thread in self._threads):
            note(f"The log may not be whole; isthmus logs {self._job} shows it.")

    def _show(self, name: str | None, follow: bool) -> None:
        write = to_stdout() if len(self._names) == 1 else prefixed(to_stdout(), str(name))
        reader, wish = Reader(write), Wish(container=name if len(self._names) > 1 else None)
        client = self._client.twin() if follow else self._client
        quietly(lambda: read_log(client, self._job, wish, reader, follow=follow))


def exit_code(view: Any) -> int:
    """What a shell should see of a job: its own exit code, and never 0 for one that has not succeeded."""
    code = view["exit_code"]
    if view["state"] == "succeeded":
        return 0
    return code if code is not None and 0 < code < 256 else FAILED


@contextmanager
def showing() -> Iterator[Status]:
    """A status line that is gone in the end."""
    status = Status()
    try:
        yield status
    finally:
        status.clear()
