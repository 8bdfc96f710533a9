"""Serves one Ansible run on a machine: runs commands and modules, moves files, over stdin and stdout.

This file is sent to the machine and runs there under its own Python (3.6 or newer), so it imports nothing
of ours. A frame is two lengths (big-endian, four bytes each), a header in JSON and a body. The end of stdin
means that nobody waits any more: then the process group is killed. ``/run/isthmus.lock`` is held meanwhile.

A module that Ansible would pipe into a fresh interpreter runs in a fork of this process instead, which
has the library that all modules share loaded already.
"""

import contextlib
import fcntl
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zipimport

LOCK = "/run/isthmus.lock"
OUTPUT_LIMIT = 32 * 1024 * 1024
LENGTHS = struct.Struct("!II")


def serve(seed):
    """Answer requests until stdin ends; ``seed`` is a zip of the library that modules share."""
    with contextlib.suppress(OSError):
        os.setsid()
    frames, answers = os.dup(0), os.dup(1)
    devnull = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(devnull, fd)
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    folder = load_seed(seed)
    send(answers, {"ready": sys.executable}, b"")
    children = set()
    requests = os.fdopen(frames, "rb")
    while True:
        frame = receive(requests)
        reap(children)
        if frame is None:
            break
        pid = os.fork()
        if pid == 0:
            os.close(lock)
            answer(frame, answers)
        children.add(pid)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
    end_group()


def end_group():
    """Kill what still runs, this process last."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    for _ in range(20):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(0.05)
            continue
        break
    os.killpg(0, signal.SIGKILL)


def reap(children):
    for pid in list(children):
        if os.waitpid(pid, os.WNOHANG)[0]:
            children.discard(pid)


def load_seed(seed):
    """Import what all modules share; what the seed lacks is found in the module's own archive."""
    folder = tempfile.mkdtemp(prefix="isthmus-")
    if seed:
        path = os.path.join(folder, "seed.zip")
        with open(path, "wb") as file:
            file.write(seed)
        sys.path.insert(0, path)
        sys.meta_path.append(PayloadFinder)
        import ansible.module_utils._internal._ansiballz._loader
        import ansible.module_utils.basic  # noqa: F401

        sys.path.remove(path)
    return folder


class PayloadFinder:
    """Finds modules below ``ansible`` in the archive that a module's wrapper put first on the path."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if not name.startswith("ansible.") or not sys.path[0].endswith(".zip"):
            return None
        folder = name.rpartition(".")[0].replace(".", "/")
        try:
            return zipimport.zipimporter(sys.path[0] + "/" + folder).find_spec(name)
        except (zipimport.ZipImportError, AttributeError):
            return None


def answer(frame, answers):
    """Do what one request asks, in a process of its own, and send the answer. Never returns."""
    header, body = frame
    try:
        found, out = OPERATIONS[header["op"]](header, body)
    except Exception as error:  # whatever it is, the other side is told
        found, out = {"error": "%s: %s" % (type(error).__name__, error)}, b""
    found["id"] = header["id"]
    lock = os.open(os.readlink("/proc/self/exe") if False else os.devnull, os.O_RDONLY)
    os.close(lock)
    send(answers, found, out)
    os._exit(0)
