"""Containers by Apptainer (or Singularity), the runtime of HPC nodes: no daemon, no root.

No value of a variable is in an argument. Apptainer gets an environment made for the container: variables under
``APPTAINERENV_`` and their names, and those whose names no shell takes as they are, since one of them under the prefix
would make Apptainer drop all. ``--no-eval`` keeps it from reading values as shell text.

Commands of probes and hooks run in the container itself. Where its namespaces cannot be joined, they run in another
one of the same image, with the same mounts, ``/tmp`` included: then only files outside of mounts are not shared.
"""

from __future__ import annotations

import os
import re
import shutil
import time

from .. import processes
from ..outcomes import IMAGE, START_ERROR, CannotStart, Outcome
from ..volumes import Volumes
from .apptainer_image import Image, last_line
from .joining import CannotJoin, is_inside, run_beside, variables_of
from .process import Invocation, LocalProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..loop import Loop
    from ..order import Order
    from . import Sink

_PROGRAMS = ("apptainer", "singularity")
_PREFIXES = ("APPTAINERENV_", "SINGULARITYENV_")
_SETTINGS = ("APPTAINER_", "SINGULARITY_")
_LAUNCHERS = ("SLURM", "PMI", "OMPI_", "FLUX_", "PBS_", "_CONDOR_")
"""What the variables begin with by which a launcher and its ranks find each other."""
_DEVICES = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""What a scheduler says of the devices that it gave to the task."""
_PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_STARTER = re.compile(r"/(apptainer|singularity)(/bin/starter(-suid)?)?$")
_FATAL = 255
_MAKING, _PATIENCE = 0.05, 10.0
"""Seconds between looks whether a container has its program, and after which it is thought to be out of sight."""
_EMPTY = ("/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd")
"""What is mounted there covers nothing."""


class Apptainer:
    """Runs the containers of one task. ``runtime`` may have ``program``, ``image_prefix``, ``options``, …"""

    def __init__(self, order: Order, loop: Loop):
        self._order = order
        self._loop = loop
        self._volumes = Volumes(order)

    def program(self, container: dict[str, Any], init: bool) -> ApptainerProgram:
        """One run of a container. Raises :class:`CannotStart` for what cannot be honoured."""
        for name, own in (("user", os.geteuid()), ("group", os.getegid())):
            if container.get(name) not in (None, own):
                raise CannotStart("%s: containers run as %d here, not as %d" % (name, own, container[name]))
        self._check_options(container)
        launcher = [] if init else self._order.launcher
        environment = self._environment(container, bool(launcher))
        flags = self._flags(container, bool(launcher))
        image = Image(self._order, self._loop, self._program, container["image"], self._pull_environment())
        command, args = list(container.get("command") or ()), list(container.get("args") or ())

        def invoke(verb: str, argv: Sequence[str], before: Sequence[str] = ()) -> Invocation:
            whole = [*before, self._program, "--silent", verb, *flags, image.path, *argv]
            return Invocation(whole, environment, self._order.work)

        def main() -> Invocation:
            return invoke("exec" if command else "run", [*command, *args], launcher)

        def inside(argv: Sequence[str]) -> Invocation:
            return invoke("exec", argv)

        return ApptainerProgram(self._loop, self._order.umask, image, main, inside)

    def close(self) -> None:
        """What is left of containers ends with the supervisor."""

    @property
    def _program(self) -> str:
        named: str | None = self._order.runtime.get("program")
        found = named or next(filter(None, map(shutil.which, _PROGRAMS)), None)
        if found is None:
            raise CannotStart("runtime: this node has no apptainer")
        return found

    def _check_options(self, container: dict[str, Any]) -> None:
        allowed = self._order.runtime.get("allowed_options") or ()
        for option in container.get("runtime_options") or ():
            if not option.startswith("-") or option.split("=", 1)[0] not in allowed:
                raise CannotStart("runtime_options: this site does not allow %r" % option)

    def _flags(self, container: dict[str, Any], launched: bool) -> list[str]:
        flags = ["--contain", "--no-eval", "--writable-tmpfs"]
        if launched:  # ranks of one node reach into each other's memory, which they can only in the same namespaces
            flags += ["--bind", "/dev/shm:/dev/shm:rw"]  # noqa: S108
        else:
            flags += ["--ipc", "--pid"] if may_mount_proc() else ["--ipc"]
        if self._order.resources.get("gpus"):
            flags.append("--nv")
        scratch = self._volumes.scratch(container["name"])
        flags += ["--bind", _bind(scratch, "/tmp", False)]  # noqa: S108 - the container's own
        if container.get("sandbox", True):
            flags += ["--bind", _bind(self._order.work, "/work", False)]
        for mount in container.get("mounts") or ():
            flags += ["--bind", _bind(self._volumes.source(mount), mount["path"], mount.get("read_only", False))]
        folder = container.get("workdir") or ("/work" if container.get("sandbox", True) else None)
        if folder:
            flags += ["--pwd", folder]
        return [*flags, *(self._order.runtime.get("options") or ()), *(container.get("runtime_options") or ())]

    def _environment(self, container: dict[str, Any], launched: bool) -> dict[str, str]:
        """The environment of Apptainer itself, which hands on all but its own settings and the search path."""
        given = self._order.environment(container)
        if self._order.resources.get("gpus"):
            given = {**{n: os.environ[n] for n in _DEVICES if n in os.environ}, **given}
        kept = (*_SETTINGS, *_LAUNCHERS) if launched else _SETTINGS
        env = {n: v for n, v in os.environ.items() if n in ("PATH", "HOME") or n.startswith(kept)}
        if "TMPDIR" in os.environ:
            env.setdefault("APPTAINER_TMPDIR", os.environ["TMPDIR"])
        prefix = _PREFIXES["singularity" in os.path.basename(self._program)]
        env.update((name if _goes_bare(name, value) else prefix + name, value) for name, value in given.items())
        return env

    def _pull_environment(self) -> dict[str, str]:
        """The node's, without what somebody's profile would slip into every container."""
        return {name: value for name, value in os.environ.items() if not name.startswith(_PREFIXES)}


class ApptainerProgram(LocalProgram):
    """A program in a container: its image is fetched before it starts."""

    def __init__(
        self,
        loop: Loop,
        umask: int,
        image: Image,
        main: Callable[[], Invocation],
        inside: Callable[[Sequence[str]], Invocation],
    ):
        super().__init__(loop, umask, main(), inside, whole=False, explain=_explain)  # it hands signals on itself
        self._image = image
        self._abandon: Callable[[], None] | None = None

    def start(self, sink: Sink, started: Callable[[], None], ended: Callable[[Outcome], None]) -> None:
        if self._image.ready:
            super().start(sink, started, ended)
            return

        def fetched(error: CannotStart | None) -> None:
            self._abandon = None
            try:
                if error is not None:
                    raise error
                super(ApptainerProgram, self).start(sink, started, ended)
            except CannotStart as refused:
                ended(Outcome(refused.code, reason=refused.reason, message=str(refused)))

        self._ended = ended
        self._abandon = self._image.fetch(sink, fetched)

    def kill(self, number: int) -> None:
        if self._abandon is None:
            super().kill(number)
            return
        abandon, self._abandon = self._abandon, None
        abandon()
        self._ended(Outcome(128 + number, signal=number))

    def _counts(self, pid: int) -> bool:
        """Not Apptainer's own processes, which take some 50 MB, nor those that mount the image for it."""
        return _is_program(pid)

    def execute(
        self, command: Sequence[str], timeout: float, done: Callable[[str | None], None], heard: bool = False
    ) -> None:
        patience = time.monotonic() + _PATIENCE

        def attempt() -> None:
            if not self._pid:
                done("the container has ended")
                return
            beside = next(
                (pid for pid in processes.descendants(self._pid) if _is_program(pid) and variables_of(pid)), 0
            )
            if beside or time.monotonic() > patience:
                self._run_in(beside, command, timeout, done, heard)
            else:  # Apptainer still makes it
                self._loop.later(_MAKING, attempt)

        attempt()

    def _run_in(
        self, beside: int, command: Sequence[str], timeout: float, done: Callable[[str | None], None], heard: bool
    ) -> None:
        try:
            if not beside:
                raise CannotJoin("it is out of sight")
            self._execute(lambda out: run_beside(beside, command, out, self._umask), timeout, done, heard)
        except CannotJoin:
            super().execute(command, timeout, done, heard)
        except CannotStart as error:
            done(str(error))


