"""What is refused of a job before any site is asked: names, sizes and characters that no site could take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from isthmus.errors import Invalid, TooLarge
from isthmus.placement.jobs import NEEDS
from isthmus.work.job import Container, JobSpec, Volume
from isthmus.work.staging import check_urls

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
CONTAINER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
MOST_TASKS = 10_000
MOST_CONTAINERS = 50
MOST_BYTES = 8 * 1024**2
"""Of environments, arguments and files inside the spec; larger files are handed over as blobs."""
MOST_RETRIES = 100


def check_request(name: str | None, spec: JobSpec, needs: Sequence[str], retry: int | None, keep: float) -> None:
    """Raise :class:`Invalid` for what no site could run."""
    if name is not None and not NAME.fullmatch(name):
        raise Invalid(f"{name!r} is no name: use up to 63 of a-z, 0-9, '.', '_' and '-', not at the ends")
    if unknown := [need for need in needs if need not in NEEDS]:
        raise Invalid(f"nothing is known of the need {unknown[0]!r}", hint=f"There is {', '.join(NEEDS)}.")
    if retry is not None and not 0 <= retry <= MOST_RETRIES:
        raise Invalid(f"retry must be from 0 to {MOST_RETRIES}")
    if not 0 <= keep < 10**9:
        raise Invalid("keep must be a time from 0 on")
    _check_spec(spec)


def _check_spec(spec: JobSpec) -> None:
    containers = [*spec.init, *spec.containers]
    if not spec.containers:
        raise Invalid("a job needs a container or a command")
    if len(containers) > MOST_CONTAINERS:
        raise Invalid(f"a job may have {MOST_CONTAINERS} containers")
    names = [c.name for c in containers]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise Invalid(f"two containers are called {twice[0]}")
    if len(spec.indices) > MOST_TASKS or len(set(spec.indices)) != len(spec.indices) or not spec.indices:
        raise Invalid(f"an array has from 1 to {MOST_TASKS} different indices")
    if any(not 0 <= index < 2**31 for index in spec.indices):
        raise Invalid("the indices of an array are numbers from 0 on")
    r = spec.resources
    if r.cpus <= 0 or r.nodes < 1 or r.tasks < 1 or r.gpus < 0 or r.tasks < r.nodes:
        raise Invalid("cpus, nodes and tasks are at least 1, and there are as many tasks as nodes")
    if (r.memory is not None and r.memory <= 0) or (r.time is not None and r.time <= 0):
        raise Invalid("memory and time are more than 0")
    volumes = {volume.name for volume in spec.volumes}
    for container in containers:
        _check_container(container, volumes)
    for path in [*(given.path for given in spec.inputs), *(kept.path for kept in spec.outputs)]:
        check_path(path)
    check_urls(spec)
    for volume in spec.volumes:
        _check_volume(volume)
    if _size(spec) > MOST_BYTES:
        raise TooLarge(f"arguments, environments and files of a job may have {MOST_BYTES} bytes together")


def _check_container(container: Container, volumes: set[str]) -> None:
    if not CONTAINER.fullmatch(container.name):
        raise Invalid(f"{container.name[:80]!r} is no name of a container: use up to 63 of a-z, 0-9 and -")
    if container.image is None and not container.command:
        raise Invalid(f"container {container.name} has neither an image nor a command")
    env = {**container.env, **container.secrets}
    if wrong := [key for key in env if not key or "=" in key]:
        raise Invalid(f"{wrong[0]!r} is no name of an environment variable")
    words: Iterable[str] = [*container.command, *container.args, *env, *env.values(), container.image or "",
                            container.workdir or "", *container.runtime_options]  # fmt: skip
    if any("\0" in word for word in words):
        raise Invalid(f"container {container.name}: a program takes no NUL character")
    for mount in container.mounts:
        if mount.volume not in volumes:
            raise Invalid(f"container {container.name} mounts {mount.volume}, which is no volume of the job")
        if not mount.path.startswith("/"):
            raise Invalid(f"container {container.name}: {mount.path!r} is no absolute path")
        if mount.sub_path:
            check_path(mount.sub_path)


def _check_volume(volume: Volume) -> None:
    for file in volume.files or ():
        check_path(file.path)
        if (file.content is None) == (file.digest is None):
            raise Invalid(f"file {file.path} of volume {volume.name} needs either a content or a digest")


def check_path(path: str) -> None:
    """Raise :class:`Invalid` for a path that does not stay below where it is put."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or "\0" in path or len(path) > 4096:
        raise Invalid(f"{path[:200]!r} is no path below the job's folder")


def _size(spec: JobSpec) -> int:
    size = 0
    for c in (*spec.init, *spec.containers):
        size += sum(map(len, (*c.command, *c.args, *c.env, *c.env.values(), *c.secrets, *c.secrets.values())))
    return size + sum(len(f.content or "") for v in spec.volumes for f in v.files or ())
