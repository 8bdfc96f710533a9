"""The same work done by hand: machines by ``docker run``, everything on them by ``docker exec``.

What a person's own script would do for one cluster on one machine, with nothing that Isthmus adds
(no plan, no store, no repair) and every wait as short as it can be.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common import at_once, run

from isthmus.sites.local import recipe
from isthmus.sites.local.options import LocalOptions

LABEL = "isthmus-benchmark"
PATIENCE = 120.0


def base_image() -> str:
    """The machine image that Isthmus starts from, and so does the work by hand."""
    options = LocalOptions()
    image = f"{options.prefix}/machine:{recipe.tag(options.suite)}"
    run("docker", "image", "inspect", image)
    return image


@dataclass(frozen=True, slots=True)
class Bench:
    """A network, a login key and a host key for machines made by hand; ``tag`` names all of it."""

    tag: str
    keys: Path

    def machine(self, name: str, image: str) -> str:
        """Start a machine; answers its address."""
        full = f"{self.tag}-{name}"
        run("docker", "run", "--detach", "--pull", "never", "--label", LABEL, "--name", full, "--hostname", name,
            "--network", self.tag, "--network-alias", name, "--cpus", "1", "--memory", "1g", "--memory-swap", "1g",
            "--tmpfs", "/run", "--tmpfs", "/run/lock", *_control_groups(),
            "--volume", f"{self.keys}/host:/etc/ssh/ssh_host_ed25519_key:ro",
            "--volume", f"{self.keys}/login.pub:/root/.ssh/authorized_keys:ro", image, "/sbin/init")  # fmt: skip
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return run("docker", "inspect", "--format", form, full).strip()

    def until_ssh(self, address: str) -> None:
        """Wait until a machine lets us in and runs a command."""
        end = time.monotonic() + PATIENCE
        command = ["ssh", "-i", f"{self.keys}/login", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                   "-o", f"UserKnownHostsFile={self.keys}/known", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=2",
                   f"root@{address}", "true"]  # fmt: skip
        while time.monotonic() < end:
            if _listens(address) and subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.02)
        raise SystemExit(f"{address} never answered")

    def do(self, name: str, script: str) -> str:
        """Run a bash script as root on a machine."""
        script = f"set -euo pipefail\n{script}"
        return run("docker", "exec", "--interactive", f"{self.tag}-{name}", "bash", "-s", stdin=script)

    def keep(self, name: str, image: str) -> None:
        """Keep a machine's disk as an image."""
        run("docker", "commit", "--pause=false", f"{self.tag}-{name}", image)

    def remove(self, names: Sequence[str]) -> None:
        """Remove machines at once."""
        run("docker", "rm", "--force", "--volumes", *(f"{self.tag}-{name}" for name in names))


