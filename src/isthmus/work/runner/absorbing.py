"""What tasks on nodes without shared files have told, put where it would lie with them: in the submission's folder.

The scheduler appends what the supervisor prints to ``tasks/<i>/stream.out`` while it runs, and brings
``tasks/<i>/outputs.tar`` when it has ended; where it starts several processes together, their numbers are in the
names. From the one come ``status.json`` and ``log/*.log``, each line once whatever crashes when; from the other the
outputs in ``work``. A report of the end is kept back until the scheduler says so too: before that the outputs are
not here, and an evicted task runs again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, List, Mapping, Optional

from .failures import Permanent
from .merging import ENDED
from .packing import unpack
from .places import checked_index, checked_name, write_json

LONGEST = 8 * 1024 * 1024
"""Bytes of one line of a stream; what is longer is no report of ours."""
PIECE = 1024 * 1024
HEAD = 256
"""Bytes of a stream that tell it from the one of the task's next start."""
NOTES = "absorbed.json"
_FRESH: Mapping[str, Any] = {"offset": 0, "report": None, "running": None, "first": {}, "last": {}}


def absorb(folder: Path) -> None:
    """Bring the logs and reports of a submission up to date."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(str(folder / "tasks")):
            if name.isdigit():
                absorb_task(folder, int(name))


def absorb_task(folder: Path, index: int, end: Optional[Mapping[str, Any]] = None) -> None:
    """Bring one task up to date; ``end`` is how it ended as the scheduler says, which has brought all there will be."""
    place = folder / "tasks" / str(index)
    with contextlib.suppress(FileNotFoundError), _locked(place):
        _Absorption(folder, place).run(end)


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[None]:
    descriptor = os.open(str(place / "absorb.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class _Absorption:
    """One pass over the streams of one task: one, or one for each process of a task that the site starts together.

    The notes hold for each stream how much of it was read, its last report, and for each container the run with
    which it began and the last; and how long each log was then. A pass that was cut short is done again from the
    notes: the logs are cut to their length first.
    """

    def __init__(self, folder: Path, place: Path):
        self._folder = folder
        self._place = place
        self._notes = _read_notes(place)
        self._logs: Dict[str, BinaryIO] = {}

    def run(self, end: Optional[Mapping[str, Any]]) -> None:
        notes = self._notes
        if notes["settled"]:
            return
        before = json.dumps(notes)
        with contextlib.ExitStack() as held:
            for name in _numbered(self._place, "stream", "out"):
                stream = held.enter_context(open(str(self._place / name), "rb"))
                fresh = {"head": [0, _digest(b"")], **json.loads(json.dumps(_FRESH))}
                known = notes["streams"].setdefault(name, fresh)
                self._find_restart(stream, known)
                if os.fstat(stream.fileno()).st_size > known["offset"]:
                    self._read(stream, known, held)
            for name, log in self._logs.items():
                log.flush()
                notes["logs"][name] = log.tell()
        if end is not None:
            self._settle(end)
        elif json.dumps(notes) != before:
            self._show()
        if json.dumps(notes) != before:
            write_json(self._place / NOTES, notes)

    def _find_restart(self, stream: BinaryIO, known: Dict[str, Any]) -> None:
        """Begin anew when the stream is not the one of the notes: the scheduler has started the task again."""
        size, digest = known["head"]
        head = stream.read(size)
        if len(head) < size or _digest(head) != digest:
            first = {container: run + 1 for container, run in known["last"].items()}
            known.update(json.loads(json.dumps(_FRESH)), first=first, last=known["last"])
        if size < HEAD or known["offset"] == 0:
            stream.seek(0)
            head = stream.read(HEAD)
            known["head"] = [len(head), _digest(head)]
        stream.seek(known["offset"])

    def _read(self, stream: BinaryIO, known: Dict[str, Any], held: contextlib.ExitStack) -> None:
        rest = b""
        while True:
            data = stream.read(PIECE)
            lines, end, rest = (rest + data).rpartition(b"\n")
            if end:
                for line in lines.split(b"\n"):
                    self._take(line, known, held)
                known["offset"] += len(lines) + 1
            if len(rest) > LONGEST:
                known["offset"] += len(rest)
                rest = b""
            if not data:
                break

    def _take(self, line: bytes, known: Dict[str, Any], held: contextlib.ExitStack) -> None:
        """One line of a stream. What is not one of ours was printed by something else, and is passed over."""
        try:
            report = json.loads(line.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            return
        if not isinstance(report, dict):
            return
        if isinstance(report.get("status"), dict):
            known["report"] = report["status"]
            if report["status"].get("state") not in ENDED:
                known["running"] = report["status"]
        if isinstance(report.get("log"), list):
            with contextlib.suppress(Permanent, ValueError, UnicodeError):
                container, run, text = report["log"]
                run = checked_index(run) + known["first"].get(checked_name(container), 0)
                log = self._log("{}.{}.log".format(container, run), held)
                log.write(str(text).encode("utf-8", "surrogateescape") + b"\n")
                known["last"][container] = max(run, known["last"].get(container, 0))

    def _reports(self) -> List[Dict[str, Any]]:
        return [known["report"] for known in self._notes["streams"].values() if known["report"] is not None]

    def _show(self) -> None:
        """Let it be seen how the task stands: as its first process does, while that runs."""
        running = [known["running"] for known in self._notes["streams"].values() if known["running"] is not None]
        if running:
            write_json(self._place / "status.json", running[0])

    def _log(self, name: str, held: contextlib.ExitStack) -> BinaryIO:
        if name not in self._logs:
            folder = self._place / "log"
            folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(str(folder / name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            log = held.enter_context(os.fdopen(descriptor, "r+b"))
            log.truncate(self._notes["logs"].get(name, 0))
            log.seek(0, os.SEEK_END)
            self._logs[name] = log
        return self._logs[name]

    def _settle(self, end: Mapping[str, Any]) -> None:
        """Bring the outputs to the sandbox, then let the report of the end be seen."""
        reports = self._reports()
        status = next((one for one in reports if one.get("state") != "succeeded"), reports[0] if reports else None)
        refused: List[str] = []
        for name in _numbered(self._place, "outputs", "tar"):
            refused += unpack(self._place / name, self._folder / "work")
        if status is not None:
            if status.get("reason") == "Cancelled":
                status = _explained(status, end)
            if refused and status.get("state") == "succeeded":
                status = dict(status, state="failed", reason="StageOutFailed", words="; ".join(refused[:5]))
            write_json(self._place / "status.json", status)
        self._notes["settled"] = True


def _explained(status: Dict[str, Any], end: Mapping[str, Any]) -> Dict[str, Any]:
    """A report of having been asked to end, by one who could not know why: the scheduler does."""
    state, reason = end.get("state"), end.get("reason") or "Cancelled"
    if state == "succeeded" or reason == "Error":
        return status
    containers = [
        dict(c, reason=reason) if isinstance(c, dict) and c.get("reason") == "Cancelled" else c
        for c in status.get("containers") or ()
    ]
    words = end.get("words") or status.get("words")
    return dict(status, state=state, reason=reason, words=words, containers=containers)


def _numbered(place: Path, name: str, ending: str) -> List[str]:
    """``<name>.<ending>``, and with numbers between in their order, of those that are there."""
    found = {}
    for entry in os.listdir(str(place)):
        match = re.fullmatch(r"{}(?:\.([0-9]{{1,6}}))?\.{}".format(name, ending), entry)
        if match:
            found[int(match.group(1) or -1)] = entry
    return [found[number] for number in sorted(found)]


def _read_notes(place: Path) -> Dict[str, Any]:
    notes: Dict[str, Any] = {"streams": {}, "logs": {}, "settled": False}
    with contextlib.suppress(OSError, ValueError):
        notes.update(json.loads((place / NOTES).read_bytes()))
    return notes


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def words_of_crash(place: Path) -> str:
    """The end of what a supervisor that left no report said on its error output, on one line."""
    try:
        with open(str(place / "stream.err"), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 2000))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    said: List[str] = [line.strip() for line in lines if line.strip()]
    return said[-1][:500] if said else ""
