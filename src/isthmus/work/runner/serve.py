"""The agent: serves one connection of the server to a site, over stdin and stdout, until stdin ends.

It keeps nothing that it could not read again, so that it may be killed at any instant, and several of them may
serve one folder. Requests are answered by a few threads in any order, streams by one of their own.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import queue
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple

from . import sandbox
from .blobs import Blobs
from .briefs import read_brief
from .cancelling import cancel
from .compiled import Compiled
from .failures import Permanent
from .frames import BadFrame, Header, Sender, receive
from .locks import Turns
from .log_reading import Options, read_log
from .looking import Looking
from .places import Places, checked_id, checked_index, checked_name
from .scheduler import load
from .streams import Streams
from .submissions import Submissions, failure_of

WORKERS = 8
SLOW = frozenset({"pull", "push", "files", "remove"})
"""What moves whole files has workers of its own, so that a look never waits for it."""
SLOW_WORKERS = 4
DRAIN = 10.0
"""Seconds that requests have to end when stdin has."""
SWEEP = 86400.0


class Agent:
    """Answers requests; ``hello`` says of which folder and batch system."""

    def __init__(self, sender: Sender):
        self._sender = sender
        self._streams = Streams(sender)
        self._requests: queue.Queue[Optional[Tuple[Header, bytes]]] = queue.Queue()
        self._slow: queue.Queue[Optional[Tuple[Header, bytes]]] = queue.Queue()
        self._busy = 0
        self._idle = threading.Condition()
        self._verbs: Dict[str, Callable[[Header, bytes], Optional[Header]]] = {"hello": self.hello}
        for requests, workers in ((self._requests, WORKERS), (self._slow, SLOW_WORKERS)):
            for _ in range(workers):
                threading.Thread(target=self._work, args=(requests,), daemon=True).start()

    def serve(self, source: BinaryIO) -> None:
        """Take requests until ``source`` ends, then let those end that are being answered."""
        while True:
            frame = receive(source)
            if frame is None:
                break
            header, body = frame
            verb = header.get("verb")
            if verb == "stop":
                self._streams.stop(header.get("of"))
            elif verb == "more":
                self._streams.grant(header.get("of"), header.get("size"))
            elif verb == "ping":
                self._sender.send({"id": header.get("id"), "ok": True})
            elif verb == "hello":
                self._answer(header, body)  # nothing else makes sense before it
            else:
                with self._idle:
                    self._busy += 1
                (self._slow if verb in SLOW else self._requests).put((header, body))
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, DRAIN)

    def hello(self, header: Header, body: bytes) -> Header:
        """Begin: ``folder`` and ``config`` as the site's options have them."""
        site = Site(header, self._streams)
        self._verbs.update(site.verbs())
        return site.about()

    def _work(self, requests: queue.Queue[Optional[Tuple[Header, bytes]]]) -> None:
        while True:
            frame = requests.get()
            if frame is None:
                return
            try:
                self._answer(*frame)
            finally:
                with self._idle:
                    self._busy -= 1
                    self._idle.notify_all()

    def _answer(self, header: Header, body: bytes) -> None:
        number = header.get("id")
        try:
            verb = self._verbs.get(str(header.get("verb")))
            if verb is None:
                raise Permanent("the agent has no verb {!r}".format(header.get("verb"))[:200])
            answer = verb(header, body)
            if answer is None:
                return  # its stream answers
            self._send(dict(answer, id=number, ok=True))
        except (OSError, Exception) as error:
            self._send({"id": number, "error": failure_of(error).told()})

    def _send(self, header: Header) -> None:
        try:
            self._sender.send(header)
        except BadFrame as error:
            self._sender.send({"id": header["id"], "error": Permanent(str(error)).told()})
        except OSError:
            os._exit(0)  # nobody is there any more


