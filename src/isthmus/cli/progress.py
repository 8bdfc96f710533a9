"""Waiting for a deployment: its events as they come, until nothing more happens by itself.

On a terminal the tree of nodes is drawn anew as it changes; in a pipe each event is a line. Ctrl-C leaves
the work running at the server.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from isthmus.cli.client import Client
from isthmus.cli.failures import FAILED, INTERRUPTED, NOT_FOUND, Failure
from isthmus.cli.output import clean, console, emit_line, note, on_terminal, say, span
from isthmus.cli.render import deployment_tree, event_line
from isthmus.views import ENDED

Json = Mapping[str, Any]


class Display(Protocol):
    """Where events go while one waits."""

    def event(self, event: Json) -> None:
        """Take one event."""


def last_event(client: Client, ref: str) -> int:
    """The id of the newest event so far; what is followed later begins after it."""
    after = 0
    while items := client.get(f"/deployments/{ref}/events", after=after, limit=1000)["items"]:
        after = items[-1]["id"]
    return after


def wait_for(client: Client, deployment: Json, after: int, *, as_json: bool = False) -> Json:
    """Show events after ``after`` until the deployment has ended; its summary then.

    Raises :class:`Failure` (interrupted) on Ctrl-C, with the words for how to go on.
    """
    number, name = deployment["id"], deployment["name"]
    try:
        with _display(client, number, as_json) as display:
            return _until_ended(client, deployment, after, display)
    except KeyboardInterrupt:
        raise Failure(
            f"You left; the work on {name} goes on.",
            code=INTERRUPTED,
            hint=f"isthmus events -f {name} follows it again, isthmus cancel {name} stops it.",
        ) from None


def _until_ended(client: Client, deployment: Json, after: int, display: Display) -> Json:
    path = f"/deployments/{deployment['id']}"
    gone = {**deployment, "phase": "deleted", "reason": ""}
    try:
        for event in client.follow(f"{path}/events", after):
            if event:
                after = event["id"]
                display.event(event)
            if event is None or event["kind"].startswith(("phase.", "deployment.")):
                summary: Json = client.get(f"{path}/state")
                if summary["phase"] in ENDED:
                    _drain(client, path, after, display)
                    return summary
    except Failure as failure:
        if failure.code != NOT_FOUND:
            raise
    return gone


def _drain(client: Client, path: str, after: int, display: Display) -> None:
    with contextlib.suppress(Failure):
        for event in client.get(f"{path}/events", after=after, limit=1000)["items"]:
            display.event(event)


@contextlib.contextmanager
def _display(client: Client, number: str, as_json: bool) -> Iterator[Display]:
    if as_json:
        yield _Each(emit_line)
    elif not on_terminal():
        yield _Each(lambda event: say(event_line(event)))
    else:
        with _Live(client, number) as live:
            yield live


class _Each:
    """Hands every event on."""

    def __init__(self, tell: Callable[[Json], None]):
        self._tell = tell

    def event(self, event: Json) -> None:
        self._tell(event)


class _Live:
    """The tree of nodes and the latest events, drawn over themselves.

    The tree is fetched by a thread of its own, at most five times a second, so that a burst of events
    does not become a burst of requests.
    """

    def __init__(self, client: Client, number: str):
        from rich.live import Live

        self._client = client
        self._number = number
        self._begun = time.monotonic()
        self._view: Json | None = None
        self._latest: deque[str] = deque(maxlen=5)
        self._changed = threading.Event()
        self._over = threading.Event()
        self._live = Live(get_renderable=self._draw, console=console(), refresh_per_second=8)
        self._thread = threading.Thread(target=self._fetch_on_change, daemon=True)

    def event(self, event: Json) -> None:
        self._latest.append(event_line(event))
        self._changed.set()

    def __enter__(self) -> _Live:
        self._changed.set()
        self._thread.start()
        self._live.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._over.set()
        self._changed.set()
        self._thread.join(timeout=5)
        if kind is None:
            self._fetch()
        self._latest.clear()
        self._live.stop()

    def _fetch_on_change(self) -> None:
        while not self._over.wait(0.2):
            self._changed.wait()
            self._changed.clear()
            self._fetch()

    def _fetch(self) -> None:
        with contextlib.suppress(Failure):
            self._view = self._client.get(f"/deployments/{self._number}")

    def _draw(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        parts: list[Any] = [deployment_tree(self._view)] if self._view else []
        parts += [Text(clean(line), style="bright_black", overflow="ellipsis") for line in self._latest]
        parts.append(Text(span(time.monotonic() - self._begun), style="bright_black"))
        return Group(*parts)


def judge(summary: Json, wanted: str) -> None:
    """Raise :class:`Failure` unless the deployment has ended in the phase that was wanted."""
    if summary["phase"] == wanted:
        return
    name = summary["name"]
    hint = f"isthmus logs {name} tells more; isthmus deploy --resume {name} goes on once the cause is gone."
    raise Failure(f"{name} is {summary['phase']}.", code=FAILED, detail=summary["reason"], hint=hint)


def finish(client: Client, deployment: Json, after: int, wanted: str, as_json: bool) -> Json:
    """Wait, judge, and tell how long it took; the deployment's summary."""
    begun = time.monotonic()
    summary = wait_for(client, deployment, after, as_json=as_json)
    judge(summary, wanted)
    if not as_json:
        note(f"{summary['name']} is {summary['phase']} after {span(time.monotonic() - begun)}.")
    return summary
