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
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a deployment stood before it was changed."""

    event: int = 0
    """The id of the newest event; what is followed later begins after it."""
    version: int = 0
    phase: str = ""

    def is_stale(self, deployment: Json) -> bool:
        """Whether an ended phase is still that of before: the change is noted, and no worker has begun."""
        changed = deployment["version"] != self.version or self.phase in ("failed", "cancelled")
        return changed and deployment["phase"] == self.phase and self.phase in ENDED


def mark(client: Client, ref: str) -> Mark:
    """Where a deployment stands now; to be asked before it is changed."""
    view = client.get(f"/deployments/{ref}")
    newest = 0
    while items := client.get(f"/deployments/{view['id']}/events", after=newest, limit=1000)["items"]:
        newest = items[-1]["id"]
    return Mark(newest, view["version"], view["phase"])


def wait_for(client: Client, deployment: Json, before: Mark, *, as_json: bool = False) -> Json:
    """Show what happens to a deployment since it was changed, until it has ended; its summary then.

    Raises :class:`Failure` (interrupted) on Ctrl-C, with the words for how to go on.
    """
    number, name = deployment["id"], deployment["name"]
    try:
        with _display(client, number, as_json) as display:
            return _until_ended(client, deployment, before, display)
    except KeyboardInterrupt:
        raise Failure(
            f"You left; the work on {name} goes on.",
            code=INTERRUPTED,
            hint=f"isthmus events -f {name} follows it again, isthmus cancel {name} stops it.",
        ) from None


def _until_ended(client: Client, deployment: Json, before: Mark, display: Display) -> Json:
    path, after = f"/deployments/{deployment['id']}", before.event
    stale = before.is_stale(deployment)
    begun = time.monotonic()
    try:
        for event in client.follow(f"{path}/events", after):
            if event:
                after = event["id"]
                display.event(event)
                stale = stale and not event["kind"].startswith("phase.")
            if (event is None or event["kind"].startswith("phase.")) and not (stale and _is_early(begun)):
                summary: Json = client.get(f"{path}/state")
                if summary["phase"] in ENDED:
                    _drain(client, path, after, display)
                    return summary
    except Failure as failure:
        if failure.code != NOT_FOUND:
            raise
    return {**deployment, "phase": "deleted", "reason": ""}


def _is_early(begun: float) -> bool:
    """Whether a worker may yet begin; after that, an unchanged phase means that there was nothing to do."""
    return time.monotonic() - begun < 5


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


def finish(client: Client, deployment: Json, before: Mark, wanted: str, as_json: bool) -> Json:
    """Wait, judge, and tell how long it took; the deployment's summary."""
    begun = time.monotonic()
    summary = wait_for(client, deployment, before, as_json=as_json)
    judge(summary, wanted)
    if not as_json:
        note(f"{summary['name']} is {summary['phase']} after {span(time.monotonic() - begun)}.")
    return summary
