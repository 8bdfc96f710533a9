"""History: what was appended is read in order, and nobody who follows it misses anything."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

from isthmus.store import Store, history
from isthmus.views import Event, LogLine

from .rows import add, ask, deployment, tell

ONE, TWO = deployment(1).id, deployment(2).id


def event(message: str, of: str = ONE, **values: Any) -> Event:
    return Event(0, of, 1.5, "alice", "action.done", message, **values)


def line(text: str, of: str = ONE, instance: str = "worker[0]") -> LogLine:
    return LogLine(0, of, 1.5, instance, "slurm.Standard.create", text)


def messages(store: Store, after: int = 0, limit: int = 99, of: str = ONE) -> list[str]:
    return [e.message for e in ask(store, lambda c: history.events_after(c, of, after, limit))]


def test_events_come_back_whole_and_in_order(store: Store) -> None:
    add(store, deployment(1), deployment(2))
    first = event("a", node="n", action="create:machine:n[0]", outcome="ok", seconds=0.25)
    tell(store, lambda c: history.add_events(c, [first, event("b"), event("x", TWO)]))
    tell(store, lambda c: history.add_events(c, [event("c")]))
    tell(store, lambda c: history.add_events(c, []))
    found = ask(store, lambda c: history.events_after(c, ONE, 0, 99))
    assert [e.message for e in found] == ["a", "b", "c"]
    assert found[0] == Event(found[0].id, *(getattr(first, n) for n in Event.__slots__[1:]))
    assert messages(store, found[0].id, 1) == ["b"]
    assert messages(store, found[-1].id) == []
    assert messages(store, of=TWO) == ["x"]


def test_lines_are_read_of_all_machines_or_of_one(store: Store) -> None:
    add(store, deployment(1))
    tell(store, lambda c: history.add_lines(c, [line("a"), line("b", instance="worker[1]"), line("c\u2028\x1b[0m")]))
    found = ask(store, lambda c: history.lines_after(c, ONE, 0, 99, None))
    assert [n.text for n in found] == ["a", "b", "c\u2028\x1b[0m"]
    assert [n.text for n in ask(store, lambda c: history.lines_after(c, ONE, found[0].id, 99, "worker[0]"))] == [
        "c\u2028\x1b[0m"
    ]


def test_what_no_database_keeps_in_text_does_not_lose_the_rest(store: Store) -> None:
    add(store, deployment(1))
    tell(store, lambda c: history.add_lines(c, [line("before"), line("nul \0 inside"), line("half \udc80 a char")]))
    tell(store, lambda c: history.add_events(c, [event("nul \0 inside"), event("half \udc80 a char")]))
    texts = [n.text for n in ask(store, lambda c: history.lines_after(c, ONE, 0, 99, None))]
    assert texts == ["before", "nul \ufffd inside", "half \ufffd a char"]
    assert messages(store) == texts[1:]


def test_of_each_action_the_newest_event_is_known(store: Store) -> None:
    add(store, deployment(1), deployment(2))
    tell(store, lambda c: history.add_events(c, [
        event("started", action="a"), event("started", action="b"), event("failed", action="a"), event("no action"),
        event("other", TWO, action="a"),
    ]))  # fmt: skip
    latest = ask(store, lambda c: history.latest_by_action(c, ONE))
    assert {k: e.message for k, e in latest.items()} == {"a": "failed", "b": "started"}


def test_a_follower_never_sees_a_later_event_before_an_earlier_one(open_another: Callable[[], Store]) -> None:
    mine, theirs = open_another(), open_another()
    add(mine, deployment(1))
    with mine.write() as c:
        history.add_events(c, [event("begun first")])
        other = Thread(target=lambda: tell(theirs, lambda c: history.add_events(c, [event("begun later")])))
        other.start()
        other.join(0.3)  # it may not be done yet: what counts is that it cannot be seen before the first
        assert messages(mine) == []
    other.join()
    assert messages(mine) == ["begun first", "begun later"]
