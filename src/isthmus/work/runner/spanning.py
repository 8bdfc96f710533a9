"""``span`` and ``reach``: a program on one node that starts others on more, where none may log in to another.

The scheduler gives a job several nodes and starts the same on each. On the first, ``span`` becomes the job's program,
in whose environment it says how the others are reached, in the words of the MPI launchers in use: a file of hosts,
and in the place of ssh a script that calls ``reach``. On the others it listens, and runs what ``reach`` asks for, until
a connection is closed that the first has open for as long as its program runs. Both sides prove to each other that they
have the key which travelled with the order; what they say then is not encrypted, as what MPI says is not.

How the nodes hear of each other is known to the batch system: ``Meeting`` of its module, see :mod:`.scheduler`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Dict, List, NoReturn, Tuple

from .failures import Failure
from .order import Order
from .scheduler import meet

PATIENCE = 300.0
"""Seconds for which the nodes of a job wait for each other."""
FAREWELL = 5.0
"""Seconds that commands have to end on other nodes when the program on the first has ended."""
_PIECE = 64 * 1024
Place = Tuple[str, int]


def span(folder: str, command: List[str]) -> int:
    """Become ``command`` on the first node; on others do what that one asks for until it ends, and never return."""
    order, meeting = Order(folder, 0), meet()
    key = bytes.fromhex(order.runtime["span"])
    link = _common_folder(order)
    with contextlib.suppress(FileExistsError):
        os.symlink(order.work, link)
    # Open MPI goes home on nodes that have not the very folder in which it was started.
    os.environ.update(HOME=link, PWD=link)
    os.chdir(link)
    if meeting.rank:
        with Listener(("", 0), authkey=key) as listener:
            meeting.post(str(meeting.rank), "{} {}".format(_own_address(), listener.address[1]))
            _serve(listener)
    told = [meeting.read(str(rank), PATIENCE).partition(" ") for rank in range(1, meeting.size)]
    places = [(address, int(port)) for address, _, port in told]  # some may be on one machine
    os.environ.update(_environment(order, places, meeting.size))
    watched = [_watch(place, key) for place in places]
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        print("{}: {}".format(command[0], error.strerror), file=sys.stderr)
        for peer in watched:
            peer.close()
        return 126 if isinstance(error, PermissionError) else 127


def reach(folder: str, words: List[str]) -> int:
    """Run a command on another node of the job, as ``ssh [OPTION…] HOST COMMAND…`` would; ends as that does."""
    while words and words[0].startswith("-"):
        words = words[1:]
    if len(words) < 2:
        print("usage: reach HOST COMMAND...", file=sys.stderr)
        return 64
    host, command = words[0], " ".join(words[1:])
    order = Order(folder, 0)
    with open(_file(order, "peers.json"), encoding="utf-8") as file:
        peers: Dict[str, int] = json.load(file)
    if host not in peers:
        print("{}: not a node of this job".format(host), file=sys.stderr)
        return 255
    try:
        with Client((host, peers[host]), authkey=bytes.fromhex(order.runtime["span"])) as peer:
            peer.send_bytes(command.encode(errors="surrogateescape"))
            while True:
                said = peer.recv_bytes()
                if said[:1] == b"x":
                    return int(said[1:])
                _write(1 if said[:1] == b"o" else 2, said[1:])
    except (OSError, EOFError, AuthenticationError) as error:
        print("{}: {}".format(host, str(error) or "it is gone"), file=sys.stderr)
        return 255


def _watch(place: Place, key: bytes) -> Connection:
    """A connection to another node that stays open for as long as this process, whatever program it becomes."""
    peer = Client(place, authkey=key)
    peer.send_bytes(b"")
    os.set_inheritable(peer.fileno(), True)
    return peer


def _serve(listener: Listener) -> NoReturn:
    late = threading.Timer(PATIENCE, _leave, ["the first node of this job has said nothing for %g s" % PATIENCE])
    late.daemon = True
    late.start()
    obeying: List[threading.Thread] = []
    while True:
        try:
            peer = listener.accept()
        except (OSError, EOFError, AuthenticationError):
            continue  # whoever it was has not the key
        obeying[:] = [thread for thread in obeying if thread.is_alive()]
        thread = threading.Thread(target=_obey, args=(peer, late, obeying), daemon=True)
        thread.start()  # before it is among those who are waited for: nobody can wait for one that has not begun
        obeying.append(thread)


def _leave(why: str = "") -> NoReturn:
    if why:
        print(why, file=sys.stderr, flush=True)
    os._exit(255 if why else 0)


def _bid_farewell(others: List[threading.Thread]) -> NoReturn:
    """Let those who asked for something hear how it ended, then leave."""
    until = time.monotonic() + FAREWELL
    for thread in others[:]:
        if thread is not threading.current_thread():
            thread.join(max(0.0, until - time.monotonic()))
    _leave()


def _obey(peer: Connection, late: threading.Timer, others: List[threading.Thread]) -> None:
    with peer, contextlib.suppress(OSError, EOFError):
        command = peer.recv_bytes().decode(errors="surrogateescape")
        if not command:
            late.cancel()
            with contextlib.suppress(OSError, EOFError):
                peer.recv_bytes()
            _bid_farewell(others)
        program = subprocess.Popen(
            ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )  # fmt: skip
        assert program.stdout is not None
        assert program.stderr is not None
        turn = threading.Lock()
        readers = [
            threading.Thread(target=_pass_on, args=(stream.fileno(), mark, peer, turn), daemon=True)
            for stream, mark in ((program.stdout, b"o"), (program.stderr, b"e"))
        ]
        for reader in readers:
            reader.start()
        code = program.wait()
        for reader in readers:
            reader.join(1)  # what it left behind may hold them open
        with turn:
            peer.send_bytes(b"x%d" % (code if code >= 0 else 128 - code))


def _pass_on(stream: int, mark: bytes, peer: Connection, turn: threading.Lock) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = os.read(stream, _PIECE)
            if not data:
                return
            with turn:
                peer.send_bytes(mark + data)


def _environment(order: Order, places: List[Place], size: int) -> Dict[str, str]:
    """What launchers are told: Open MPI before and since version 5, MPICH and what comes of it, Intel's."""
    slots = math.ceil(int(order.resources.get("tasks") or 1) / size)
    hosts = [_own_address(), *(address for address, _ in places)]
    program = shlex.join([sys.executable, "-I", "-S", os.path.abspath(sys.argv[0])])
    script = '#!/bin/sh\nexec {} reach --submission {} -- "$@"\n'.format(program, shlex.quote(order.folder))
    plain = _keep(order, "hosts", "".join("{} slots={}\n".format(host, slots) for host in hosts))
    colons = _keep(order, "hosts.mpich", "".join("{}:{}\n".format(host, slots) for host in hosts))
    agent = _keep(order, "reach", script, 0o700)
    _keep(order, "peers.json", json.dumps(dict(places)))
    return {
        "ISTHMUS_HOSTS": plain, "ISTHMUS_REACH": agent,
        "OMPI_MCA_orte_default_hostfile": plain, "OMPI_MCA_plm_rsh_agent": agent, "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
        "PRTE_MCA_prte_default_hostfile": plain, "PRTE_MCA_plm_ssh_agent": agent,
        "PRTE_MCA_plm_ssh_no_tree_spawn": "1",
        "HYDRA_HOST_FILE": colons, "HYDRA_LAUNCHER": "ssh", "HYDRA_LAUNCHER_EXEC": agent,
        "I_MPI_HYDRA_HOST_FILE": colons, "I_MPI_HYDRA_BOOTSTRAP": "ssh", "I_MPI_HYDRA_BOOTSTRAP_EXEC": agent,
    }  # fmt: skip


