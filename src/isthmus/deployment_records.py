"""Deployments in the store as the service layer reads and writes them: whose they are is asked before anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Connection

from isthmus.engine.pulse import Pulse
from isthmus.engine.reconcile import working_phase
from isthmus.engine.state import Power
from isthmus.errors import Conflict, NotFound, PreconditionFailed
from isthmus.identity import Principal
from isthmus.library import Template
from isthmus.shelf import Shelf
from isthmus.store import deployments, history, resources
from isthmus.store.deployments import Deployment
from isthmus.tosca import Bundle
from isthmus.views import Event

T = TypeVar("T")


class DeploymentRecords:
    """The rows of deployments, and their templates. A change makes the row due and wakes who works."""

    def __init__(self, shelf: Shelf, pulse: Pulse, wake: Callable[[], None]):
        self.store = shelf.store
        self._shelf = shelf
        self._pulse = pulse
        self._wake = wake

    # -- finding ----------------------------------------------------------------------------

    async def find(self, who: Principal, ref: str) -> Deployment:
        """The deployment of an id, else of a name, among those that ``who`` may see."""
        owner = None if who.admin else who.subject
        found = await self.store.reading(lambda c: deployments.find(c, who.vo, owner, ref, who.subject))
        if not found:
            raise _not_found(ref)
        refuse_several(who, ref, found)
        return found[0]

    async def alive(self, who: Principal, ref: str) -> Deployment:
        """One that is not deleted, nor being deleted."""
        row = await self.find(who, ref)
        if row.power == Power.ABSENT:
            raise Conflict(f"{row.name} is {row.phase}" if row.phase == "deleted" else f"{row.name} is being deleted")
        return row

    async def of_key(self, who: Principal, key: str) -> Deployment | None:
        """The one that was created with an idempotency key."""
        return await self.store.reading(lambda c: deployments.find_by_key(c, who.vo, who.subject, key))

    async def summary(self, who: Principal, ref: str) -> Any:
        """The row of one without what only workers need: the cheapest thing to ask."""
        owner = None if who.admin else who.subject
        row = await self._glance(lambda c: deployments.summary(c, who.vo, owner, ref))
        if row is None:
            raise _not_found(ref)
        return row

    async def bundle(self, row: Deployment) -> Bundle:
        """The bundle that a row names."""
        return await asyncio.to_thread(self._shelf.bundle, row)

    async def template(self, row: Deployment) -> Template:
        """What that bundle means with the row's inputs; raises :class:`~isthmus.errors.Invalid` if nothing any more."""
        bundle = await self.bundle(row)
        return await asyncio.to_thread(self._shelf.library.load, bundle, row.inputs)

    async def ages(self, row: Deployment, node: str) -> dict[int, float]:
        """When each machine of a node was made."""
        rows = await self.store.reading(lambda c: resources.of_deployment(c, row.id))
        return {r.index: r.created for r in rows if r.node == node}

    # -- changing ---------------------------------------------------------------------------

    async def add(self, row: Deployment, bundle: Bundle, secrets: Mapping[str, str]) -> None:
        """Add a deployment; raises IntegrityError when its name or idempotency key is taken."""

        def insert(c: Connection, archive: bytes | None) -> bool:
            if archive is not None:
                deployments.save_bundle(c, row.bundle, archive, row.created)
            elif not deployments.has_bundle(c, row.bundle):
                return False
            deployments.add(c, row)
            self.store.vault.add(c, row.id, secrets)
            text = f"created from {row.template}"
            history.add_events(c, [Event(0, row.id, row.created, row.owner, "deployment.created", text)])
            return True

        if not await self.store.writing(lambda c: insert(c, None)):  # an archive is made when it is not kept yet
            archive = await asyncio.to_thread(bundle.to_zip)
            await self.store.writing(lambda c: insert(c, archive))
        self._changed(row.id)

    async def save(
        self, who: Principal, row: Deployment, version: int | None, word: str,
        more: Sequence[Callable[[Connection], None]] = (), archive: bytes = b"", **values: Any,
    ) -> None:  # fmt: skip
        """Write a new desired state and the bundle that it names, unless somebody else changed it since it was read."""
        if version is not None and version != row.version:
            raise PreconditionFailed(f"{row.name} is at version {row.version}, not {version}")
        now, text = self.store.now(), f"asked to be {word}"
        values["phase"] = working_phase(replace(row, power=values.get("power", row.power)))

        def write(c: Connection) -> bool:
            if archive:
                deployments.save_bundle(c, values["bundle"], archive, now)
            if not deployments.change(c, row.id, row.version, now, **values):
                return False
            for change in more:
                change(c)
            history.add_events(c, [Event(0, row.id, now, who.subject, f"deployment.{word.split()[0]}", text)])
            return True

        if not await self.store.writing(write):
            raise PreconditionFailed(f"{row.name} was changed meanwhile", hint="Look at it and try again.")
        self._changed(row.id)

    async def nudge(self, who: Principal, row: Deployment, word: str, **values: Any) -> None:
        """Have a worker look at a deployment now, unless it has come to another phase meanwhile."""
        now = self.store.now()

        def write(c: Connection) -> bool:
            if not deployments.nudge(c, row, now, **values):
                return False
            history.add_events(c, [Event(0, row.id, now, who.subject, f"deployment.{word}", word)])
            return True

        if not await self.store.writing(write):
            raise Conflict(f"{row.name} is no longer {row.phase}", hint="Look at it and try again.")
        self._changed(row.id)

    # -- inside -----------------------------------------------------------------------------

    def _changed(self, deployment: str) -> None:
        self._wake()
        self._pulse.beat(deployment)

    async def _glance(self, query: Callable[[Connection], T]) -> T:
        """A query of one row; an embedded database answers it faster than a thread could be asked to."""
        if not self.store.database.is_sqlite:
            return await self.store.reading(query)
        with self.store.read() as c:
            return query(c)


def refuse_several(who: Principal, ref: str, found: Sequence[Deployment]) -> None:
    """Raise :class:`Conflict` when a name means deployments of several owners, none of which is ``who``."""
    first, *others = found
    if others and first.id != ref and who.subject != first.owner and others[0].phase != "deleted":
        raise Conflict(f"several owners have a deployment {ref}", hint=f"Use its id: {first.id}, {others[0].id}.")


def _not_found(ref: str) -> NotFound:
    return NotFound(f"you have no deployment {ref!r}", hint="`isthmus list` shows those that you have.")
