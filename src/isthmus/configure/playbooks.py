"""Runs a playbook over machines at once: agents on the machines, Ansible in a confined process, results back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from isthmus.configure.agents import Agent, AnyAgent
from isthmus.configure.connections import Connections
from isthmus.configure.folders import make_folder
from isthmus.configure.nurseries import Nursery, Started
from isthmus.configure.output import LINE_LIMIT, OUTPUTS_LIMIT, TOTAL_LIMIT, Lines, clean_line
from isthmus.configure.playbook.request import Host, Request
from isthmus.configure.relay import Relay
from isthmus.configure.scripts import TIMED_OUT, check_files
from isthmus.configure.target import Target
from isthmus.sites.contract import Errand, Result
from isthmus.sites.errors import Permanent, SiteError, Unreachable

UNREACHABLE = 255
"""The code of a machine that did not answer, or went away; worth another try."""
EVENT_LIMIT = OUTPUTS_LIMIT + LINE_LIMIT
Line = Callable[[str, str], None]


async def run_playbook(
    connections: Connections, nursery: Nursery, targets: Sequence[Target], errands: Mapping[str, Errand], line: Line
) -> Mapping[str, Result]:
    """Run the errands' playbook; see :meth:`isthmus.configure.Configurator.run_playbook`."""
    for target in targets:
        check_files(errands[target.name])
    groups = _alike(targets, errands)
    try:
        async with asyncio.TaskGroup() as tasks:
            runs = [tasks.create_task(_run(connections, nursery, group, errands, line)) for group in groups]
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return {name: result for run in runs for name, result in run.result().items()}


def _alike(targets: Iterable[Target], errands: Mapping[str, Errand]) -> list[list[Target]]:
    """Targets in groups that run the same files: Ansible runs one playbook at a time."""
    groups: list[list[Target]] = []
    for target in targets:
        errand = errands[target.name]
        for group in groups:
            first = errands[group[0].name]
            if (first.entry, first.files) == (errand.entry, errand.files):
                group.append(target)
                break
        else:
            groups.append([target])
    return groups


async def _run(
    connections: Connections, nursery: Nursery, targets: Sequence[Target], errands: Mapping[str, Errand], line: Line
) -> Mapping[str, Result]:
    seed = await nursery.seed()
    agents = {target.name: Agent(connections, target, seed) for target in targets}
    return await run_with(nursery, agents, errands, line)


async def run_with(
    nursery: Nursery, agents: Mapping[str, AnyAgent], errands: Mapping[str, Errand], line: Line
) -> Mapping[str, Result]:
    """Run one playbook, that of all ``errands``, on the machines of ``agents``, which are stopped at the end."""
    errand = errands[next(iter(agents))]
    timeout = max(errands[name].timeout for name in agents)
    try:
        hosts, results = await _start(agents, errands)
        if hosts:
            with _folder(errand) as folder:
                request = Request(str(folder), errand.entry, tuple(hosts))
                events = _Events([host.name for host in hosts], line)
                try:
                    async with asyncio.timeout(timeout):
                        await _play(nursery, request, agents, events)
                except TimeoutError:
                    events.stop(f"it was stopped after {timeout:g} s")
                results |= events.finish()
        return results
    finally:
        await asyncio.gather(*(agent.stop() for agent in agents.values()))


async def _start(agents: Mapping[str, AnyAgent], errands: Mapping[str, Errand]) -> tuple[list[Host], dict[str, Result]]:
    """Start all agents at once; the machines that take part, and the results of those that cannot."""
    answers = await asyncio.gather(*(a.start() for a in agents.values()), return_exceptions=True)
    hosts, results = [], {}
    for name, answer in zip(agents, answers, strict=True):
        match answer:
            case str():
                hosts.append(Host(name, answer, _variables(errands[name])))
            case Unreachable():
                results[name] = Result(UNREACHABLE, message=str(answer))
            case SiteError():
                results[name] = Result(1, message=str(answer))
            case BaseException():
                raise answer
    return hosts, results


def _variables(errand: Errand) -> Mapping[str, object]:
    return errand.variables or errand.env


async def _play(nursery: Nursery, request: Request, agents: Mapping[str, AnyAgent], events: _Events) -> None:
    run = await nursery.fork()
    relay = Relay(run.passage, agents)
    relay.open()
    try:
        async for text in _converse(run, request):
            events.take(text)
    finally:
        _kill(run)
        await relay.close()


async def _converse(run: Started, request: Request) -> AsyncIterator[bytes]:
    """Send the request, then yield the lines that come back until the process has ended."""
    reader, writer = await asyncio.open_connection(sock=run.stream, limit=EVENT_LIMIT)
    try:
        writer.write(request.dump())
        writer.write_eof()
        while text := await reader.readline():
            yield text
    except ValueError as error:
        raise Permanent("the playbook's process does not keep to the protocol: a line is too long") from error
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _kill(run: Started) -> None:
    """Kill what is left of the run; its id stays taken until the nursery has reaped it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)


class _Events:
    """What a playbook's process tells, checked: it is hostile."""

    def __init__(self, hosts: Sequence[str], line: Line):
        self._logs = {host: Lines(lambda text, host=host: line(host, text)) for host in hosts}  # type: ignore[misc]
        self._results: dict[str, Result] = {}
        self._left = TOTAL_LIMIT

    def take(self, text: bytes) -> None:
        """One JSON line."""
        self._left -= len(text)
        try:
            event = json.loads(text) if self._left > 0 else {}
            if (host := event.get("host")) in self._logs:
                self._logs[host].feed(str(event["text"]).encode() + b"\n")
            elif (host := event.get("end")) in self._logs and host not in self._results:
                message = " / ".join(filter(None, map(clean_line, str(event["message"]).splitlines())))
                outputs = {str(k): v for k, v in event["outputs"].items()}
                self._results[host] = Result(int(event["code"]), outputs, message)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise Permanent("the playbook's process does not keep to the protocol") from error

    def stop(self, message: str) -> None:
        """Those that have no result yet ran out of time."""
        for host in self._logs:
            self._results.setdefault(host, Result(TIMED_OUT, message=message))

    def finish(self) -> dict[str, Result]:
        """A result for each machine."""
        for host in self._logs:
            self._results.setdefault(host, Result(1, message="the playbook's process died"))
        return self._results


@contextlib.contextmanager
def _folder(errand: Errand) -> Iterator[Path]:
    """A folder of the run's own with the bundle in it, removed afterwards."""
    folder = make_folder()
    try:
        (folder / "tmp").mkdir()
        for path, content in errand.files.items():
            file = folder / "bundle" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o700 if content.startswith(b"#!") else 0o600)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
