"""Runs a plan's actions as soon as what they wait for has ended, so many at once and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from isthmus.engine.plan import Action, Plan, Target
from isthmus.sites.errors import SiteError


@dataclass(slots=True)
class Ending:
    """How a run ended: what failed and with what, and whether it was interrupted."""

    failures: dict[str, SiteError] = field(default_factory=dict)
    interrupted: bool = False


async def run_plan(
    plan: Plan, perform: Callable[[Action], Awaitable[None]], *, at_once: int, interrupt: asyncio.Event
) -> Ending:
    """Perform every action after those that it waits for.

    A failed action keeps back what waits for it and nothing else; a failed optional one keeps back
    nothing. An interrupt starts no more, cancels operations (they can be run again) and waits for the
    rest, since a site's call that was begun must be known to have ended. Any other exception than
    :class:`SiteError` ends the run at once and is raised.
    """
    ending = Ending()
    waiting = {a.id: a for a in plan.actions}
    settled: set[str] = set()
    lost: set[str] = set()
    running: dict[asyncio.Task[None], Action] = {}
    bell = asyncio.ensure_future(interrupt.wait())
    try:
        while waiting or running:
            if not interrupt.is_set():
                _lose(waiting, lost)
                for action in [a for a in waiting.values() if _is_ready(a, settled, lost)]:
                    if len(running) < at_once:
                        del waiting[action.id]
                        running[asyncio.ensure_future(perform(action))] = action
            if not running:
                break
            await asyncio.wait({*running, *([] if bell.done() else [bell])}, return_when=asyncio.FIRST_COMPLETED)
            if interrupt.is_set() and not ending.interrupted:
                ending.interrupted = True
                _cancel_operations(running)
            for task in [t for t in running if t.done()]:
                _settle(task, running.pop(task), settled, lost, ending)
    finally:
        bell.cancel()
        await _end_all(running)
    ending.interrupted = ending.interrupted or (interrupt.is_set() and bool(waiting))
    return ending


def _is_ready(action: Action, settled: set[str], lost: set[str]) -> bool:
    return settled.issuperset(action.after) and all(i in settled or i in lost for i in action.eventually)


def _lose(waiting: dict[str, Action], lost: set[str]) -> None:
    """Take out what can no longer happen, since something that it waits for has failed."""
    while lost and (gone := [a.id for a in waiting.values() if not lost.isdisjoint(a.after)]):
        for id_ in gone:
            lost.add(id_)
            del waiting[id_]


def _settle(task: asyncio.Task[None], action: Action, settled: set[str], lost: set[str], ending: Ending) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None and not isinstance(error, SiteError):
        raise error
    if error is not None and not action.optional:
        ending.failures[action.id] = error
        lost.add(action.id)
    else:
        settled.add(action.id)


def _cancel_operations(running: dict[asyncio.Task[None], Action]) -> None:
    for task, action in running.items():
        if action.target is Target.OPERATION:
            task.cancel()


async def _end_all(running: dict[asyncio.Task[None], Action]) -> None:
    """Nothing begun is left behind, even when the run itself is cancelled or fails."""
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
