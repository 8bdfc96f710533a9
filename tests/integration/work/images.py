"""Images for tests of container runtimes, made here from Debian packages and kept under a tag of their recipe."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import docker
import pytest

from isthmus.sites.errors import SiteError
from isthmus.sites.local import docker_engine
from isthmus.sites.local.connection import Connection, find_socket
from isthmus.sites.local.image import MachineImage
from isthmus.sites.local.options import LocalOptions

_BUSYBOX = "busybox-static of Debian, a link for each of its programs, 1"
_FOLDERS = ("bin", "tmp", "etc", "work", "proc", "sys", "dev", "var", "home", "root")

_APPTAINER = """\
FROM {machine}
RUN M=$(grep -o 'http[^ ]*' /etc/apt/sources.list | head -1) \\
 && echo "deb [check-valid-until=no] $M sid main" > /etc/apt/sources.list.d/sid.list \\
 && printf 'Package: *\\nPin: release a=unstable\\nPin-Priority: 100\\n' > /etc/apt/preferences.d/sid \\
 && apt-get update -qq \\
 && apt-get install -y -qq --no-install-recommends -t sid apptainer squashfuse \\
 && apt-get install -y -qq --no-install-recommends busybox-static squashfs-tools \\
 && useradd -m alice && rm -rf /var/lib/apt/lists/*
"""


def engine() -> docker.DockerClient:
    """The engine of this machine; the test is skipped where there is none."""
    try:
        socket = find_socket(None, {})
        docker_engine.ensure_running(socket, print)
    except SiteError as error:
        pytest.skip(f"no container engine: {error}")
    return docker.DockerClient(base_url=socket, timeout=600)


def socket_path() -> str:
    """Where the engine of this machine listens."""
    return find_socket(None, {}).removeprefix("unix://")


def busybox(client: docker.DockerClient) -> str:
    """The name of an image of a few megabytes that has a shell."""
    name = "localhost/isthmus-test/busybox:" + _tag(_BUSYBOX)
    if not client.images.list(name):
        with tempfile.TemporaryDirectory() as folder:
            data = busybox_files(Path(folder))
        repository, tag = name.rsplit(":", 1)
        client.api.import_image_from_data(data, repository=repository, tag=tag, changes=["ENV PATH=/bin"])
    return name


def apptainer(client: docker.DockerClient) -> str:
    """The name of an image that has Apptainer, BusyBox and a user called alice."""
    connection = Connection(find_socket(None, {}), 600)
    machines = MachineImage(connection, LocalOptions())
    try:
        machines.ensure(print)
        machine = machines.reference
    finally:
        connection.close()
    recipe = _APPTAINER.format(machine=machine)
    name = "localhost/isthmus-test/apptainer:" + _tag(recipe)
    if not client.images.list(name):
        try:
            client.images.build(fileobj=io.BytesIO(recipe.encode()), tag=name, rm=True)
        except (docker.errors.BuildError, docker.errors.APIError) as error:
            pytest.skip(f"the image with Apptainer cannot be made: {error}")
    return name


def busybox_files(folder: Path) -> bytes:
    """A root file system with BusyBox as a tar archive, made in ``folder``; the test is skipped if it cannot be had."""
    if shutil.which("apt-get") is None:
        pytest.skip("there is no apt-get to fetch BusyBox with")
    for command in (["apt-get", "download", "-q", "busybox-static"], ["sh", "-c", "dpkg-deb -x *.deb ."]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            pytest.skip(f"BusyBox cannot be fetched: {done.stderr.strip()}")
    program = folder / "bin" / "busybox"
    names = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for path in _FOLDERS:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if path == "tmp" else 0o755
            archive.addfile(entry)
        archive.add(program, "bin/busybox")
        for path in names:
            if path != "busybox":
                entry = tarfile.TarInfo(f"bin/{path}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(entry)
    return file.getvalue()


def _tag(recipe: str) -> str:
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]


def labelled(client: docker.DockerClient, id: str) -> list[Any]:
    """The containers of a submission that are there, running or not."""
    found: list[Any] = client.containers.list(
        all=True, filters={"label": f"isthmus.submission={id}"}, ignore_removed=True
    )
    return found
