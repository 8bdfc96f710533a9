"""The connection to the container engine: found, opened when first used, its errors made ours.

Every call runs in a bounded pool of threads, since the Docker SDK blocks.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from isthmus.sites.errors import Permanent, QuotaExceeded, SiteError, Temporary, Unreachable

if TYPE_CHECKING:
    from docker import APIClient

DOCKER_SOCKET = "/var/run/docker.sock"
PODMAN_SOCKET = "/run/podman/podman.sock"

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 16
"""Calls at once: an engine serialises most of its work, so that more only wait inside it."""

_ANY_VERSION = "1.41"
"""Only to ask which version of the API the engine speaks."""

_FULL = ("no space left", "cannot allocate memory", "disk quota exceeded", "not enough space", "too many open files")
_BUSY = (
    "already in progress",
    "is being removed",
    "active endpoints",
    "volume is in use",
    "is being used",
    "device or resource busy",
)


def find_socket(asked: str | None, environment: Mapping[str, str] | None = None) -> str:
    """The URL at which an engine listens: as asked, else ``DOCKER_HOST``, else Docker's and Podman's sockets."""
    environment = os.environ if environment is None else environment
    if asked or environment.get("DOCKER_HOST"):
        return asked or environment["DOCKER_HOST"]
    found = (path for path in _sockets(environment) if Path(path).is_socket())
    return f"unix://{next(found, DOCKER_SOCKET)}"


def _sockets(environment: Mapping[str, str]) -> list[str]:
    own = environment.get("XDG_RUNTIME_DIR")
    paths = [DOCKER_SOCKET, PODMAN_SOCKET]
    return paths + ([f"{own}/docker.sock", f"{own}/podman/podman.sock"] if own else [])


class Connection:
    """A container engine's API, opened when first asked for and shared by all threads."""

    def __init__(self, url: str | None, timeout: int) -> None:
        self._asked = url
        self.timeout = timeout
        self._lock = threading.Lock()
        self._client: APIClient | None = None
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="local-site")

    @property
    def socket(self) -> str:
        """The URL that is, or would be, used."""
        return find_socket(self._asked)

    @property
    def is_here(self) -> bool:
        """Whether the engine runs on this machine, so that its files and addresses are ours to see."""
        return self.socket.startswith(("unix://", "/"))

    @property
    def api(self) -> APIClient:
        """The client; raises :class:`~isthmus.sites.errors.SiteError` when no engine answers."""
        with self._lock:
            if self._client is None:
                self._client = connect(self.socket, self.timeout)
            return self._client

    @cached_property
    def info(self) -> dict[str, Any]:
        """What the engine says of its host; asked once."""
        return dict(self.api.info())

    @cached_property
    def is_podman(self) -> bool:
        """Whether Podman stands behind the socket; it differs from Docker in a few calls."""
        return any("podman" in part.get("Name", "").lower() for part in self.api.version().get("Components") or ())

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``call`` in a thread, with only our errors coming out of it."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, partial(self._guarded, call, *args, **kwargs)
        )

    def _guarded(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with errors_as_ours(self.socket):
            return call(*args, **kwargs)

    def close(self) -> None:
        """Let go of the engine; calls under way end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None


def connect(url: str, timeout: int) -> APIClient:
    """A client that has had an answer; raises one of our errors when there is no engine or it is not for us."""
    from docker import APIClient

    _knock(url, timeout)
    # The SDK's own "auto" leaves its socket open when the engine goes away meanwhile.
    with errors_as_ours(url), closing(APIClient(base_url=url, version=_ANY_VERSION, timeout=timeout)) as asking:
        spoken = asking.version(api_version=False)["ApiVersion"]
    return APIClient(base_url=url, version=spoken, timeout=timeout)


def _knock(url: str, timeout: int) -> None:
    """Tell a missing socket from a forbidden one, more plainly than the SDK does."""
    if not url.startswith("unix://"):
        return
    try:
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(timeout)
            knocking.connect(url.removeprefix("unix://"))
    except PermissionError:
        raise Permanent(f"this user may not use the container engine at {url}") from None
    except OSError as error:
        raise Unreachable(f"no container engine answers at {url}: {error.strerror or error}") from None


@contextmanager
def errors_as_ours(url: str) -> Iterator[None]:
    """Turns what the SDK raises into :mod:`isthmus.sites.errors`, with the engine's own words."""
    try:
        yield
    except SiteError:
        raise
    except Exception as error:
        ours = as_ours(error, url)
        if ours is None:
            raise
        raise ours from error


def as_ours(error: Exception, url: str) -> SiteError | None:
    """One error of the SDK as one of ours; None when it is not the engine's but a bug."""
    import requests
    from docker.errors import APIError, DockerException

    if isinstance(error, APIError):
        return _refusal(str(error.explanation or error).strip(), error.status_code)
    if isinstance(error, (requests.RequestException, DockerException, ConnectionError, TimeoutError)):
        return Unreachable(f"no container engine answers at {url}: {error}")
    return None


def _refusal(words: str, status: int | None) -> SiteError:
    low = words.lower()
    if any(sign in low for sign in _FULL):
        return QuotaExceeded(words)
    if any(sign in low for sign in _BUSY):
        return Temporary(words, delay=0.5)
    return Unreachable(words) if status == 503 else Permanent(words)
