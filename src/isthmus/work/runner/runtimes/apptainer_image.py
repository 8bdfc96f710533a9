"""Images for Apptainer: what lies on the node already, or is fetched and made once for all tasks of a submission."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os

from .. import processes
from ..image_names import FILES
from ..outcomes import IMAGE, CannotStart
from .process import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loop import Loop
    from ..order import Order
    from . import Sink

_BUSY = 0.2
"""Seconds between looks whether another task has made the image."""


class Image:
    """The image of a container as something that ``apptainer exec`` takes at once.

    Files and folders are taken as they are. What comes from a registry is fetched once for all tasks of the
    submission, under a lock, so that an image that cannot be had is told from a program that fails.
    """

    def __init__(self, order: Order, loop: Loop, program: str, name: str, env: dict[str, str]):
        self._order = order
        self._loop = loop
        self._program = program
        self._env = env
        self._lock = -1
        self.path, self.source = "", ""
        kind = next((p for p in FILES if name.startswith(p)), "")
        if name.startswith(kind + "./"):  # it was staged in
            name = kind + os.path.join(order.work, _below(name[len(kind) + 2 :]))
        local = name[len(kind) :].split(":", 1)[0] if kind else None
        if name.startswith("/") or local is not None:
            path = name if local is None else local
            if not os.path.exists(path):
                raise CannotStart("image: there is no %s on this node" % path, reason=IMAGE)
        if name.startswith("/"):
            self.path = name
            return
        whole = "://" in name or local is not None
        self.source = name if whole else order.runtime.get("image_prefix", "docker://") + name
        if self.source.startswith("-"):
            raise CannotStart("image: %r is no name of an image" % name, reason=IMAGE)
        digest = hashlib.sha256(self.source.encode()).hexdigest()[:32]
        self.path = os.path.join(order.folder, "images", digest + ".sif")

    @property
    def ready(self) -> bool:
        return os.path.exists(self.path)

    def fetch(self, sink: Sink, done: Callable[[CannotStart | None], None]) -> Callable[[], None]:
        """Have it made; the answer ends that at once."""
        job = _Fetch(self, self._loop, sink, done)
        job.begin()
        return job.end

    def lock(self) -> bool:
        """Be the only task that makes it; False while another does."""
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        if self._lock < 0:
            self._lock = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without locks: each makes its own, the last one stays
        return True

    def unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def invocation(self) -> Invocation:
        """What makes it, under a name of its own."""
        argv = [self._program, "build", "--force", self.new, self.source]
        if "://" in self.source:
            argv = [self._program, "pull", "--force", self.new, self.source]
        return Invocation(argv, self._env, os.path.dirname(self.path))

    @property
    def new(self) -> str:
        return "%s.%d.new.sif" % (self.path, self._order.index)


def _below(path: str) -> str:
    """A path that leads nowhere else."""
    if ".." in path.split("/"):
        raise CannotStart("image: ./%s is not below the job's folder" % path, reason=IMAGE)
    return path


class _Fetch:
    """One attempt to have an image made, or to wait until another task has made it."""

    def __init__(self, image: Image, loop: Loop, sink: Sink, done: Callable[[CannotStart | None], None]):
        self._image = image
        self._loop = loop
        self._sink = sink
        self._done = done
        self._pid = 0
        self._over = False
        self._words = b""

    def begin(self) -> None:
        if self._over:
            return
        if self._image.ready:
            self._finish(None)
        elif not self._image.lock():
            self._loop.later(_BUSY, self.begin)
        elif self._image.ready:
            self._finish(None)
        else:
            self._make()

    def end(self) -> None:
        self._over = True
        if self._pid:
            processes.end_tree(self._pid)
        self._image.unlock()

    def _make(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        try:
            made = self._image.invocation
            self._pid = processes.spawn(made.argv, made.env, made.folder, writer, writer)
        except CannotStart as error:
            os.close(self._reader)
            self._finish(error)
            return
        finally:
            os.close(writer)
        self._loop.watch(self._reader, self._read)
        self._loop.on_end(self._pid, self._made)

    def _read(self) -> bool:
        try:
            data = os.read(self._reader, 65536)
        except BlockingIOError:
            return False
        if not data:
            self._loop.unwatch(self._reader)
        self._words = (self._words + data)[-4096:]
        return bool(data)

    def _made(self, status: int, _: object) -> None:
        pid, self._pid = self._pid, 0
        processes.end_session(pid, self._loop.children)
        while self._read():
            pass
        self._loop.unwatch(self._reader)
        os.close(self._reader)
        if status == 0:
            os.replace(self._image.new, self._image.path)
            self._finish(None)
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._image.new)
        self._finish(CannotStart("image: " + last_line(self._words), reason=IMAGE))

    def _finish(self, error: CannotStart | None) -> None:
        self._image.unlock()
        if not self._over:
            self._over = True
            self._done(error)


def last_line(words: bytes) -> str:
    """The last thing that Apptainer said of a failure, without its colours."""
    lines = [line.strip() for line in words.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if "FATAL:" in line] or lines
    text = fatal[-1] if fatal else "no reason was told"
    return text.replace("\x1b[31m", "").replace("\x1b[0m", "").replace("FATAL:", "").strip()
