"""Runs a script on a machine as root, in one SSH exec, and brings back its lines, exit code and outputs.

The remote command is constant. The program that surrounds the script (``remote.sh``), its inputs and
its files come over stdin, which then stays open: when it ends, because the run is cancelled or the server is
gone, the machine kills the script's process group. ``/run/isthmus.lock`` lets one errand at a time run.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import posixpath
import re
import secrets
import shlex
import tarfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import asyncssh

from isthmus.configure.connections import Connections
from isthmus.configure.output import OUTPUTS_LIMIT, Lines, clean_line, parse_outputs
from isthmus.configure.target import Target
from isthmus.sites.contract import Errand, Result
from isthmus.sites.errors import Permanent, Unreachable

LOCK_PATIENCE = 3600.0
"""Seconds that an errand waits for another one on the same machine to end."""
KILL_PATIENCE = 3.0
"""Seconds that a cancelled run waits for the machine to say that the errand is dead."""
TIMED_OUT = 124
_BOOTSTRAP = 'sh -c \'IFS= read -r n && p=$(head -c "$n") && eval "$p"\''
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_READONLY = frozenset({"UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"})


def as_root(target: Target, command: str) -> str:
    """``command``, a constant of ours, so that root runs it."""
    return command if target.user == "root" else f"sudo -n {command}"


async def run_script(connections: Connections, target: Target, errand: Errand, line: Callable[[str], None]) -> Result:
    """Run ``errand.entry`` on ``target``; see :meth:`isthmus.configure.Configurator.run_script`."""
    nonce = secrets.token_hex(16)
    payload = _payload(errand, nonce)
    async with connections.use(target) as connection:
        process = await connection.create_process(as_root(target, _BOOTSTRAP), encoding=None)
        run = _Run(target, errand, process, nonce, line)
        try:
            return await run.follow(payload)
        except BaseException:
            await run.kill()
            raise
        finally:
            process.close()


class _Run:
    """One errand while it runs."""

    def __init__(
        self, target: Target, errand: Errand, process: asyncssh.SSHClientProcess[bytes], nonce: str,
        line: Callable[[str], None],
    ):  # fmt: skip
        self._target = target
        self._errand = errand
        self._process = process
        self._lines = Lines(line)
        self._mark = b"\0" + nonce.encode() + b" "
        self._errors = b""

    async def follow(self, payload: bytes) -> Result:
        try:
            async with asyncio.timeout(LOCK_PATIENCE) as clock, asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(payload))
                watching = tasks.create_task(self._watch(clock))
                result = await self._read()
                sending.cancel()
                watching.cancel()
        except TimeoutError:
            await self.kill()
            self._lines.end()
            return Result(TIMED_OUT, message=f"it was stopped after {self._errand.timeout:g} s")
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return result

    async def kill(self) -> None:
        """End stdin, at which the machine kills the errand, and wait a little for it to say so."""
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            self._process.stdin.write_eof()
            async with asyncio.timeout(KILL_PATIENCE):
                await self._process.wait_closed()

    async def _send(self, payload: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for at in range(0, len(payload), 1 << 18):
                self._process.stdin.write(payload[at : at + (1 << 18)])
                await self._process.stdin.drain()

    async def _watch(self, clock: asyncio.Timeout) -> None:
        """Start the errand's own clock when it has the machine for itself; keep what goes wrong before."""
        while data := await self._process.stderr.read(4096):
            self._errors = (self._errors + data)[-4096:]
            if self._errors.startswith(b"begin\n"):
                self._errors = self._errors[6:]
                clock.reschedule(asyncio.get_running_loop().time() + self._errand.timeout)

    async def _read(self) -> Result:
        held = b""
        while data := await self._process.stdout.read(1 << 16):
            held += data
            at = held.find(self._mark)
            if at >= 0:
                self._lines.feed(held[:at])
                self._lines.end()
                return await self._finish(held[at + len(self._mark) :])
            keep = _overlap(held, self._mark)
            self._lines.feed(held[: len(held) - keep])
            held = held[len(held) - keep :]
        self._lines.feed(held)
        self._lines.end()
        return await self._explain()

    async def _finish(self, rest: bytes) -> Result:
        while b"\n" not in rest:
            rest += await self._more()
        head, _, outputs = rest.partition(b"\n")
        code, size = map(int, head.split())
        while len(outputs) < size:
            outputs += await self._more()
        if size > OUTPUTS_LIMIT:
            return Result(code or 1, message=f"the outputs are larger than {OUTPUTS_LIMIT // 1024} KiB")
        try:
            values = parse_outputs(outputs[:size].decode(errors="replace"))
        except ValueError as error:
            return Result(code or 1, message=f"the outputs cannot be read: {error}")
        return Result(code, values, "" if code == 0 else self._message(code))

    async def _more(self) -> bytes:
        data = await self._process.stdout.read(1 << 16)
        if not data:
            raise Unreachable(f"{self._target}: the connection was lost at the end of {self._errand.label}")
        return data

    async def _explain(self) -> Result:
        """The result of a run that ended without its mark."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_PATIENCE):
                await self._process.wait_closed()
        status = self._process.exit_status
        if status is None:
            raise Unreachable(f"{self._target}: the machine went away during {self._errand.label}")
        said = " / ".join(filter(None, map(clean_line, self._errors.decode(errors="replace").splitlines())))
        return Result(abs(status) or 1, message=said[:1000] or "the run was killed on the machine")

    def _message(self, code: int) -> str:
        said = " / ".join(list(self._lines.tail)[-3:])[-1000:]
        return f"exit code {code}: {said}" if said else f"exit code {code}"


def _overlap(held: bytes, mark: bytes) -> int:
    """How many bytes at the end of ``held`` may be the beginning of ``mark``."""
    at = held.rfind(b"\0", max(0, len(held) - len(mark)))
    return len(held) - at if at >= 0 and mark.startswith(held[at:]) else 0


def _payload(errand: Errand, nonce: str) -> bytes:
    """What goes over stdin; the order is that of ``remote.sh``."""
    archive = pack(check_files(errand))
    program, setup = _program(), _setup(errand).encode()
    limit = int(errand.timeout + LOCK_PATIENCE) + 10
    return b"".join([
        b"%d\n%s" % (len(program), program), b"%s\n%d\n" % (nonce.encode(), limit),
        b"%d\n%s" % (len(setup), setup), b"%d\n%s" % (len(archive), archive),
    ])  # fmt: skip


@cache
def _program() -> bytes:
    return resources.files(__package__).joinpath("remote.sh").read_bytes()


def _setup(errand: Errand) -> str:
    """Shell text that exports the inputs and sets the command, all of it quoted."""
    lines = []
    for name, value in errand.env.items():
        if not _VARIABLE.fullmatch(name) or name in _READONLY:
            raise Permanent(f"{errand.label}: an input cannot be called {name!r} for a script")
        if "\0" in value:
            raise Permanent(f"{errand.label}: the input {name} holds a NUL character")
        lines.append(f"export {name}={shlex.quote(value)}\n")
    command = [*_interpreter(errand), "./" + errand.entry]
    return "".join(lines) + f"set -- {shlex.join(command)}\n"


def _interpreter(errand: Errand) -> list[str]:
    """The words of the entry's shebang (execve(2)); ``/bin/sh`` when it has none."""
    first = errand.files[errand.entry].partition(b"\n")[0]
    if not first.startswith(b"#!"):
        return ["/bin/sh"]
    words = first[2:].decode(errors="replace").strip().split(None, 1)
    if not words or not words[0].startswith("/") or "\0" in words[0]:
        raise Permanent(f"{errand.label}: the first line of {errand.entry} names no interpreter")
    return words


def check_files(errand: Errand) -> Mapping[str, bytes]:
    """The errand's files, once their paths are known to stay in the run's folder; else :class:`Permanent`."""
    for path in errand.files:
        odd = path.startswith(("/", "..")) or path in (".", "") or "\0" in path
        if odd or path != posixpath.normpath(path):
            raise Permanent(f"{errand.label}: {path!r} is not a path inside the run's folder")
    if errand.entry not in errand.files:
        raise Permanent(f"{errand.label}: {errand.entry} is not among the files of the run")
    return errand.files


def pack(files: Mapping[str, bytes]) -> bytes:
    """The files as a tar archive; those with a shebang can be executed."""
    out = io.BytesIO()
    now = int(time.time())
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, content in files.items():
            info: Any = tarfile.TarInfo(path)
            info.size, info.mtime = len(content), now
            info.mode = 0o755 if content.startswith(b"#!") else 0o644
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()
