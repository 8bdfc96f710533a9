"""The fake driver: every capability of the contract, played in a :class:`~isthmus.sites.fake.world.World`.

Calls into the world block the event loop for microseconds (or while another process writes), so no
thread is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from isthmus.sites.contract import (
    Errand,
    Image,
    Machine,
    MachineSpec,
    MachineWant,
    Network,
    Offer,
    Ref,
    Result,
    State,
    Status,
    Volume,
)
from isthmus.sites.errors import Permanent, SiteError, Temporary, Unreachable
from isthmus.sites.fake.frame import Frame
from isthmus.sites.fake.market import check_quota, make_offers
from isthmus.sites.fake.records import PRIVATE, PUBLIC, Draft, Resource, address

_TIMED_OUT = 124
"""The exit code of an operation that took too long, as of timeout(1)."""
_SHARED = "shared"
"""The flavour of a volume that many machines may have."""


class FakeDriver(Frame):
    """A fake site; see :class:`~isthmus.sites.fake.frame.Frame` for how it is made."""

    # -- Driver ------------------------------------------------------------------------------------

    async def status(self) -> Status:
        """Whether the world answers, or what a fault says."""
        try:
            async with self._call("status"):
                machines, _, _ = self.world.usage(self.name)
        except SiteError as error:
            return Status(False, str(error))
        return Status(True, f"{machines} machines in {self.world.path or 'memory'}")

    async def prepare(self, progress: Callable[[str], None]) -> None:
        """Nothing is missing in a fake world, unless a fault says so."""
        async with self._call("prepare"):
            return

    async def close(self) -> None:
        """Let go of the world."""
        if self._own:
            self.world.close()

    # -- Machines ----------------------------------------------------------------------------------

    async def offers(self, want: MachineWant) -> Sequence[Offer]:
        """Every flavour, those that fit first and the cheapest of them first."""
        async with self._call("offers"):
            return make_offers(self.name, self.options, want, self.world.usage(self.name))

    async def find_machine(self, ref: Ref) -> Machine | None:
        """The machine, or None."""
        async with self._call("find_machine", ref):
            found = self.world.find(self.name, "machine", ref)
            return _machine(found) if found else None

    async def create_machine(self, spec: MachineSpec) -> Machine:
        """Make the machine in two steps, each durable: it is there and pending, then it runs."""
        async with self._call("create_machine", spec.ref) as fault:
            with self.world.change():
                half = self._make_machine(spec)
            self._halve(fault)
            await self._pause("create_machine")
            with self.world.change():
                self._note_race(half)
                return self._start(spec.ref)

    async def start_machine(self, ref: Ref) -> Machine:
        """Start a machine; :class:`Permanent` when there is none."""
        async with self._call("start_machine", ref):
            return self._start(ref)

    async def stop_machine(self, ref: Ref) -> None:
        """Stop a machine; it keeps its id, its addresses and what was run on it."""
        async with self._call("stop_machine", ref):
            self.world.set_state(self.name, "machine", ref, State.STOPPED, self.owner)

    async def delete_machine(self, ref: Ref) -> None:
        """Delete a machine and all that it remembers."""
        async with self._call("delete_machine", ref):
            self.world.remove(self.name, "machine", ref, self.owner)

    async def list_machines(self, deployment: str | None = None) -> Sequence[Machine]:
        """All machines, oldest first."""
        async with self._call("list_machines"):
            return [_machine(row) for row in self.world.resources(self.name, "machine", deployment)]

    # -- Networks ----------------------------------------------------------------------------------

    async def find_network(self, ref: Ref) -> Network | None:
        """The network, or None."""
        async with self._call("find_network", ref):
            found = self.world.find(self.name, "network", ref)
            return _network(found) if found else None

    async def create_network(self, ref: Ref, tags: Mapping[str, str]) -> Network:
        """Make the network or find it."""
        async with self._call("create_network", ref):
            return _network(self._make("network", ref, Draft(tags=tags)))

    async def delete_network(self, ref: Ref) -> None:
        """Delete a network; :class:`Temporary` while a machine is in it."""
        async with self._call("delete_network", ref):
            self._remove_unused("network", ref)

    async def list_networks(self, deployment: str | None = None) -> Sequence[Network]:
        """All networks, oldest first."""
        async with self._call("list_networks"):
            return [_network(row) for row in self.world.resources(self.name, "network", deployment)]

    # -- Volumes -----------------------------------------------------------------------------------

    async def find_volume(self, ref: Ref) -> Volume | None:
        """The volume, or None."""
        async with self._call("find_volume", ref):
            found = self.world.find(self.name, "volume", ref)
            return _volume(found) if found else None

    async def create_volume(self, ref: Ref, size: int | None, tags: Mapping[str, str]) -> Volume:
        """Make the volume or find it; the size of one that is there stays."""
        async with self._call("create_volume", ref):
            return _volume(self._make("volume", ref, Draft(size=size or self.options.volume_size, tags=tags)))

    async def create_shared_volume(self, ref: Ref, size: int | None, tags: Mapping[str, str]) -> Volume:
        """Make a volume for many machines, or find it."""
        async with self._call("create_shared_volume", ref):
            draft = Draft(size=size or self.options.volume_size, flavour=_SHARED, tags=tags)
            return _volume(self._make("volume", ref, draft))

    async def delete_volume(self, ref: Ref) -> None:
        """Delete a volume; :class:`Temporary` while a machine has it."""
        async with self._call("delete_volume", ref):
            self._remove_unused("volume", ref)

    async def list_volumes(self, deployment: str | None = None) -> Sequence[Volume]:
        """All volumes, oldest first."""
        async with self._call("list_volumes"):
            return [_volume(row) for row in self.world.resources(self.name, "volume", deployment)]

    # -- Images ------------------------------------------------------------------------------------

    async def find_image(self, key: str) -> Image | None:
        """The image, or None; one that is half saved is not there yet."""
        async with self._call("find_image", _image_ref(key)):
            found = self.world.find(self.name, "image", _image_ref(key))
            return _image(found) if found and found.state is State.RUNNING else None

    async def save_image(self, machine: Ref, key: str) -> Image:
        """Keep the labels of what was run on a machine; :class:`Permanent` when it does not run."""
        async with self._call("save_image", machine) as fault:
            ref = _image_ref(key)
            saved = self.world.find(self.name, "image", ref)
            if saved is None or saved.state is not State.RUNNING:
                with self.world.change():
                    origin = self._running(machine)
                    draft = Draft(size=origin.draft.size, image=origin.draft.image, labels=origin.draft.labels)
                    self._make("image", ref, draft, State.PENDING)
                self._halve(fault)
                await self._pause("save_image")
                saved = self.world.set_state(self.name, "image", ref, State.RUNNING, self.owner)
            if saved is None:
                raise Temporary(f"image {key} was deleted while it was saved")
            return _image(saved)

    async def delete_image(self, key: str) -> None:
        """Delete an image; machines made from it go on."""
        async with self._call("delete_image", _image_ref(key)):
            self.world.remove(self.name, "image", _image_ref(key), self.owner)

    async def list_images(self) -> Sequence[Image]:
        """All images that are wholly saved."""
        async with self._call("list_images"):
            rows = self.world.resources(self.name, "image")
            return [_image(row) for row in rows if row.state is State.RUNNING]

    # -- Commands ----------------------------------------------------------------------------------

    async def run(self, machine: Ref, errand: Errand, line: Callable[[str], None]) -> Result:
        """Record that the operation ran; a rule of the world says how it ends, else it ends well."""
        async with self._call("run", machine) as fault:
            with self.world.change():
                begun = self.world.begin_run(
                    self._reachable(machine), errand.label, tuple(errand.env), _digest(errand), self.owner
                )
                rule = self.world.take_operation(self.name, errand.label, machine)
            self._halve(fault)
            pause = self.options.pause("run")
            if pause:
                await self._sleep(min(pause, errand.timeout))
            if pause > errand.timeout:
                self.world.end_run(begun, _TIMED_OUT)
                return Result(_TIMED_OUT, {}, f"{errand.label} did not end in {errand.timeout:g} s")
            for text in rule.lines if rule else _echo(errand, begun.count):
                line(text)
            self.world.end_run(begun, rule.code if rule else 0)
            return Result(rule.code, rule.outputs, rule.message) if rule else Result(0)

    # ----------------------------------------------------------------------------------------------

    def _make(self, kind: str, ref: Ref, draft: Draft, state: State = State.RUNNING) -> Resource:
        return self.world.make(self.name, kind, ref, draft, state, self.owner)

    def _make_machine(self, spec: MachineSpec) -> Resource:
        if self.world.find(self.name, "machine", spec.ref) is None:
            check_quota(self.options.quota, self.world.usage(self.name), spec.cpus, spec.memory)
        known = {flavour.name for flavour in self.options.flavours}
        if spec.flavour not in known:
            raise Permanent(f"flavour {spec.flavour} not found; there are {', '.join(sorted(known))}")
        draft = Draft(
            spec.cpus,
            spec.memory,
            spec.image,
            spec.flavour,
            spec.authorized_key,
            spec.tags,
            tuple(self._needed(kind, ref, spec.ref) for kind, ref in _needs(spec)),
            self._baked(spec.image),
        )
        return self._make("machine", spec.ref, draft, State.PENDING)

    def _needed(self, kind: str, ref: Ref, machine: Ref) -> str:
        found = self.world.find(self.name, kind, ref)
        if found is None:
            raise Temporary(f"{kind} {ref.name} not found")
        others = [user.ref.name for user in self.world.users(found) if user.ref != machine]
        if kind == "volume" and found.draft.flavour != _SHARED and others:
            raise Permanent(f"volume {ref.name} is in use by {others[0]}, and is not shared")
        return found.id

    def _baked(self, image: str) -> Sequence[str]:
        saved = self.world.find_id(self.name, image)
        if saved and saved.kind == "image" and saved.state is State.RUNNING:
            return saved.draft.labels
        if self.options.images is not None and image not in self.options.images:
            raise Permanent(f"image {image} not found; there are {', '.join(self.options.images)}")
        if image.startswith("image-"):
            raise Permanent(f"image {image} not found")
        return ()

    def _start(self, ref: Ref) -> Machine:
        started = self.world.set_state(self.name, "machine", ref, State.RUNNING, self.owner)
        if started is None:
            raise Permanent(f"machine {ref.name} not found")
        return _machine(started)

    def _note_race(self, half: Resource) -> None:
        """Log that another live create of the same ref went on with what this one left pending."""
        now = self.world.find(self.name, half.kind, half.ref)
        if half.state is State.PENDING and now and now.state is not State.PENDING:
            self.world.note("raced", now, self.owner)

    def _running(self, ref: Ref) -> Resource:
        found = self.world.find(self.name, "machine", ref)
        if found is None or found.state is not State.RUNNING:
            raise Permanent(f"machine {ref.name} is {found.state if found else 'not there'}")
        return found

    def _reachable(self, ref: Ref) -> Resource:
        try:
            return self._running(ref)
        except Permanent as why:
            raise Unreachable(f"no answer: {why}") from None

    def _remove_unused(self, kind: str, ref: Ref) -> None:
        with self.world.change():
            found = self.world.find(self.name, kind, ref)
            if found and (users := self.world.users(found)):
                raise Temporary(f"{kind} {ref.name} is in use by {users[0].ref.name}")
            self.world.remove(self.name, kind, ref, self.owner)


def _needs(spec: MachineSpec) -> Sequence[tuple[str, Ref]]:
    return [("network", ref) for ref in spec.networks] + [("volume", mount.volume) for mount in spec.mounts]


def _machine(row: Resource) -> Machine:
    private, public = address(PRIVATE, row.seq), address(PUBLIC, row.seq)
    return Machine(row.ref, row.id, row.state, private, public, reason=row.reason, tags=row.draft.tags)


def _network(row: Resource) -> Network:
    return Network(row.ref, row.id, f"10.{row.seq // 256 % 64}.{row.seq % 256}.0/24")


def _volume(row: Resource) -> Volume:
    return Volume(row.ref, row.id, row.draft.size)


def _image_ref(key: str) -> Ref:
    return Ref("", key, 0)


def _image(row: Resource) -> Image:
    return Image(row.ref.node, row.id, row.draft.size, row.created)


def _digest(errand: Errand) -> str:
    inputs = json.dumps([sorted(errand.env.items()), dict(errand.variables)], sort_keys=True)
    return hashlib.sha256(inputs.encode()).hexdigest()


def _echo(errand: Errand, count: int) -> Sequence[str]:
    return [f"{errand.label}: {errand.entry}, run {count} with {', '.join(sorted(errand.env)) or 'no inputs'}"]
