"""Handing work to the scheduler, so that a crash at any instant loses nothing and doubles nothing.

The order of steps: the sandbox, the order, the journal, the mark ``submitting``, the scheduler, its id in
``site-id``. A submission with an id was handed over. One with the mark alone, or one that the journal had when this
agent started, may have been, so that the scheduler is asked for it by name first; any other was not. All of it
happens under the submission's lock. The journal alone goes to the disk at once: see :mod:`.journal`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from .blobs import Blobs, words
from .briefs import Brief, digests, make_brief, read_brief
from .failures import Failure, Permanent, Quota, Temporary
from .journal import Journal
from .locks import Turns, locked
from .places import Places, checked_id, folder, parts, read_small, write_json, write_whole
from .removing import remove_tree
from .scheduler import Batch

GROUP = 16
"""Submissions that are handed over in one turn with the batch system; then others get theirs."""
STAGED = 128
"""Submissions that are staged, and written into the journal, together."""
SESSION_PATIENCE = 120.0
"""Seconds for which what a dead agent had started (a command of the scheduler) is waited for."""
Told = Optional[Dict[str, Any]]


def failure_of(error: BaseException) -> Failure:
    """Any exception as what the agent answers."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, OSError):
        said, full = words(error)
        return Quota(said) if full else Temporary(said)
    return Temporary("{}: {}".format(type(error).__name__, error)[:2000])


def site_id(place: Path) -> Optional[str]:
    """The scheduler's id of a submission: None before it was handed over, empty when it ran but its id is lost."""
    try:
        return read_small(place, ("site-id",), 4096).decode("utf-8", "replace").strip()
    except OSError:
        return None


def marked(place: Path) -> bool:
    """Whether a submission may have been handed over without its id having been written."""
    return os.path.lexists(str(place / "submitting")) or has_run(place)


def has_run(place: Path) -> bool:
    """Whether a supervisor has begun to run a task of it."""
    with contextlib.suppress(OSError):
        return any(os.path.lexists(str(place / "tasks" / i / "status.json")) for i in os.listdir(str(place / "tasks")))
    return False


