"""The driver of hosts that exist already: a machine is a host that is lent to one ref at a time.

The claim lives on the host itself, so any process that knows the options finds it again. A host that
does not answer may hold any claim: what depends on that is refused with ``Unreachable``, for a second
host must not be claimed for the same ref.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import asyncssh

from isthmus.sites.contract import Machine, MachineSpec, MachineWant, Offer, Ref, State, Status
from isthmus.sites.errors import Permanent, QuotaExceeded, SiteError, Unreachable, Unsupported
from isthmus.sites.ssh.claim import Answer, Claim, draft_claim, unreadable
from isthmus.sites.ssh.fit import check_spec, fits, make_offers
from isthmus.sites.ssh.host import Host
from isthmus.sites.ssh.options import parse_options, plain_key

AT_ONCE = 32
"""Hosts that are asked at the same time."""


class SshDriver:
    """A site of hosts. ``options`` are those of :class:`~isthmus.sites.ssh.options.Options`."""

    kind = "ssh"

    def __init__(self, name: str, options: Mapping[str, object]):
        self.name = name
        self.options = parse_options(name, options)
        self._hosts = [Host(host, self.options.known_hosts, self.options.timeout) for host in self.options.hosts]
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._claiming = asyncio.Lock()
        self._last: dict[str, Claim] = {}

    # -- Driver ------------------------------------------------------------------------------------

    async def status(self) -> Status:
        """Ready while any host answers; the detail names those that do not."""
        answers, silent = await self._ask_all()
        free = sum(answer.free for answer in answers.values())
        told = [f"{len(answers)} of {len(self._hosts)} hosts answer, {free} of them free", *map(str, silent)]
        return Status(bool(answers), "; ".join(told))

    async def prepare(self, progress: Callable[[str], None]) -> None:
        """Ask every host once; raises only when none answers."""
        answers, silent = await self._ask_all()
        for host in answers:
            progress(f"host {host.options.place} answers")
        for error in silent:
            progress(str(error))
        if not answers:
            raise _worst(silent)

    async def close(self) -> None:
        """Let go of the connections."""
        for host in self._hosts:
            await host.close()

    # -- Machines ----------------------------------------------------------------------------------

    async def offers(self, want: MachineWant) -> Sequence[Offer]:
        """One offer for each kind of host; ``quota_left`` counts those that answer and are free."""
        answers, silent = await self._ask_all()
        if not answers:
            raise _worst(silent)
        free = {host.options.place for host, answer in answers.items() if answer.free}
        return make_offers(self.name, self.options.hosts, free, want)

    async def find_machine(self, ref: Ref) -> Machine | None:
        """The host that is lent to ``ref``; raises when it may be one that does not answer."""
        held, _ = await self._find(ref)
        if not held:
            return None
        host, answer = held[0]
        return self._machine(host, answer) if answer.claim else self._half_made(host, ref)

    async def create_machine(self, spec: MachineSpec) -> Machine:
        """Claim a free host that fits, then let the key in.

        Raises :class:`QuotaExceeded` when none is free, :class:`Unsupported` for networks and volumes.
        """
        check_spec(spec, self.options.hosts)
        try:
            key = plain_key(spec.authorized_key)
        except asyncssh.KeyImportError as wrong:
            raise Permanent(f"authorized_key of {spec.ref.name}: {wrong}") from None
        async with self._claiming:
            host = await self._claim(spec)
        answer = self._remember(host, await host.add_key(spec.ref, key))
        if answer.claim is None or answer.claim.ref != spec.ref:
            raise Unreachable(f"host {host.options.place}: it was taken from {spec.ref.name} meanwhile")
        return self._machine(host, answer)

    async def start_machine(self, ref: Ref) -> Machine:
        """Refused: nothing here can power a host on."""
        raise Unsupported(f"machine {ref.name}: a host that exists already cannot be started from here")

    async def stop_machine(self, ref: Ref) -> None:
        """Refused: nothing here could power the host on again."""
        raise Unsupported(f"machine {ref.name}: a host that exists already cannot be stopped from here")

    async def delete_machine(self, ref: Ref) -> None:
        """Take away the key and the claim; the host stays as the deployment left it otherwise."""
        held, _ = await self._find(ref)
        for host, _ in held:
            self._remember(host, await host.release(ref))

    async def list_machines(self, deployment: str | None = None) -> Sequence[Machine]:
        """The lent hosts. One that does not answer is shown as it was last seen, in state ``error``.

        Raises :class:`Unreachable` when a host that does not answer was never seen lent, and
        :class:`Permanent` when a claim does not tell which machine it is.
        """
        answers, silent = await self._ask_all()
        for host, answer in answers.items():
            if answer.half and (deployment is None or answer.half.startswith(f"isthmus-{deployment}-")):
                raise unreadable(host.options.place)
        found = [self._machine(host, answer) for host, answer in answers.items() if answer.claim]
        for host, error in self._silent(answers, silent):
            claim = self._last.get(host.options.place)
            if claim is None:
                raise _worst(silent)
            found.append(self._machine(host, Answer(claim), error))
        return [machine for machine in found if deployment in (None, machine.ref.deployment)]

    # ----------------------------------------------------------------------------------------------

    async def _ask_all(self) -> tuple[dict[Host, Answer], list[SiteError]]:
        """What each host says, in the order of the options, and the errors of those that say nothing."""

        async def ask(host: Host) -> Answer | SiteError:
            async with self._slots:
                try:
                    return self._remember(host, await host.show())
                except SiteError as error:
                    return error

        said = await asyncio.gather(*map(ask, self._hosts))
        answers = {h: a for h, a in zip(self._hosts, said, strict=True) if isinstance(a, Answer)}
        return answers, [error for error in said if isinstance(error, SiteError)]

    async def _find(self, ref: Ref) -> tuple[list[tuple[Host, Answer]], dict[Host, Answer]]:
        """The hosts that are lent to ``ref``, ready ones first, and all answers."""
        answers, silent = await self._ask_all()
        held = [(host, answer) for host, answer in answers.items() if answer.held_by(ref)]
        if not held and silent:
            raise _worst(silent)
        return sorted(held, key=lambda one: not one[1].ready), answers

    async def _claim(self, spec: MachineSpec) -> Host:
        """The host of ``spec``, claimed now if it was not before."""
        held, answers = await self._find(spec.ref)
        if held and held[0][1].claim:
            return held[0][0]
        draft = draft_claim(spec.ref, dict(spec.tags))
        free = [host for host, seen in answers.items() if seen.free and fits(spec, host.options)]
        for host in [host for host, _ in held] or free:
            answer = self._remember(host, await host.claim(spec.ref, draft))
            if answer.claim and answer.claim.ref == spec.ref:
                return await self._settle(spec.ref)
        raise QuotaExceeded(f"no host that fits {spec.ref.name} is free")

    async def _settle(self, ref: Ref) -> Host:
        """Give back all hosts but one, when another process claimed one for the same ref meanwhile."""
        held, _ = await self._find(ref)
        if not held:
            raise Unreachable(f"the claim of {ref.name} was taken away meanwhile")
        for host, _ in held[1:]:
            self._remember(host, await host.release(ref))
        return held[0][0]

    def _remember(self, host: Host, answer: Answer) -> Answer:
        if answer.claim:
            self._last[host.options.place] = answer.claim
        else:
            self._last.pop(host.options.place, None)
        return answer

    def _silent(self, answers: Mapping[Host, Answer], errors: Sequence[SiteError]) -> list[tuple[Host, SiteError]]:
        return list(zip([host for host in self._hosts if host not in answers], errors, strict=True))

    def _half_made(self, host: Host, ref: Ref) -> Machine:
        """What is known of a machine whose claim lost its body; a create completes it."""
        lost = Claim(deployment=ref.deployment, node=ref.node, index=ref.index, id=f"{ref.name}-half", tags={})
        return self._machine(host, Answer(lost))

    def _machine(self, host: Host, answer: Answer, error: SiteError | None = None) -> Machine:
        assert answer.claim is not None
        options, claim = host.options, answer.claim
        state = State.RUNNING if answer.ready else State.PENDING
        return Machine(
            ref=claim.ref,
            id=claim.id,
            state=State.ERROR if error else state,
            private_address=options.private_address or answer.address or None,
            public_address=answer.address or None,
            user=options.user,
            port=options.port,
            host_key=options.host_key,
            reason=str(error or ""),
            tags=claim.tags,
        )


def _worst(errors: Sequence[SiteError]) -> SiteError:
    """One error for many: worth another try if any of them is."""
    told = "; ".join(str(error) for error in errors)
    if any(isinstance(error, Unreachable) for error in errors):
        return Unreachable(told, delay=5.0)
    return Permanent(told)