@contextmanager
def bench() -> Iterator[Bench]:
    """A place for machines by hand; whatever is left in it goes away at the end, images too."""
    made = Bench(f"bench-{secrets.token_hex(3)}", Path(tempfile.mkdtemp(prefix="isthmus-bench-keys-")))
    try:
        for key in ("host", "login"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", made.keys / key)
        subnet = f"10.219.{secrets.randbelow(250)}.0/24"  # Docker's own pools run out on a busy machine
        run("docker", "network", "create", "--label", LABEL, "--subnet", subnet, made.tag)
        yield made
    finally:
        _sweep(made.tag)
        shutil.rmtree(made.keys, ignore_errors=True)


def _sweep(tag: str) -> None:
    containers = run("docker", "ps", "--all", "--quiet", "--filter", f"name=^{tag}-").split()
    if containers:
        run("docker", "rm", "--force", "--volumes", *containers)
    subprocess.run(["docker", "network", "rm", tag], capture_output=True, check=False)
    images = run("docker", "images", "--quiet", "--filter", f"reference=localhost/{tag}*").split()
    if images:
        run("docker", "rmi", "--force", *set(images))


def _listens(address: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((address, 22)) == 0


def _control_groups() -> tuple[str, ...]:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return ("--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw")
    return ("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:ro")


# ---------------------------------------------------------------------------------------------
# Slurm

PACKAGES = {
    "controller": "slurmctld slurm-client munge python3-minimal",
    "worker": "slurmd slurm-client munge python3-minimal",
}
"""What the catalogue's slurm-cluster installs."""

_INSTALL = """
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
apt-get -qq update >/dev/null
apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends install {packages} >/dev/null
rm /usr/sbin/policy-rc.d /etc/munge/munge.key
"""

_CONF = """
ClusterName=byhand
SlurmctldHost=controller({controller})
SlurmUser=slurm
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
MpiDefault=none
ReturnToService=2
PropagateResourceLimits=NONE
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
{nodes}
PartitionName=main Nodes=ALL Default=YES State=UP
"""

_CONFIGURE = """
echo '{munge}' | base64 --decode >/etc/munge/munge.key
chown munge: /etc/munge/munge.key; chmod 400 /etc/munge/munge.key
cat >/etc/slurm/slurm.conf <<'CONF'
{conf}
CONF
echo CgroupPlugin=disabled >/etc/slurm/cgroup.conf
until systemctl is-active --quiet sysinit.target; do sleep 0.02; done
{begin}
"""

_FIRST_JOB = """
until [ "$(sinfo --noheader --states=idle --format=%D)" = {count} ]; do sleep 0.02; done
srun --nodes={count} hostname
"""


class Slurm:
    """A Slurm cluster by hand: a controller and workers, from images in which Slurm may be installed already."""

    def __init__(self, place: Bench, workers: int):
        self.place = place
        self.names = ["controller", *(f"worker-{n}" for n in range(workers))]
        self.addresses: dict[str, str] = {}
        self.munge = run("openssl", "rand", "-base64", "96").replace("\n", "")

    def start(self, images: dict[str, str]) -> None:
        """Start every machine at once."""
        started = at_once(lambda name: self.place.machine(name, images[_role(name)]), self.names)
        self.addresses = dict(zip(self.names, started, strict=True))
        at_once(self.place.until_ssh, started)

    def install(self) -> None:
        """Install Slurm on every machine at once."""
        at_once(lambda name: self.place.do(name, _INSTALL.format(packages=PACKAGES[_role(name)])), self.names)

    def keep_images(self) -> dict[str, str]:
        """Keep what was installed, before anything is configured or has run, as images to start from."""
        kept = {role: f"localhost/{self.place.tag}-{role}" for role in PACKAGES}
        self.place.keep("controller", kept["controller"])
        self.place.keep("worker-0", kept["worker"])
        return kept

    def configure(self) -> None:
        """Write every configuration and start the daemons, on all machines at once."""
        at_once(self._configure, self.names)

    def add_worker(self, image: str) -> str:
        """One more worker, to its first job; answers its name."""
        name = f"worker-{len(self.names) - 1}"
        self.addresses[name] = self.place.machine(name, image)
        self.names.append(name)
        self.place.until_ssh(self.addresses[name])
        self.configure_one_more(name)
        return name

    def configure_one_more(self, name: str) -> None:
        """Tell the controller of the new worker, which goes on running jobs, and then start the worker."""
        self._configure("controller", "scontrol reconfigure")
        self._configure(name)

    def run_job(self) -> str:
        """Run a job over all workers, as soon as they are there."""
        return self.place.do("controller", _FIRST_JOB.format(count=len(self.names) - 1))

    def run_on(self, name: str) -> str:
        """Run a job on one worker, as soon as it is there."""
        there = f'until [ "$(sinfo --noheader --nodes={name} --format=%T)" = idle ]; do sleep 0.02; done\n'
        return self.place.do("controller", f"{there}srun --nodelist={name} hostname")

    def remove(self) -> None:
        self.place.remove(self.names)

    def _configure(self, name: str, begin: str = "") -> None:
        """Write a machine's configuration, then ``begin``; without it, start its daemons."""
        daemon = "slurmctld" if name == "controller" else "slurmd"
        begin = begin or f"systemctl restart munge\nsystemctl restart {daemon}"
        nodes = "\n".join(
            f"NodeName={n} NodeAddr={self.addresses[n]} CPUs=1 RealMemory=800 State=UNKNOWN" for n in self.names[1:]
        )
        conf = _CONF.format(controller=self.addresses["controller"], nodes=nodes)
        self.place.do(name, _CONFIGURE.format(munge=self.munge, conf=conf, begin=begin))


def _role(name: str) -> str:
    return "controller" if name == "controller" else "worker"