class Submissions:
    """Hands over, finds and removes submissions.

    ``command`` says what starts the supervisor on a node; ``settle`` is how many seconds the scheduler may take to show
    what it has accepted.
    """

    def __init__(
        self, places: Places, blobs: Blobs, batch: Batch, turns: Turns, command: Callable[[], List[str]],
        settle: float = 3.0, step: Callable[[str], None] = lambda name: None,
    ):  # fmt: skip
        self._places = places
        self._blobs = blobs
        self._batch = batch
        self._turns = turns
        self._command = command
        self._settle = settle
        self._step = step
        self._journal = Journal(places.handing)

    def standing(self, ids: Iterable[object]) -> List[str]:
        """Those that were handed over for certain."""
        return [str(id) for id in ids if site_id(self._places.submission(id)) is not None]

    def submit(self, orders: List[Any]) -> List[Told]:
        """Find or hand over each; for each None or why it was not taken."""
        answers: List[Told] = [None] * len(orders)
        briefs: List[Tuple[str, int, Brief]] = []
        for number, order in enumerate(orders):
            try:
                brief = make_brief(order)
                briefs.append((brief["id"], number, brief))
            except Failure as failure:
                answers[number] = failure.told()
        briefs.sort(key=lambda entry: entry[:2])  # locks are taken in one order, so that nobody waits in a circle
        if len({id for id, _, _ in briefs}) != len(briefs):
            raise Permanent("a submission is named twice")
        for start in range(0, len(briefs), STAGED):
            group = [(orders[number], brief) for _, number, brief in briefs[start : start + STAGED]]
            told = self._submit_group(group)
            for _, number, brief in briefs[start : start + STAGED]:
                answers[number] = told.get(brief["id"])
        return answers

    def _submit_group(self, group: List[Tuple[Dict[str, Any], Brief]]) -> Dict[str, Told]:
        told: Dict[str, Told] = {}
        fresh: List[Any] = []
        doubtful: List[Any] = []
        with contextlib.ExitStack() as all_held:
            held: Dict[str, contextlib.ExitStack] = {}
            for order, brief in group:
                place = self._places.submission(brief["id"])
                try:
                    held[brief["id"]] = all_held.enter_context(contextlib.ExitStack())
                    held[brief["id"]].enter_context(self._lock(place))
                    if site_id(place) is not None:
                        told[brief["id"]] = None
                    else:
                        (doubtful if self.is_doubtful(place) else fresh).append((order, brief, place))
                except Exception as error:
                    told[brief["id"]] = failure_of(error).told()
            if doubtful:
                fresh += self._seek(doubtful, told)
            ready = self._mark(self._stage_all(fresh, told), told)
            for start in range(0, len(ready), GROUP):
                self._hand_over(ready[start : start + GROUP], told)
                for entry in ready[start : start + GROUP]:
                    held[entry["id"]].close()
        return told

    def is_doubtful(self, place: Path) -> bool:
        """Whether a submission without an id may have been handed over."""
        return place.name in self._journal.before or marked(place)

    @contextlib.contextmanager
    def _lock(self, place: Path) -> Any:
        held = False
        for _ in range(100):
            try:
                with contextlib.suppress(FileExistsError):  # exist_ok would look again, and it may be gone by then
                    place.mkdir(mode=0o700, parents=True)
                with locked(place):
                    held = True
                    yield
                    return
            except FileNotFoundError:
                if held or (place / "lock").exists():
                    raise
        raise Temporary("submission {}: it is being removed".format(place.name))

    def _seek(self, doubtful: List[Any], told: Dict[str, Told]) -> List[Any]:
        """Settle those that may have been handed over; those that were not are answered."""
        try:
            known = self.find([brief["id"] for _, brief, _ in doubtful])
        except Exception as error:
            told.update((brief["id"], failure_of(error).told()) for _, brief, _ in doubtful)
            return []
        fresh = []
        for order, brief, place in doubtful:
            if brief["id"] in known or has_run(place):
                told[brief["id"]] = None
                continue
            left = self._unsettled(place)
            if left > 0:
                waiting = Temporary("submission {}: it may have been handed over just now".format(brief["id"]), left)
                told[brief["id"]] = waiting.told()
            else:
                fresh.append((order, brief, place))
        return fresh

    def find(self, ids: List[str]) -> Dict[str, str]:
        """Ask the scheduler for marked submissions by name, and write down what it knows; call it under their locks."""
        with self._turns:
            known = dict(self._batch.find(ids))
        for id in ids:
            place = self._places.submission(id)
            if id in known:
                write_whole(place / "site-id", str(known[id]).encode())
            elif has_run(place):
                write_whole(place / "site-id", b"")
                known[id] = ""
        return {id: known[id] for id in ids if id in known}

    def _unsettled(self, place: Path) -> float:
        """Seconds until what the mark speaks of must have reached the scheduler, or never will."""
        try:
            mark = json.loads(read_small(place, ("submitting",)))
            age = time.time() - float(mark["time"])
            session, host = int(mark["session"]), str(mark["host"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0
        if age < SESSION_PATIENCE and host == socket.gethostname() and session != os.getsid(0) and _lives(session):
            return 1.0
        return max(0.0, self._settle - age) if age >= 0 else 0.0

    def _stage_all(self, fresh: List[Any], told: Dict[str, Told]) -> List[Dict[str, Any]]:
        ready = []
        for order, brief, place in fresh:
            try:
                ready.append(self._stage(order, brief, place))
            except Exception as error:
                told[brief["id"]] = failure_of(error).told()
        return ready

    def _mark(self, ready: List[Dict[str, Any]], told: Dict[str, Told]) -> List[Dict[str, Any]]:
        """Let it be known, whatever is lost, that these may have been handed over."""
        if not ready:
            return []
        mark = _mark_now()
        try:
            self._journal.note(entry["id"] for entry in ready)
            first = ready[0]["folder"] / "submitting"
            write_json(first, mark, durable=False)
            for entry in ready[1:]:
                _link(first, entry["folder"] / "submitting", mark)
        except OSError as error:
            told.update((entry["id"], failure_of(error).told()) for entry in ready)
            return []
        self._step("marked")
        return ready

    def _stage(self, order: Dict[str, Any], brief: Brief, place: Path) -> Dict[str, Any]:
        """Lay out what a submission needs that was never handed over."""
        self._step("begin")
        missing = self._blobs.missing(sorted(digests(brief)))
        if missing:
            raise Temporary("blobs are not here: {}".format(", ".join(missing[:5])), 0.1)
        for name in ("work", "blobs"):
            remove_tree(place / name)
        write_json(place / "brief.json", brief, durable=False)
        if brief["inputs"] or order.get("stream"):  # else a supervisor makes it, which is one folder less to wait for
            (place / "work").mkdir(mode=0o700)
        for given in brief["inputs"]:
            names = parts(given["path"])
            try:
                with folder(place / "work", names[:-1], make=True) as descriptor:
                    self._blobs.copy(given["digest"], descriptor, names[-1], given["mode"])
            except (FileExistsError, NotADirectoryError):
                raise Permanent("input {}: another input is in its place".format(given["path"])) from None
        self._step("staged")
        relative = order.get("blobs") == "blobs"
        for digest in brief["files"] if relative else ():
            target = place / "blobs" / digest[:2]
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.link(str(self._blobs.path(digest)), str(target / digest))
        order = dict(order, blobs="blobs" if relative else str(self._blobs.place))
        write_json(place / "order.json", order, durable=False)
        self._step("ordered")
        command = [*self._command(), "run", "--submission", str(place)]
        return {"id": brief["id"], "folder": place, "order": order, "command": command}

    def _hand_over(self, ready: List[Dict[str, Any]], told: Dict[str, Told]) -> None:
        try:
            with self._turns:
                answers = list(self._batch.submit(ready))
        except Exception as error:
            answers = [failure_of(error).told()] * len(ready)
        self._step("submitted")
        for entry, answer in zip(ready, answers):  # noqa: B905 (Python 3.8)
            place = entry["folder"]
            if answer is None and site_id(place) is None:
                answer = Temporary("submission {}: its scheduler gave no id".format(entry["id"])).told()
            if answer is not None and answer.get("kind") in ("permanent", "quota"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(str(place / "submitting"))
            elif answer is not None:  # a slow scheduler may take it yet: it has its time to show that from now on
                with contextlib.suppress(OSError):
                    write_json(place / "submitting", _mark_now(), durable=False)
            told[entry["id"]] = answer
        self._step("answered")

    def settle_marked(self, ids: Iterable[str]) -> None:
        """Find those that are marked and that nobody is busy with; others are left as they are."""
        with contextlib.ExitStack() as held:
            mine = []
            for id in sorted(ids)[:GROUP]:
                with contextlib.suppress(OSError):
                    place = self._places.submission(id)
                    mine_now = held.enter_context(locked(place, wait=False))
                    if mine_now and site_id(place) is None and self.is_doubtful(place):
                        mine.append(id)
            if mine:
                self.find(mine)

    def remove(self, ids: Iterable[object]) -> None:
        """Remove the folders of submissions; what is not there stays so."""
        for id in [checked_id(id) for id in ids]:
            place = self._places.submission(id)
            gone = place.with_name(".gone-{}-{}".format(id, secrets.token_hex(4)))
            try:
                with locked(place):
                    os.rename(str(place), str(gone))
            except FileNotFoundError:
                continue
            remove_tree(gone)

    def sweep(self, keep: float) -> int:
        """Remove blobs that no submission names and nobody asked for lately, and what was left half removed."""
        for name in os.listdir(str(self._places.submissions)):
            if name.startswith(".gone-"):
                with contextlib.suppress(OSError):
                    remove_tree(self._places.submissions / name)
        used = set()
        for id in self._places.all():
            with contextlib.suppress(FileNotFoundError):
                used |= digests(read_brief(self._places.submission(id)))
        return self._blobs.sweep(used, keep)


def _mark_now() -> Dict[str, Any]:
    """Who hands over, and when."""
    return {"host": socket.gethostname(), "session": os.getsid(0), "time": time.time()}


def _link(first: Path, other: Path, mark: Dict[str, Any]) -> None:
    """Have ``mark`` in another folder too: by a link, since a new file may take as long as all else together."""
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(str(other))
        os.link(str(first), str(other))
    except OSError:
        write_json(other, mark, durable=False)


def _lives(session: int) -> bool:
    """Whether a process of a session runs on this machine: an agent died, and what it had started has not."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError), open("/proc/{}/stat".format(entry)) as file:
                fields = file.read().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    return True
    return False
