"""A PostgreSQL server for tests: one process of its own in a folder of its own, reached by a socket there.

Programs come from Debian's packages or else from the `pgserver` wheel. PostgreSQL refuses to run as root,
so that root lends it to nobody.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB", "listen_addresses=")
"""What is lost when the machine loses power is of no use to a test."""


class Unavailable(Exception):
    """There is no PostgreSQL on this machine; the message says why."""


def find_programs() -> Path:
    """The folder of `initdb`, `pg_ctl` and `postgres`; raises :class:`Unavailable`."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    wheel = importlib.util.find_spec("pgserver")
    within = [Path(p) / "pginstall" / "bin" for p in wheel.submodule_search_locations or ()] if wheel else []
    for folder in (*debian, *within):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise Unavailable("neither the postgresql package nor the pgserver wheel is installed")


class Postgres:
    """A server that can be stopped and started again; what it keeps is removed by :meth:`close`."""

    def __init__(self) -> None:
        # Below /tmp, since a socket's path must be short and every folder above it open to nobody.
        self.folder = Path(tempfile.mkdtemp(prefix="isthmus-pg-", dir="/tmp"))
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
        try:
            self._programs = self._reachable(find_programs())
            self._run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync")
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _reachable(self, programs: Path) -> Path:
        """The programs where nobody may run them: as they lie, or else as a copy."""
        if self._user and any(not above.stat().st_mode & 0o001 for above in (programs, *programs.parents)):
            shutil.copytree(programs.parent, self.folder / "programs", symlinks=True)
            return self.folder / "programs" / programs.name
        return programs

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = " ".join(f"-c {setting}" for setting in FAST)
        self._run("pg_ctl", "-w", "-s", "-l", str(self.folder / "log"), "-o", f"-k {self.folder} {settings}", "start")

    def stop(self) -> None:
        """End it at once, as a crash would."""
        self._run("pg_ctl", "-m", "immediate", "-s", "-w", "stop")

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t{uuid.uuid4().hex[:12]}"
        admin = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        return self._url(name)

    def close(self) -> None:
        """Stop it and remove everything."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def _run(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *words]
        # Its output goes to a file, since the server that pg_ctl starts inherits it and lives on.
        with (self.folder / "out").open("ab") as out:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                timeout=60,
                check=False,
                **self._user,
            )
        if done.returncode:
            raise Unavailable(f"{program} failed: {(self.folder / 'out').read_text(errors='replace')[-500:]}")
