"""Confines the calling process and all that it starts, for good, by Linux's own means.

* **Landlock** (kernel 5.13 and newer): reads below the given folders, writes below others, nothing else; no TCP
  (ABI 4); no signal to a process outside (ABI 6).
* **seccomp**: no program is executed, no socket opened or connected, no other process traced or read, no
  namespace, mount, key ring or kernel module touched; ``setsid`` and ``setpgid`` do nothing, so that all
  stay in one process group, which the server can kill.
* **capabilities**: none left, and none to be gained.
* **limits**: memory and file size of each process, no core dumps.

Landlock does not hide names and metadata (``stat``), and leaves sockets in the file system to seccomp.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MEMORY_LIMIT = 1024**3
FILE_LIMIT = 2 * 1024**3
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TRUNCATE = 1 << 14
_IOCTL = 1 << 15
_WRITES = (1 << 16) - 1 & ~(1 << 0) & ~_IOCTL
"""All rights but EXECUTE and device IOCTL; not making device nodes is seen to below."""
_MAKE_NODES = (1 << 6) | (1 << 11)
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 1, 38, 24
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_DUMPABLE = 22, 2, 4
_ERRNO, _ALLOW = 0x00050000, 0x7FFF0000
_EPERM = 1
_FORBIDDEN = {
    "x86_64": (
        41, 42, 43, 49, 50, 59, 101, 155, 161, 165, 166, 167, 169, 175, 176, 246, 248, 249, 250, 272, 288, 298,
        303, 304, 308, 310, 311, 313, 321, 322, 323, 424, 425, 426, 427, 428, 429, 430, 432, 434, 438, 440, 442,
    ),
    "aarch64": (
        198, 200, 201, 202, 203, 242, 221, 281, 117, 41, 51, 40, 39, 224, 142, 105, 106, 104, 217, 218, 219, 97,
        241, 264, 265, 268, 270, 271, 273, 280, 282, 424, 425, 426, 427, 428, 429, 430, 432, 434, 438, 440, 442,
    ),
}  # fmt: skip
"""socket connect accept accept4 bind listen execve execveat ptrace, mounts, chroot, swap, reboot, modules,
kexec, keys, unshare setns, perf, file handles, process_vm_*, bpf, userfaultfd, io_uring and pidfd_*."""
_PRETENDED = {"x86_64": (109, 112), "aarch64": (154, 157)}
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


@dataclass(frozen=True, slots=True)
class Strength:
    """What this machine's kernel can confine with; ``landlock`` is its ABI, 0 where there is none."""

    landlock: int
    seccomp: bool

    def __str__(self) -> str:
        parts = [f"Landlock ABI {self.landlock}" if self.landlock else "no Landlock"]
        parts.append("seccomp" if self.seccomp else "no seccomp")
        return ", ".join(parts)


def measure() -> Strength:
    """What :func:`confine` can use here."""
    abi = _libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return Strength(max(abi, 0), platform.machine() in _ARCHITECTURES)


def confine(readable: Sequence[Path], writable: Sequence[Path]) -> Strength:
    """Confine this process: it may read ``readable``, read and write ``writable``, and run nothing.

    ``/dev/null``, ``/dev/zero`` and the random devices stay open to it. Raises :class:`OSError` when the kernel has a
    means but refuses to use it.
    """
    strength = measure()
    _limit()
    _check(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _check(_libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")
    if strength.landlock:
        _lock_land(strength.landlock, readable, writable)
    _drop_capabilities()
    if strength.seccomp:
        _filter_calls()
    return strength


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends."""
    _libc().prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(answer: int, what: str) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return answer


def _limit() -> None:
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_LIMIT),
        (resource.RLIMIT_FSIZE, FILE_LIMIT),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 4096),
    ):
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (limit, limit))


def _lock_land(abi: int, readable: Sequence[Path], writable: Sequence[Path]) -> None:
    rights = (1 << _RIGHTS_BY_ABI.get(abi, 16)) - 1
    attributes = struct.pack("QQQ", rights, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _check(_libc().syscall(_CREATE, attributes, ctypes.c_size_t(size), 0), "Landlock")
    try:
        for path in readable:
            _allow(ruleset, path, rights & (_READ_FILE | _READ_DIR))
        for path in writable:
            _allow(ruleset, path, rights & _WRITES & ~_MAKE_NODES)
        for name in ("null", "zero", "random", "urandom"):
            _allow(ruleset, Path("/dev") / name, rights & (_READ_FILE | 1 << 1 | _TRUNCATE))
        _check(_libc().syscall(_RESTRICT, ruleset, 0), "Landlock")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not path.is_dir():
            rights &= _READ_FILE | 1 << 1 | _TRUNCATE
        rule = struct.pack("=Qi", rights, fd)
        _check(_libc().syscall(_ADD, ruleset, 1, rule, 0), f"Landlock, {path}")
    finally:
        os.close(fd)


def _drop_capabilities() -> None:
    if os.geteuid() == 0:
        for capability in range(64):
            if _libc().prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
                break
    header, none = struct.pack("Ii", 0x20080522, 0), bytes(24)
    _check(_libc().capset(header, none), "capabilities")


def _filter_calls() -> None:
    machine = platform.machine()
    load, jump_equal, jump_above, answer = 0x20, 0x15, 0x35, 0x06
    denied, pretended = _FORBIDDEN[machine], _PRETENDED[machine]
    steps = [(load, 0, 0, 4), (jump_equal, 1, 0, _ARCHITECTURES[machine]), (answer, 0, 0, _ERRNO | _EPERM)]
    steps += [(load, 0, 0, 0), (jump_above, 0, 1, 0x40000000), (answer, 0, 0, _ERRNO | _EPERM)]
    for number in denied:
        steps += [(jump_equal, 0, 1, number), (answer, 0, 0, _ERRNO | _EPERM)]
    for number in pretended:
        steps += [(jump_equal, 0, 1, number), (answer, 0, 0, _ERRNO)]
    steps.append((answer, 0, 0, _ALLOW))
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of steps, padding to a pointer, and the pointer (seccomp(2))
    fprog = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(buffer))
    _check(_libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, fprog, 0, 0), "seccomp")