def _file(order: Order, name: str) -> str:
    return os.path.join(order.place, "span-" + name)


def _keep(order: Order, name: str, text: str, mode: int = 0o600) -> str:
    path = _file(order, name)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _common_folder(order: Order) -> str:
    """A path that leads to the sandbox on every node, since launchers go where they were started; nobody guesses it."""
    mark = hashlib.sha256(order.runtime["span"].encode()).hexdigest()[:16]
    return "/tmp/isthmus-{}-{}".format(order.id, mark)  # noqa: S108


def forget(order: Order) -> None:
    """Remove what :func:`span` left outside of the submission's folder."""
    with contextlib.suppress(OSError):
        os.unlink(_common_folder(order))


def _own_address() -> str:
    """The address of this node that others use: that from which it would speak to them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # nothing is sent
            return str(asking.getsockname()[0])
        except OSError:
            return socket.gethostbyname(socket.gethostname())


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def main(argv: List[str]) -> int:
    """``span`` or ``reach``, then ``--submission FOLDER -- WORD…``."""
    if len(argv) < 5 or argv[1] != "--submission" or argv[3] != "--":
        print("usage: span|reach --submission FOLDER -- WORD...", file=sys.stderr)
        return 64
    try:
        return (span if argv[0] == "span" else reach)(argv[2], argv[4:])
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 255
