"""The sandbox holds against Python code that runs in it, as if no guard had been there."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.configure import sandbox

ATTEMPTS: dict[str, str] = {
    "read a file": "open('/etc/passwd').read()",
    "read its own environment": "open('/proc/self/environ').read()",
    "list a folder": "os.listdir('/etc')",
    "write elsewhere": "open('{other}/x', 'w')",
    "make a folder elsewhere": "os.mkdir('{other}/x')",
    "remove a file elsewhere": "os.unlink('{other}/keep')",
    "rename a file away": "os.rename('{own}/keep', '{other}/x')",
    "follow a link": "(os.symlink('/etc/passwd', '{own}/link'), open('{own}/link').read())",
    "link a file in": "os.link('{other}/keep', '{own}/hard')",
    "make a device": "os.mknod('{own}/dev', 0o20600, os.makedev(1, 1))",
    "run a program": "os.execv('/bin/true', ['true'])",
    "open a socket": "socket.socket()",
    "open a Unix socket": "socket.socket(socket.AF_UNIX)",
    "signal its parent": "os.kill(os.getppid(), 0)",
    "become another user": "os.setuid(65534)",
    "give a file away": "os.chown('{own}/keep', 65534, 65534)",
    "leave its root": "os.chroot('{own}')",
    "trace": "check(libc.ptrace(16, os.getppid(), 0, 0))",
    "make a namespace": "check(libc.unshare(0x10000000))",
    "mount": "check(libc.mount(b'none', b'{own}', b'tmpfs', 0, None))",
    "reboot": "check(libc.reboot(0))",
    "use io_uring": "check(libc.syscall(425, 1, None))",
}
GRANTED: dict[str, str] = {
    "read its folder": "open('{own}/keep').read()",
    "write its folder": "open('{own}/new', 'w').write('x')",
    "use /dev/null": "open('/dev/null', 'w').write('x')",
    "use randomness": "os.urandom(4)",
    "load a library": "__import__('wave')",
    "make a pair of sockets": "socket.socketpair()",
    "fork": "os.waitpid(os.fork() or os._exit(0), 0)",
}
PRELUDE = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def check(answer):
    if answer < 0:
        raise OSError(ctypes.get_errno(), "refused")
"""


@pytest.fixture
def attempt(tmp_path: Path) -> Callable[[str], bool]:
    """Tries code in a confined process; whether it could."""
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
        (folder / "keep").write_text("keep")
    readable = [Path(sys.prefix), Path(sys.base_prefix), Path("/usr/lib"), Path("/lib")]

    def run(code: str) -> bool:
        pid = os.fork()
        if pid == 0:
            status = 2
            try:
                scope: dict[str, object] = {}
                exec(PRELUDE, scope)
                sandbox.confine(readable, [own])
                status = 1
                exec(code.format(own=own, other=other), scope)
                status = 0
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status != 2
        return status == 0

    return run


needs_landlock = pytest.mark.skipif(sandbox.measure().landlock < 6, reason="the kernel has no Landlock ABI 6")


@needs_landlock
@pytest.mark.parametrize("what", ATTEMPTS)
def test_a_confined_process_cannot(what: str, attempt: Callable[[str], bool]) -> None:
    assert not attempt(ATTEMPTS[what])


@needs_landlock
@pytest.mark.parametrize("what", GRANTED)
def test_a_confined_process_can(what: str, attempt: Callable[[str], bool]) -> None:
    assert attempt(GRANTED[what])


@needs_landlock
def test_a_confined_process_cannot_leave_its_group(attempt: Callable[[str], bool]) -> None:
    assert attempt("assert os.setsid() is None and os.getpgid(0) != os.getpid()")


def test_the_strength_says_what_is_missing() -> None:
    assert str(sandbox.Strength(0, False)) == "no Landlock, no seccomp"
    assert str(sandbox.Strength(7, True)) == "Landlock ABI 7, seccomp"
