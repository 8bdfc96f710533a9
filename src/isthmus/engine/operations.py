"""Running a node's operations on its machines, and keeping account of what has run with what.

An operation runs on an instance when it has not run there, or not with these inputs and this code. Before
it runs, what is known of it and of all that follows it is forgotten, so that a crash in the middle leaves
it to be run again.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Connection

from isthmus.configure import Configurator, Target
from isthmus.engine.journal import Journal
from isthmus.engine.needs import UP
from isthmus.engine.observe import dump_done, load_done
from isthmus.engine.plan import Action
from isthmus.engine.scope import Scope, run_with
from isthmus.engine.state import Desired, Done, Health, Key, Observed, OperationKey, Resource
from isthmus.sites.contract import Commands, Driver, Errand, Machine, Ref, Result, lends
from isthmus.sites.errors import Permanent, SiteError, Temporary, Unreachable
from isthmus.store import Lease, leases, resources
from isthmus.store.resources import ResourceRow
from isthmus.topology import (
    Artifact,
    ArtifactKind,
    Node,
    NodeKind,
    Operation,
    Secret,
    Stage,
    Unknown,
    describe,
    evaluate,
    references,
)

UNREACHABLE = 255
"""The exit code of a run whose machine went away in the middle, as with ssh."""


HIDDEN = 4
"""Characters: a shorter secret would hide half of what is printed, and nothing of itself."""


class Finish(Protocol):
    """Writes down what ran."""

    def __call__(self, done: dict[OperationKey, Done], ran: Done) -> None: ...


class OperationFailed(Permanent):
    """An operation ended badly on at least one machine; the message says where and what it said."""


@dataclass(frozen=True, slots=True)
class Work:
    """One operation to run on one instance: what it runs with, and the same as digests."""

    key: Key
    errand: Errand
    done: Done


class OperationRunner:
    """Runs operations for one deployment."""

    def __init__(
        self, deployment: str, lease: Lease, driver: Driver, desired: Desired, files: Mapping[str, bytes],
        private_key: str, journal: Journal, configurator: Configurator, timeout: float,
    ):  # fmt: skip
        self.deployment = deployment
        self.lease = lease
        self.driver = driver
        self.desired = desired
        self.files = files
        self.journal = journal
        self.configurator = configurator
        self.timeout = timeout
        self._private_key = private_key
        self._secrets: dict[str, str] | None = None
        self._hidden: list[str] = []

    # -- machines ---------------------------------------------------------------------------

    async def wait_ready(self, machine: Machine, host_key: str | None, timeout: float) -> str | None:
        """Wait until a machine takes commands; answers its SSH host key, None where SSH is not used.

        ``host_key`` is the one that it must have, None when it is not known yet.
        """
        if lends(self.driver, Commands):
            return None
        return await self.configurator.wait_ready(
            self._target(machine_access(machine, host_key), machine.ref.host), timeout
        )

    @staticmethod
    def access(machine: Machine, host_key: str | None) -> dict[str, Any]:
        """What is remembered of how to reach a machine."""
        return {"ssh": machine_access(machine, host_key)}

    async def clean_for_image(self, key: Key) -> None:
        """Remove what must not be in an image from the machine that becomes one."""
        if not lends(self.driver, Commands):
            row = (await self._rows())[key]
            await self.configurator.clean_for_image(self._target(row.attributes["ssh"], str(key)))

    async def restore_after_image(self, key: Key) -> None:
        """Give the machine back what only an image must lack."""
        if not lends(self.driver, Commands):
            row = (await self._rows())[key]
            await self.configurator.restore_after_image(self._target(row.attributes["ssh"], str(key)))

    def _target(self, ssh: Mapping[str, Any], name: str) -> Target:
        return Target(name, ssh["host"], ssh["port"], ssh["user"], self._private_key, ssh["host_key"])

    # -- operations -------------------------------------------------------------------------

    async def run_up(self, action: Action) -> None:
        """Run an operation of the way up on those of the action's instances that need it."""
        node, operation = self._named(action)
        later = [o.name for o in node.staged(*UP)]
        later = later[later.index(operation.name) :]

        def begin(done: dict[OperationKey, Done]) -> None:
            for name in later:
                done.pop((node.name, name), None)

        def finish(done: dict[OperationKey, Done], ran: Done) -> None:
            done[node.name, operation.name] = ran
            for stop in node.staged(Stage.STOP):
                done.pop((node.name, stop.name), None)

        rows = await self._rows()
        scope = self._scope(rows)
        todo = [k for k in action.instances if not self._is_done(node, operation, k, rows, scope)]
        work = [await self._prepare(node, operation, k, scope) for k in todo]
        await self._run(node, operation, work, rows, begin, finish)

    async def run_down(self, action: Action) -> None:
        """Run an operation of the way down; what it stopped has to be started again to run."""
        node, operation = self._named(action)

        def finish(done: dict[OperationKey, Done], ran: Done) -> None:
            for start in node.staged(Stage.START):
                done.pop((node.name, start.name), None)
            done[node.name, operation.name] = ran

        rows = await self._rows()
        scope = self._scope(rows)
        work = [await self._prepare(node, operation, k, scope) for k in action.instances]
        await self._run(node, operation, work, rows, lambda done: None, finish)

    def _named(self, action: Action) -> tuple[Node, Operation]:
        node = self.desired.topology.nodes[action.node]
        return node, next(o for o in node.operations if o.name == action.operation)

    def _is_done(
        self, node: Node, operation: Operation, key: Key, rows: Mapping[Key, ResourceRow], scope: Scope
    ) -> bool:
        recorded = load_done(rows[key].done).get((node.name, operation.name)) if key in rows else None
        return recorded is not None and recorded.digest == self._known(operation, replace(scope, here=key)).digest

    def _known(self, operation: Operation, scope: Scope) -> Done:
        try:
            return run_with(operation, scope)
        except Unknown as unknown:
            raise Temporary(f"{describe(unknown.what)} is not known yet") from unknown

    async def _prepare(self, node: Node, operation: Operation, key: Key, scope: Scope) -> Work:
        done = self._known(operation, replace(scope, here=key))
        scope = replace(scope, here=key, secrets=await self._all_secrets())
        inputs = {name: evaluate(value, scope) for name, value in operation.inputs.items()}
        ref = Ref(self.deployment, key.node, key.index)
        about = {
            "ISTHMUS_DEPLOYMENT": self.deployment,
            "ISTHMUS_NODE": node.name,
            "ISTHMUS_INSTANCE": ref.host,
            "ISTHMUS_OPERATION": operation.name,
        }
        env = {**{name: as_text(value) for name, value in inputs.items()}, **about}
        errand = Errand(
            f"{node.name}.{operation.name}", posixpath.basename(operation.implementation.path),
            self._files(operation), env, operation.timeout or self.timeout,
            {**inputs, **{k.lower(): v for k, v in about.items()}},
        )  # fmt: skip
        return Work(key, errand, done)

    def _files(self, operation: Operation) -> dict[str, bytes]:
        """The implementation and its dependencies, by their path below the implementation's folder."""
        folder = posixpath.dirname(operation.implementation.path)
        return {_below(folder, a): self._content(a) for a in (operation.implementation, *operation.dependencies)}

    def _content(self, artifact: Artifact) -> bytes:
        if artifact.path not in self.files:
            raise OperationFailed(f"{artifact.path} is not in the template's bundle: put the file beside the template")
        return self.files[artifact.path]

    async def _run(
        self, node: Node, operation: Operation, work: Sequence[Work], rows: Mapping[Key, ResourceRow],
        begin: Callable[[dict[OperationKey, Done]], None],
        finish: Finish,
    ) -> None:  # fmt: skip
        if not work:
            return
        for one in work:
            await self.change_done(one.key, begin)
        results = await self._execute(operation, work, rows)
        failures = []
        for one in work:
            result = results[one.key]
            if isinstance(result, SiteError):
                failures.append(result)
            elif result.code != 0:
                failures.append(_failure(node, operation, one.key, replace(result, message=self._hide(result.message))))
            else:
                await self.change_done(one.key, partial(finish, ran=replace(one.done, outputs=self._outputs(result))))
        await self.journal.flush()
        if failures:
            raise next((f for f in failures if not isinstance(f, Temporary)), failures[0])

    async def _execute(
        self, operation: Operation, work: Sequence[Work], rows: Mapping[Key, ResourceRow]
    ) -> Mapping[Key, Result | SiteError]:
        commands = lends(self.driver, Commands)
        if commands is None and operation.implementation.kind is ArtifactKind.ANSIBLE:
            return await self._play(work, rows)

        async def run(one: Work) -> Result | SiteError:
            ref = Ref(self.deployment, one.key.node, one.key.index)
            line = self._line(one)
            try:
                if commands is not None:
                    return await commands.run(ref, one.errand, line)
                target = self._target(rows[one.key].attributes["ssh"], str(one.key))
                return await self.configurator.run_script(target, one.errand, line)
            except SiteError as error:
                return error

        return dict(zip([w.key for w in work], await asyncio.gather(*map(run, work)), strict=True))

    async def _play(self, work: Sequence[Work], rows: Mapping[Key, ResourceRow]) -> Mapping[Key, Result | SiteError]:
        """One run of a playbook over all hosts at once."""
        named = {one.key: Ref(self.deployment, one.key.node, one.key.index).host for one in work}
        targets = [self._target(rows[one.key].attributes["ssh"], named[one.key]) for one in work]
        errands = {named[one.key]: one.errand for one in work}
        lines = {named[one.key]: self._line(one) for one in work}
        try:
            results = await self.configurator.run_playbook(targets, errands, lambda host, text: lines[host](text))
        except SiteError as error:
            return {one.key: error for one in work}
        return {key: results[name] for key, name in named.items()}

    def _line(self, one: Work) -> Callable[[str], None]:
        def line(text: str) -> None:
            self.journal.line(self.deployment, str(one.key), one.errand.label, self._hide(text))

        return line

    def _hide(self, text: str) -> str:
        """``text`` without any secret of the deployment, nor any line of one that has several."""
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text

    def _outputs(self, result: Result) -> dict[str, Any]:
        """Outputs as they are kept: one that is a secret by its name, one that contains one without it."""
        names = {value: name for name, value in (self._secrets or {}).items()}
        return {name: self._kept(value, names) for name, value in result.outputs.items()}

    def _kept(self, value: Any, names: Mapping[str, str]) -> Any:
        match value:
            case str():
                return {"$secret": names[value]} if value in names else self._hide(value)
            case Mapping():
                return {str(k): self._kept(v, names) for k, v in value.items()}
            case list():
                return [self._kept(v, names) for v in value]
            case _:
                return value

    # -- what is known ----------------------------------------------------------------------

    async def change_done(self, key: Key, change: Callable[[dict[OperationKey, Done]], None]) -> ResourceRow:
        """Change what has run on a machine, in one guarded transaction; answers the new row."""

        def write(c: Connection) -> ResourceRow:
            leases.guard(c, self.lease)
            now = self.journal.store.now()
            row = resources.get(c, self.deployment, key.node, key.index) or ResourceRow(
                self.deployment, key.node, key.index, NodeKind.MACHINE, self.driver.name, None, Health.PENDING,
                created=now,
            )  # fmt: skip
            done = load_done(row.done)
            change(done)
            row = replace(row, done=dump_done(done), updated=now)
            resources.put(c, row)
            return row

        return await self.journal.write(write)

    async def _rows(self) -> dict[Key, ResourceRow]:
        rows = await self.journal.read(lambda c: resources.of_deployment(c, self.deployment))
        return {Key(r.node, r.index): r for r in rows}

    def _scope(self, rows: Mapping[Key, ResourceRow]) -> Scope:
        known = {
            key: Resource(key, NodeKind(row.kind), Health(row.state), row.attributes, row.spec, load_done(row.done))
            for key, row in rows.items()
        }
        return Scope(self.desired, Observed(known))

    async def evaluate_job(self, node: Node) -> tuple[dict[str, Any], frozenset[str]]:
        """The properties of a job as it runs with them, and the secrets among them."""
        scope = replace(self._scope(await self._rows()), secrets=await self._all_secrets())
        try:
            values = {name: evaluate(value, scope) for name, value in node.properties.items()}
        except Unknown as unknown:
            raise Temporary(f"{describe(unknown.what)} is not known yet") from unknown
        return values, frozenset((await self._all_secrets()).values())

    async def _all_secrets(self) -> Mapping[str, str]:
        """Every secret that the topology's operations and attributes name; made when nobody gave it."""
        if self._secrets is None:
            names = {
                s.name
                for node in self.desired.topology.nodes.values()
                for s in references([node.attributes, [o.inputs for o in node.operations], _of_job(node)])
                if isinstance(s, Secret)
            }
            vault = self.journal.store.vault

            def make(c: Connection) -> dict[str, str]:
                leases.guard(c, self.lease)  # so that no two make the same
                return {n: vault.get_or_make(c, self.deployment, n) for n in sorted(names)}

            self._secrets = await self.journal.write(make)
            lines = {line.strip() for s in self._secrets.values() for line in (s, *s.splitlines())}
            self._hidden = sorted((line for line in lines if len(line) >= HIDDEN), key=len, reverse=True)
        return self._secrets


def _of_job(node: Node) -> Mapping[str, Any]:
    """The properties of a job: what it runs with, which of other nodes only operations say."""
    return node.properties if node.kind is NodeKind.JOB else {}


def machine_access(machine: Machine, host_key: str | None) -> dict[str, Any]:
    """Host, port, user and host key of a machine for SSH."""
    host = machine.public_address or machine.private_address
    return {"host": host, "port": machine.port, "user": machine.user, "host_key": host_key}


def as_text(value: Any) -> str:
    """An input as a script sees it: text as it is, true and false, nothing as empty, the rest as JSON."""
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            return json.dumps(value)


def _below(folder: str, artifact: Artifact) -> str:
    relative = posixpath.relpath(artifact.path, folder or ".")
    return posixpath.basename(artifact.path) if relative.startswith("..") else relative


def _failure(node: Node, operation: Operation, key: Key, result: Result) -> SiteError:
    said = result.message or f"exit code {result.code}"
    message = f"{node.name} {operation.name.partition('.')[2]} failed on {key}: {said}"
    return Unreachable(message) if result.code == UNREACHABLE else OperationFailed(message)