class Site:
    """The verbs, for one folder and batch system."""

    def __init__(self, hello: Header, streams: Streams):
        config = hello.get("config")
        if not isinstance(config, dict):
            raise Permanent("hello has no config")
        self._config: Dict[str, Any] = config
        root = Path(os.path.expanduser(str(hello.get("folder") or "~/.isthmus")))
        if not root.is_absolute():
            raise Permanent("the folder {} is not an absolute path".format(root))
        self._places = Places(root)
        self._places.make()
        self._root = root
        self._streams = streams
        self._blobs = Blobs(self._places.blobs)
        self._batch = load(config, root)
        self._turns = Turns()
        settle, lag = float(config.get("settle", 3.0)), float(config.get("lag", 5.0))
        self._submissions = Submissions(
            self._places, self._blobs, self._batch, self._turns, _supervisor(config, self._places), settle
        )
        self._looking = Looking(self._places, self._submissions, self._batch, self._turns, lag)
        self._sandbox = sandbox.Sandbox()
        threading.Thread(target=self._sweep, daemon=True).start()

    def about(self) -> Header:
        """Who and where we are."""
        return {
            "user": getpass.getuser() if "USER" in os.environ or _has_entry() else str(os.getuid()),
            "host": socket.gethostname(),
            "python": platform.python_version(),
            "root": str(self._root),
            "pid": os.getpid(),
        }

    def verbs(self) -> Dict[str, Callable[[Header, bytes], Optional[Header]]]:
        """What is done for each verb."""
        names = ("missing", "put", "pull", "push", "standing", "submit", "look", "cancel", "log", "files", "read",
                 "remove", "list", "facilities")  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def missing(self, header: Header, body: bytes) -> Header:
        return {"missing": self._blobs.missing(_list(header, "digests"))}

    def put(self, header: Header, body: bytes) -> Header:
        return self._blobs.put(header.get("digest"), header.get("offset"), header.get("last"), body)

    def pull(self, header: Header, body: bytes) -> Header:
        from .fetching import pull

        return pull(str(header.get("url")), self._places.blobs, self._config)

    def push(self, header: Header, body: bytes) -> Header:
        from .fetching import push

        place, targets = self._here(header), header.get("targets")
        if not isinstance(targets, dict) or not all(isinstance(url, str) for url in targets.values()):
            raise Permanent("push has no targets")
        push(place / "work", targets, self._config)
        return {}

    def standing(self, header: Header, body: bytes) -> Header:
        return {"standing": self._submissions.standing(_list(header, "ids"))}

    def submit(self, header: Header, body: bytes) -> Header:
        return {"answers": self._submissions.submit(_list(header, "orders"))}

    def look(self, header: Header, body: bytes) -> Header:
        begun = time.perf_counter()
        tasks = self._looking.look(_list(header, "ids"))
        return {"tasks": tasks, "took": time.perf_counter() - begun}

    def cancel(self, header: Header, body: bytes) -> Header:
        tasks, grace = header.get("tasks"), header.get("grace")
        if not isinstance(tasks, dict) or not (grace is None or isinstance(grace, (int, float))):
            raise Permanent("cancel has no tasks, or a grace that is no number")
        cancel(self._places, self._submissions, self._batch, self._turns, tasks, grace)
        return {}

    def log(self, header: Header, body: bytes) -> None:
        id, index = checked_id(header.get("id_of")), checked_index(header.get("index"))
        container, options = checked_name(header.get("container")), Options(header.get("options") or {})
        task = self._places.submission(id) / "tasks" / str(index)
        self._absorb(id, index)
        self._streams.add(header["id"], read_log(task, container, options, self._ended(id, index, container)))

    def files(self, header: Header, body: bytes) -> Header:
        place = self._here(header)
        patterns = [output["path"] for output in read_brief(place)["outputs"]]
        return {"files": self._sandbox.files(place / "work", patterns)}

    def read(self, header: Header, body: bytes) -> None:
        place = self._here(header)
        self._streams.add(header["id"], self._read(place / "work", header.get("path")))

    def remove(self, header: Header, body: bytes) -> Header:
        ids = _list(header, "ids")
        self._submissions.remove(ids)
        self._looking.forget(ids)
        return {}

    def list(self, header: Header, body: bytes) -> Header:
        return {"ids": self._places.all()}

    def facilities(self, header: Header, body: bytes) -> Header:
        with self._turns:
            return {"facilities": self._batch.facilities()}

    def _here(self, header: Header) -> Path:
        place = self._places.submission(header.get("id_of"))
        if not (place / "brief.json").exists():
            raise Permanent("submission {}: nothing of it is here".format(place.name))
        return place

    def _read(self, work: Path, path: object) -> "Iterator[Optional[bytes]]":
        yield from sandbox.read(work, path)

    def _absorb(self, id: str, index: int) -> None:
        """Bring a log up to date where it does not lie here by itself."""
        absorb = getattr(self._batch, "absorb", None)
        if absorb is not None:
            absorb(self._places.submission(id), index)

    def _ended(self, id: str, index: int, container: str) -> Callable[[int], bool]:
        """Says whether a run of the container has ended."""

        def ended(run: int) -> bool:
            self._absorb(id, index)
            if self._looking.ended(id, index):
                return True
            report = self._looking.report(id, index)
            for one in report["containers"] if report else ():
                if one["name"] == container:
                    return bool(one["restarts"] > run or one["phase"] == "terminated")
            return False

        return ended

    def _sweep(self) -> None:
        """Once a day, for who keeps an agent for longer."""
        while True:
            try:
                self._submissions.sweep(float(self._config.get("keep", 7 * SWEEP)))
            except Exception as error:
                print("sweep: {}".format(error), file=sys.stderr)
            time.sleep(SWEEP)


def _list(header: Header, name: str) -> "List[Any]":
    value = header.get(name)
    if not isinstance(value, list):
        raise Permanent("{} is not a list".format(name))
    return value


def _has_entry() -> bool:
    import pwd

    try:
        return bool(pwd.getpwuid(os.getuid()))
    except KeyError:
        return False


def _supervisor(config: Dict[str, Any], places: Places) -> "Callable[[], List[str]]":
    """Says what starts the supervisor on a node, but for its arguments."""
    program = Path(sys.argv[0]).resolve()
    if program.parent != places.programs.resolve():
        raise Permanent("the agent does not run from {}".format(places.programs))
    compiled = Compiled(places.programs / program.name)
    python = str(config.get("python") or sys.executable)
    return lambda: [python, "-I", "-S", str(compiled.path())]


def main() -> int:
    """Serve stdin and stdout; what prints goes to stderr."""
    os.umask(0o077)
    source, answers = os.fdopen(os.dup(0), "rb", 1024 * 1024), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    with contextlib.suppress(OSError):  # it may lead its session already
        os.setsid()
    try:
        Agent(Sender(answers)).serve(source)
    except BadFrame as error:
        print(error, file=sys.stderr)
        code = 2
    else:
        code = 0
    sys.stderr.flush()
    os._exit(code)
    return code