def _is_program(pid: int) -> bool:
    return is_inside(pid) is True and not _is_starter(pid)


def _is_starter(pid: int) -> bool:
    try:
        return _STARTER.search(os.readlink("/proc/%d/exe" % pid)) is not None
    except OSError:  # it ends, or may not be looked at
        return False


def _explain(outcome: Outcome, words: bytes) -> None:
    """Tell a runtime that failed from a program that did: Apptainer ends with 255 and says ``FATAL``."""
    if outcome.code == _FATAL and b"FATAL:" in words:
        outcome.message = last_line(words)
        outcome.reason = IMAGE if "image" in outcome.message.lower() else START_ERROR


def _goes_bare(name: str, value: str) -> bool:
    """Whether a variable reaches the container whole only without the prefix.

    Apptainer reads prefixed ones as shell text of its own, which loses carriage returns before line feeds. Variables
    that steer Apptainer, or the loader that starts it, are never among its own.
    """
    if not _PLAIN.fullmatch(name):
        return True
    return (
        "\r\n" in value and name not in ("PATH", "HOME") and not name.startswith((*_SETTINGS, *_PREFIXES, "LD_", "GO"))
    )


def may_mount_proc(table: str = "/proc/self/mountinfo") -> bool:
    """Whether a user may mount a ``/proc`` of his own, which process numbers of one's own need.

    The kernel refuses it where parts of the node's are covered, as they are if the node is a container itself. Then
    containers see all processes of the node, and into none of them, since they are in a user namespace.
    """
    with open(table, encoding="utf-8", errors="surrogateescape") as file:
        points = [line.split(" ", 5)[4] for line in file if line.count(" ") > 5]
    return not any(point.startswith("/proc/") and point not in _EMPTY for point in points)


def _bind(source: str, target: str, read_only: bool) -> str:
    for path in (source, target):
        if any(sign in path for sign in ":,\\"):
            raise CannotStart("mounts: Apptainer cannot mount %r: it has ':', ',' or a backslash in it" % path)
    return "%s:%s:%s" % (source, target, "ro" if read_only else "rw")
