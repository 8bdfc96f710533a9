"""A Slurm cluster of the catalogue for benchmarks of jobs: deployed, looked into past Isthmus, and removed."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from common import ISTHMUS, Isthmus, isthmus, run

NAME = "bench"
USER = "slurmuser"
IMAGE = f"/home/{USER}/image"
WORKERS = 3
CONFIG = """
sites:
  - name: local
    kind: local
    options: { nested_containers: full }
"""
_INPUTS = (f"workers={WORKERS}", "worker_cpus=2", "containers=true", "controller_memory=1.5 GiB", f"user={USER}")
_PROGRAMS = ("sh", "true", "sleep", "date", "echo", "seq")
_FOLDERS = ("bin", "tmp", "etc", "work", "proc", "sys", "dev", "var", "home", "root")
_LINE = re.compile(r"\[([0-9T:.-]+)\] (.*)")
_TAKEN = re.compile(r"_slurm_rpc_submit_batch_job: JobId=([0-9]+)")
_DONE = re.compile(r"_job_complete: JobId=([0-9]+)(?:_[0-9]+\([0-9]+\))? done")
_RPC = re.compile(r"\s+([A-Z_]+)\s+\(\s*[0-9]+\) count:([0-9]+)")
QUERIES = ("REQUEST_JOB_INFO", "REQUEST_JOB_INFO_SINGLE", "REQUEST_JOB_USER_INFO", "REQUEST_JOB_STATE")
"""What slurmctld is asked by ``squeue`` and ``scontrol show job``."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A deployed cluster of the catalogue; times are those of slurmctld's log, seconds since the epoch."""

    server: Isthmus
    name: str = NAME

    def root(self, script: str, machine: str = "controller") -> str:
        """What a script prints that root runs on a machine."""
        command = ("exec", self.name, machine, "--", "bash", "-s")
        return run(ISTHMUS, *command, stdin=f"set -e\n{script}\n", ISTHMUS_HOME=str(self.server.home))

    def user(self, script: str) -> str:
        """What a script prints that the login user runs on the controller."""
        told = base64.b64encode(f"set -e\ncd\n{script}\n".encode()).decode()
        return self.root(f"base64 --decode <<<{told} | runuser --user {USER} -- env HOME=/home/{USER} bash -s")

    def taken(self) -> dict[int, float]:
        """When slurmctld took each job."""
        return self._moments(_TAKEN)

    def done(self) -> dict[int, float]:
        """When slurmctld knew of each job's end."""
        return self._moments(_DONE)

    def _moments(self, sign: re.Pattern[str]) -> dict[int, float]:
        found: dict[int, float] = {}
        for line in self.root("cat /var/log/slurm/slurmctld.log").splitlines():
            if (parts := _LINE.match(line)) and (event := sign.search(parts[2])):
                found[int(event[1])] = datetime.fromisoformat(parts[1]).replace(tzinfo=UTC).timestamp()
        return found

    def rpcs(self) -> Counter[str]:
        """How often slurmctld was asked each thing since it started, as ``sdiag`` counts."""
        kinds = self.root("sdiag").partition("Remote Procedure Call statistics by message type")[2]
        kinds = kinds.partition("Remote Procedure Call statistics by user")[0]
        return Counter({name: int(count) for name, count in _RPC.findall(kinds)})

    def slurm_ids(self) -> dict[str, int]:
        """Slurm's id of each submission, from what lies on the site."""
        said = self.user("cd .isthmus/submissions 2>/dev/null && grep --with-filename '' */site-id || true")
        lines = (line.partition(":") for line in said.splitlines())
        return {path.partition("/")[0]: int(job.partition("_")[0]) for path, _, job in lines}

    @contextmanager
    def closed(self) -> Iterator[None]:
        """The partition takes jobs but starts none: what is handed over is counted, not what runs."""
        self.root("scontrol update partitionname=main state=down")
        try:
            yield
        finally:
            self.user(f"scancel --user={USER}")
            self.root("scontrol update partitionname=main state=up")

    def login(self, key: Path) -> tuple[str, ...]:
        """The command that logs root in to the controller; puts the deployment's key into ``key``."""
        access = self.server.get(f"/deployments/{self.name}/access?instance=controller")
        key.touch(0o600)
        key.write_text(access["private_key"])
        known = key.with_name("known_hosts")
        known.write_text(f"{access['host']} {access['host_key']}\n")
        return ("ssh", "-F", "none", "-i", str(key), "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes",
                "-p", str(access["port"]), f"{access['user']}@{access['host']}")  # fmt: skip

    def put_image(self) -> None:
        """A folder with a static busybox where all machines see it: an image that needs no unpacking."""
        with tempfile.TemporaryDirectory() as scratch:
            program, file = busybox(Path(scratch)), BytesIO()
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                for path in _FOLDERS:
                    entry = tarfile.TarInfo(path)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(entry)
                archive.add(program, "bin/busybox")
                for name in _PROGRAMS:
                    entry = tarfile.TarInfo(f"bin/{name}")
                    entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                    archive.addfile(entry)
        data = base64.encodebytes(file.getvalue()).decode()
        self.user(f"mkdir -p {IMAGE}; base64 --decode <<'IMAGE' | tar -xz -C {IMAGE}\n{data}IMAGE")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster on a server of its own; both go away at the end.

    ``ISTHMUS_BENCH_CLUSTER`` names a home whose deployment is taken, and left there.
    """
    if kept := os.environ.get("ISTHMUS_BENCH_CLUSTER"):
        yield Cluster(Isthmus(Path(kept)))
        return
    with isthmus(CONFIG) as server:
        inputs = [word for value in _INPUTS for word in ("--set", value)]
        server("deploy", "slurm-cluster", "--name", NAME, "--yes", *inputs)
        made = Cluster(server)
        made.put_image()
        yield made


def busybox(scratch: Path) -> Path:
    """A static busybox: this machine's, else Debian's package."""
    if found := shutil.which("busybox"):
        return Path(found)
    subprocess.run(["apt-get", "download", "-q", "busybox-static"], cwd=scratch, check=True, capture_output=True)
    (package,) = scratch.glob("busybox-static*.deb")
    run("dpkg-deb", "-x", package, scratch / "package")
    return next(scratch.glob("package/**/bin/busybox"))
