"""The machine image: pulled where a registry has it, else made from Debian packages by mmdebstrap."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from isthmus.sites.contract import GIB
from isthmus.sites.errors import Permanent, Temporary
from isthmus.sites.local import host, recipe
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.debian import install_packages, last_words, may_install
from isthmus.sites.local.locks import exclusive
from isthmus.sites.local.mirrors import Mirror, find_mirror
from isthmus.sites.local.options import LocalOptions

BUILD_SECONDS = 900.0
"""The longest that a build may take on a slow mirror."""

_SETTINGS = ['CMD ["/sbin/init"]', "ENV container=docker"]


class MachineImage:
    """The image from which machines without one of their own are made."""

    def __init__(self, connection: Connection, options: LocalOptions) -> None:
        self._connection, self._options = connection, options

    @property
    def reference(self) -> str:
        """Its full name; changes with the recipe."""
        return f"{self._options.prefix}/machine:{recipe.tag(self._options.suite)}"

    def exists(self) -> bool:
        """Whether the engine has it."""
        return has_image(self._connection, self.reference)

    def ensure(self, progress: Callable[[str], None]) -> None:
        """Pull or build it when the engine does not have it; raises :class:`Permanent` when it cannot."""
        if self.exists():
            return
        with exclusive(self.reference, BUILD_SECONDS):
            if self.exists():
                return
            if not (self._options.pull and self._pull(self._options.pull, progress)):
                self._build(progress)

    def _pull(self, source: str, progress: Callable[[str], None]) -> bool:
        from docker.errors import APIError

        progress(f"pulling machine image {source}")
        try:
            said = self._connection.api.pull(source)
        except APIError as error:
            said = str(error.explanation or error)
        # A pull that breaks off half way is no error to the SDK, so the image itself is looked for.
        if not has_image(self._connection, source):
            progress(f"no registry gave it ({last_words(said)}); making it from Debian packages")
            return False
        self._name(source)
        return True

    def _name(self, image: str) -> None:
        repository, _, tag = self.reference.rpartition(":")
        self._connection.api.tag(image, repository, tag)

    def _build(self, progress: Callable[[str], None]) -> None:
        begun = time.monotonic()
        ensure_builder(progress)
        progress(f"making the machine image from Debian {self._options.suite} packages")
        mirror = Mirror(self._options.mirror) if self._options.mirror else find_mirror()
        with bootstrap(self._options.suite, mirror, progress) as archive:
            self._import(archive)
        progress(f"machine image ready in {time.monotonic() - begun:.0f} s")

    def _import(self, archive: IO[bytes]) -> None:
        # An iterator, since the SDK announces chunks and then sends a plain file without them.
        chunks = iter(partial(archive.read, 2**20), b"")
        answer = self._connection.api.import_image_from_stream(chunks, changes=_SETTINGS)
        # Podman does not keep the tag that an import asks for, so it is given afterwards.
        image = str(json.loads(answer.strip().splitlines()[-1])["status"])
        self._name(image)


def has_image(connection: Connection, reference: str) -> bool:
    """Whether the engine has an image of that name or id."""
    from docker.errors import NotFound

    inspect: Callable[[str], object] = connection.api.inspect_image
    try:
        inspect(reference)
    except NotFound:
        return False
    return True


def ensure_builder(progress: Callable[[str], None]) -> None:
    """Install mmdebstrap on a Debian host where we are root; elsewhere say what to do."""
    if not may_install():
        raise Permanent(
            "the machine image can only be made on Debian as root; "
            "elsewhere set the site's option 'pull' to a registry's image that has systemd and sshd"
        )
    if shutil.which("mmdebstrap") is None:
        progress("installing mmdebstrap")
        install_packages("mmdebstrap")


@contextmanager
def bootstrap(suite: str, mirror: Mirror | None, progress: Callable[[str], None]) -> Iterator[IO[bytes]]:
    """The file system of the machine image as a tar stream; raises :class:`Temporary` when mmdebstrap fails."""
    with tempfile.TemporaryDirectory(prefix="isthmus-image-", dir=_roomy_memory()) as folder:
        # apt gives up its privileges to download, and must still get into the folder.
        Path(folder).chmod(0o755)
        overlay, archive, log = (Path(folder) / name for name in ("overlay.tar", "image.tar", "log"))
        overlay.write_bytes(recipe.overlay())
        command = bootstrap_command(suite, mirror, overlay, archive)
        environment = os.environ | {"TMPDIR": folder}
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)
        try:
            _follow(process, log, progress)
        finally:
            _end(process)
        if process.returncode:
            raise Temporary(f"mmdebstrap failed: {last_words(log.read_text(errors='replace'))}", delay=30.0)
        with archive.open("rb") as stream:
            yield stream


def _roomy_memory() -> str | None:
    """The file system in memory where it has room to spare: thousands of small files are quicker there."""
    shared = Path("/dev/shm")  # noqa: S108 a file system, in which the folder gets a name of its own
    roomy = (host.available_memory() or 0) > 4 * GIB and shared.is_dir() and shutil.disk_usage(shared).free > 2 * GIB
    return str(shared) if roomy else None


def bootstrap_command(suite: str, mirror: Mirror | None, overlay: Path, archive: Path) -> list[str]:
    """The mmdebstrap call; without a mirror it takes its own default."""
    absent = " ".join(f'"$1"/{pattern}' for pattern in recipe.ABSENT)
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--format=tar",
        f"--include={','.join(recipe.PACKAGES)}",
        *(f"--dpkgopt={option}" for option in recipe.DPKG_OPTIONS),
        *(f"--aptopt={option}" for option in recipe.APT_OPTIONS),
        f"--customize-hook=rm -f {absent}",
        f"--customize-hook=tar-in {overlay} /",
        suite,
        str(archive),
        *(mirror.sources(suite) if mirror else ()),
    ]


def _follow(process: subprocess.Popen[bytes], log: Path, progress: Callable[[str], None]) -> None:
    """Pass on what mmdebstrap says of its steps until it ends or has had its time."""
    told, end = 0, time.monotonic() + BUILD_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("I: ")]
        for line in lines[told:]:
            progress(line.removeprefix("I: "))
        told = len(lines)
        if process.returncode is not None:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what still runs, so that it can tidy up; kill it when it does not."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
