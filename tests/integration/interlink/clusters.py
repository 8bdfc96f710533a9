"""Batch systems that run containers, deployed from the catalogue, with images on them and a virtual kubelet before."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..work.images import busybox_files
from .kubelet import Kubelet
from .pod_kinds import BUSYBOX, CMD, ENTRYPOINT, SPOKEN

ISTHMUS = Path(sys.executable).with_name("isthmus")
SITE = "hpc"
_IMAGES = {
    BUSYBOX: {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
    SPOKEN: {"Env": ["PATH=/bin", "FROM_IMAGE=yes"], "Entrypoint": ENTRYPOINT, "Cmd": CMD},
}


def isthmus(home: Path, *words: str, cwd: Path | None = None, data: bytes = b"") -> str:
    """What a command prints that must succeed."""
    done = subprocess.run(
        [ISTHMUS, *words], env={**os.environ, "ISTHMUS_HOME": str(home)}, input=data, capture_output=True, timeout=900,
        cwd=cwd, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-3000:])
    return done.stdout.decode(errors="replace")


@contextmanager
def cluster(folder: Path, template: str, inputs: Sequence[str]) -> Iterator[Path]:
    """The home in which a cluster is deployed under the name :data:`SITE`.

    ``ISTHMUS_TEST_HOME`` names a folder of homes by template, where the cluster is used if it is there, and left.
    """
    kept = os.environ.get("ISTHMUS_TEST_HOME")
    home = Path(kept) / template if kept else folder / "home"
    ready = subprocess.run(
        [sys.executable, "-m", "isthmus.sites.local.provision"], capture_output=True, text=True, check=False
    )
    if ready.returncode:
        pytest.skip(ready.stderr.strip())
    if not Path("/dev/fuse").exists():
        pytest.skip("there is no /dev/fuse, which containers inside of machines need")
    home.mkdir(parents=True, exist_ok=True)
    try:
        if SITE not in {one["name"] for one in json.loads(isthmus(home, "list", "--json"))}:
            given = [word for value in (*inputs, "containers=true") for word in ("--set", value)]
            isthmus(home, "deploy", template, "--name", SITE, "--yes", *given)
        yield home
    finally:
        if not kept:
            isthmus(home, "delete", SITE, "--yes")
            isthmus(home, "server", "stop")


@contextmanager
def kubelet(home: Path, images: str, *options: str) -> Iterator[Kubelet]:
    """A virtual kubelet before the cluster."""
    with tempfile.TemporaryDirectory(prefix="il") as folder:  # a socket's path is short
        made = Kubelet(home, SITE, Path(folder), images, "--image-path", images, *options)
        try:
            made.start()
            yield made
        finally:
            made.close()


def archives(folder: Path) -> list[str]:
    """Archives of the images of :data:`pod_kinds`, written into ``folder``; their names."""
    with tempfile.TemporaryDirectory() as scratch:
        layer = busybox_files(Path(scratch))
    for name, config in _IMAGES.items():
        _write_archive(folder / f"{name}.tar", layer, config)
    return [f"{name}.tar" for name in _IMAGES]


def _write_archive(path: Path, layer: bytes, config: dict[str, Any]) -> None:
    """An archive as `docker save` writes it."""
    root = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    described = {"architecture": "amd64", "os": "linux", "config": config, "rootfs": root}
    parts = {
        "config.json": json.dumps(described).encode(),
        "manifest.json": json.dumps([{"Config": "config.json", "RepoTags": ["t:1"], "Layers": ["layer.tar"]}]).encode(),
        "layer.tar": layer,
    }
    with tarfile.open(path, "w") as archive:
        for name, content in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
