"""Probes and lifecycle hooks of a container, as checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from isthmus.api.dialects.interlink.core import Handler, HttpGet, Lifecycle, PodContainer, PodProbe
from isthmus.api.dialects.interlink.refusals import Refusals, show
from isthmus.work.job import Check, Probe

_HOST = "127.0.0.1"
"""Containers of a job run in the network of its node."""
_HEADER = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True, slots=True)
class Checks:
    """All that is done to a container besides running it; field names are those of :class:`Container`."""

    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    post_start: Check | None = None
    pre_stop: Check | None = None


def translate_checks(container: PodContainer, path: str, refusals: Refusals) -> Checks:
    """The container's probes and hooks; what cannot be honoured is noted."""
    ports = {port.name: port.container_port for port in container.ports if port.name}
    reader = _Reader(ports, refusals)
    lifecycle: Lifecycle = container.lifecycle
    refusals.rest(lifecycle.model_extra, "lifecycle", f"{path}.lifecycle")
    return Checks(
        startup=reader.probe(container.startup_probe, f"{path}.startupProbe"),
        readiness=reader.probe(container.readiness_probe, f"{path}.readinessProbe"),
        liveness=reader.probe(container.liveness_probe, f"{path}.livenessProbe"),
        post_start=reader.hook(lifecycle.post_start, f"{path}.lifecycle.postStart"),
        pre_stop=reader.hook(lifecycle.pre_stop, f"{path}.lifecycle.preStop"),
    )


class _Reader:
    def __init__(self, ports: Mapping[str, int], refusals: Refusals):
        self._ports = ports
        self._refusals = refusals

    def probe(self, probe: PodProbe | None, path: str) -> Probe | None:
        if probe is None:
            return None
        if probe.sleep is not None:
            self._refusals.add(f"{path}.sleep", "a probe cannot sleep", tolerable=False)
        check = self._check(probe, path)
        if check is None:
            return None
        return Probe(
            check,
            initial_delay=probe.initial_delay_seconds,
            period=max(1, probe.period_seconds),
            timeout=max(1, probe.timeout_seconds),
            successes=probe.success_threshold,
            failures=probe.failure_threshold,
        )

    def hook(self, handler: Handler | None, path: str) -> Check | None:
        if handler is None:
            return None
        if handler.tcp_socket is not None:
            self._refusals.add(f"{path}.tcpSocket", "Kubernetes knows it no more", tolerable=False)
        return self._check(handler, path)

    def _check(self, handler: Handler, path: str) -> Check | None:
        self._refusals.rest(handler.model_extra, "handler", path)
        given = [one for one in (handler.exec, handler.http_get, handler.tcp_socket, handler.sleep) if one is not None]
        if len(given) != 1:
            if not handler.model_extra:
                why = "one of exec, httpGet, tcpSocket and sleep must be given"
                self._refusals.add(path, why, tolerable=False)
            return None
        if handler.exec is not None:
            return self._exec(handler.exec.command, f"{path}.exec.command")
        if handler.http_get is not None:
            return self._http(handler.http_get, f"{path}.httpGet")
        if handler.tcp_socket is not None:
            port = self._port(handler.tcp_socket.port, f"{path}.tcpSocket.port")
            host = self._host(handler.tcp_socket.host, f"{path}.tcpSocket.host")
            return Check(tcp_port=port, tcp_host=host) if port and host else None
        return Check(sleep=handler.sleep.seconds) if handler.sleep is not None and handler.sleep.seconds else None

    def _exec(self, command: Sequence[str], path: str) -> Check | None:
        if any("\0" in word for word in command):
            self._refusals.add(path, "a word holds a NUL character", tolerable=False)
            return None
        return Check(command=tuple(command))

    def _http(self, get: HttpGet, path: str) -> Check | None:
        self._refusals.rest(get.model_extra, "httpGet", path)
        port, host = self._port(get.port, f"{path}.port"), self._host(get.host, f"{path}.host")
        headers = tuple((header.name, header.value) for header in get.http_headers)
        for index, (name, value) in enumerate(headers):
            if not name or not _HEADER.issuperset(name) or not value.isprintable():
                self._refusals.add(f"{path}.httpHeaders[{index}]", "it is no header of HTTP", tolerable=False)
                return None
        if not port or not host:
            return None
        if ":" in host:
            host = f"[{host}]"
        where = quote(get.path if get.path.startswith("/") else f"/{get.path}", safe="/?&=+:;,@!$'()*~%-._[]")
        return Check(http=f"{get.scheme.lower()}://{host}:{port}{where}", headers=headers)

    def _host(self, host: str, path: str) -> str:
        if not host:
            return _HOST
        if len(host) > 253 or not host.isascii() or not all(c.isalnum() or c in "-.:" for c in host):
            self._refusals.add(path, "it is no host", tolerable=False)
            return ""
        return host

    def _port(self, port: int | str, path: str) -> int:
        number = self._ports.get(port, 0) if isinstance(port, str) else port
        if not number and isinstance(port, str) and port.isascii() and port.isdecimal() and len(port) < 6:
            number = int(port)
        if 1 <= number <= 65535:
            return number
        self._refusals.add(path, f"no port is called {show(str(port))}", tolerable=False)
        return 0
