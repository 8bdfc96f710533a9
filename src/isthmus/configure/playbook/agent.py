"""Serves one Ansible run on a machine: runs commands and modules, moves files, over stdin and stdout.

This file is sent to the machine and runs there under its own Python (3.8 or newer), so it imports nothing
of ours. A frame is two lengths (big-endian, four bytes each), a header in JSON and a body. The end of stdin
means that nobody waits any more: then the process group is killed. ``/run/isthmus.lock`` is held meanwhile.

A module that Ansible would pipe into a fresh interpreter runs in a fork of this process instead, which
has the library that all modules share loaded already.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import zipimport
from pathlib import Path
from typing import Any, BinaryIO, Dict, NoReturn, Tuple  # noqa: UP035 (Python 3.8)

LOCK = "/run/isthmus.lock"
SHARED = ("ansible.module_utils.basic", "ansible.module_utils._internal._ansiballz._loader")
OUTPUT_LIMIT = 32 * 1024 * 1024
LENGTHS = struct.Struct("!II")
Frame = Tuple[Dict[str, Any], bytes]  # noqa: UP006 (Python 3.8)


def serve(seed: bytes) -> None:
    """Answer requests until stdin ends; ``seed`` is a zip of the library that modules share."""
    with contextlib.suppress(OSError):
        os.setsid()
    requests, answers = sys.stdin.buffer, os.dup(1)
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 1)
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    folder = tempfile.mkdtemp(prefix="isthmus-")
    children: set[int] = set()
    try:
        load_seed(seed, folder)
        send(answers, {"ready": sys.executable}, b"")
        while True:
            frame = receive(requests)
            if frame is None:
                break
            reap(children)
            pid = os.fork()
            if pid == 0:
                os.close(lock)
                os.dup2(devnull, 0)
                answer(frame, answers, folder)
            children.add(pid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        end_group()


def end_group() -> None:
    """Kill what still runs, this process last."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        time.sleep(0.02)
    os.killpg(0, signal.SIGKILL)


def reap(children: set[int]) -> None:
    for pid in list(children):
        if os.waitpid(pid, os.WNOHANG)[0]:
            children.discard(pid)


def load_seed(seed: bytes, folder: str) -> None:
    """Import what all modules share; what the seed lacks is found in the module's own archive."""
    if not seed:
        return
    path = folder + "/seed.zip"
    Path(path).write_bytes(seed)
    sys.path.insert(0, path)
    try:
        for name in SHARED:
            importlib.import_module(name)
        sys.meta_path.append(PayloadFinder)
    finally:
        sys.path.remove(path)


class PayloadFinder:
    """Finds modules below ``ansible`` in the archive that a module's wrapper put first on the path."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if not name.startswith("ansible.") or not sys.path[0].endswith(".zip"):
            return None
        folder = name.rpartition(".")[0].replace(".", "/")
        try:
            return zipimport.zipimporter(sys.path[0] + "/" + folder).find_spec(name)
        except zipimport.ZipImportError:
            return None


def answer(frame: Frame, answers: int, folder: str) -> NoReturn:
    """Do what one request asks, in a process of its own, and send the answer. Never returns."""
    header, body = frame
    try:
        found, out = OPERATIONS[header["op"]](header, body, folder)
    except Exception as error:  # whatever it is, the other side is told
        found, out = {"error": f"{type(error).__name__}: {error}"}, b""
    found["id"] = header["id"]
    with Path(folder, "answers").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        send(answers, found, out)
    os._exit(0)


def run_command(header: dict[str, Any], body: bytes, folder: str) -> Frame:
    """Run a command line with ``body`` as its stdin."""
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err:
        done = subprocess.run(["/bin/sh", "-c", header["command"]], input=body, stdout=out, stderr=err)
        return collect(done.returncode, out, err)


def run_module(header: dict[str, Any], body: bytes, folder: str) -> Frame:
    """Run ``body`` as Python's main program in a fork of this process."""
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err:
        pid = os.fork()
        if pid == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            become_main(body)
        status = os.waitpid(pid, 0)[1]
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        return collect(code, out, err)


def become_main(source: bytes) -> NoReturn:
    """Run a program as a fresh interpreter would, up to its end. Never returns."""
    code = 0
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv = [""]
    try:
        exec(compile(source, "<stdin>", "exec"), main.__dict__)  # noqa: S102 (this is what it is for)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if code == 1 and not isinstance(end.code, int):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code & 255)


def collect(code: int, out: BinaryIO, err: BinaryIO) -> Frame:
    texts = []
    for file in (out, err):
        file.seek(0)
        texts.append(file.read(OUTPUT_LIMIT))
    return {"code": code, "out": len(texts[0])}, texts[0] + texts[1]


def put(header: dict[str, Any], body: bytes, folder: str) -> Frame:
    """Write ``body`` to a file, or append it."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if header["append"] else os.O_TRUNC)
    with os.fdopen(os.open(header["path"], flags, 0o600), "wb") as file:
        file.write(body)
    return {}, b""


def get(header: dict[str, Any], body: bytes, folder: str) -> Frame:
    """Read a part of a file."""
    with Path(header["path"]).open("rb") as file:
        file.seek(header["offset"])
        return {}, file.read(header["size"])


OPERATIONS = {"command": run_command, "module": run_module, "put": put, "get": get}


def send(fd: int, header: dict[str, Any], body: bytes) -> None:
    """Write one frame."""
    text = json.dumps(header).encode()
    rest = memoryview(LENGTHS.pack(len(text), len(body)) + text + body)
    while rest:
        rest = rest[os.write(fd, rest) :]


def receive(file: BinaryIO) -> Frame | None:
    """Read one frame, None at the end."""
    lengths = file.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head, body = LENGTHS.unpack(lengths)
    frame = file.read(head), file.read(body)
    if len(frame[0]) < head or len(frame[1]) < body:
        return None
    return json.loads(frame[0].decode()), frame[1]
