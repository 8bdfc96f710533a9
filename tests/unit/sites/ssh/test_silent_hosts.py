"""Hosts that do not answer: what may be said without them, and what must not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import asyncssh
import pytest

from isthmus.sites.contract import GIB, MachineSpec, MachineWant, Ref, State
from isthmus.sites.errors import Permanent, QuotaExceeded, Unreachable
from isthmus.sites.ssh import SshDriver
from isthmus.sites.ssh.claim import Answer, Claim, draft_claim, read_answer

KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
REF = Ref("0123456789ab", "node")


@dataclass(slots=True, eq=False)
class FakeHost:
    """A host in memory with the questions of the real one; ``taken_by`` claims it just before us."""

    options: Any
    held: Claim | None = None
    ready: bool = False
    silent: bool = False
    keys: set[str] = field(default_factory=set)
    taken_by: Ref | None = None

    async def show(self) -> Answer:
        await asyncio.sleep(0)
        if self.silent:
            raise Unreachable(f"host {self.options.place}: no answer")
        return Answer(self.held, self.ready, "192.0.2.1")

    async def claim(self, ref: Ref, claim: Claim) -> Answer:
        if self.taken_by:
            self.held, self.ready = draft_claim(self.taken_by, {}), True
        self.held = self.held or claim
        return await self.show()

    async def add_key(self, ref: Ref, key: str) -> Answer:
        self.ready = True
        return await self.show()

    async def release(self, ref: Ref) -> Answer:
        if self.held and self.held.ref == ref:
            self.held, self.ready = None, False
        return await self.show()

    async def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
def site() -> SshDriver:
    names = ("a", "b", "c")
    usual = {"key_file": "key", "cpus": 1, "memory": "1GiB", "host_key": KEY}
    driver = SshDriver("lab", {"hosts": [usual | {"host": name} for name in names]})
    driver._hosts = [FakeHost(host) for host in driver.options.hosts]
    return driver


def spec(ref: Ref = REF) -> MachineSpec:
    return MachineSpec(ref, "as-is", "1-cpus-1-gib", 1, GIB, None, KEY)


async def test_a_machine_that_may_be_on_a_silent_host_is_not_said_to_be_absent(site):
    site._hosts[1].silent = True

    with pytest.raises(Unreachable, match="b:22"):
        await site.find_machine(REF)


async def test_no_second_host_is_claimed_while_the_first_may_be_silent(site):
    await site.create_machine(spec())
    site._hosts[0].silent = True

    with pytest.raises(Unreachable):
        await site.create_machine(spec())

    assert [host.held is not None for host in site._hosts] == [True, False, False]


async def test_a_machine_on_a_host_that_answers_is_found_whoever_is_silent(site):
    made = await site.create_machine(spec())
    site._hosts[2].silent = True

    assert await site.find_machine(REF) == made


async def test_a_deletion_that_may_miss_its_host_is_not_said_to_be_done(site):
    await site.create_machine(spec())
    site._hosts[0].silent = True

    with pytest.raises(Unreachable):
        await site.delete_machine(REF)


async def test_a_silent_host_is_listed_as_it_was_last_seen(site):
    made = await site.create_machine(spec())
    site._hosts[0].silent = True

    [listed] = await site.list_machines("0123456789ab")

    assert (listed.ref, listed.id, listed.state) == (made.ref, made.id, State.ERROR)
    assert "a:22: no answer" in listed.reason


async def test_nothing_is_listed_when_a_silent_host_was_never_seen(site):
    site._hosts[0].silent = True

    with pytest.raises(Unreachable, match="a:22"):
        await site.list_machines()


async def test_status_names_the_silent_hosts(site):
    site._hosts[1].silent = True

    status = await site.status()

    assert status.ready
    assert status.detail == "2 of 3 hosts answer, 2 of them free; host b:22: no answer"


async def test_a_site_of_silent_hosts_is_not_ready(site):
    for host in site._hosts:
        host.silent = True

    assert not (await site.status()).ready
    with pytest.raises(Unreachable):
        await site.prepare(print)
    with pytest.raises(Unreachable):
        await site.offers(MachineWant())


async def test_silent_hosts_are_not_offered(site):
    site._hosts[1].silent = True

    [offer] = await site.offers(MachineWant())

    assert offer.quota_left == 2


async def test_a_host_that_another_took_meanwhile_is_passed_over(site):
    site._hosts[0].taken_by = Ref("ffffffffffff", "other")

    await site.create_machine(spec())

    assert [host.held and host.held.ref for host in site._hosts[:2]] == [Ref("ffffffffffff", "other"), REF]


async def test_of_two_hosts_claimed_for_one_ref_the_ready_one_stays(site):
    site._hosts[1].held, site._hosts[1].ready = draft_claim(REF, {}), True
    site._hosts[0].held = draft_claim(REF, {})

    made = await site._settle(REF)

    assert made is site._hosts[1]
    assert site._hosts[0].held is None


async def test_when_every_host_is_lent_the_quota_is_used_up(site):
    for index in range(3):
        await site.create_machine(spec(Ref("0123456789ab", "node", index)))

    with pytest.raises(QuotaExceeded):
        await site.create_machine(spec(Ref("0123456789ab", "node", 3)))


@pytest.mark.parametrize("body", ["", "{", "[]", '{"deployment": 1}', "null"])
def test_a_claim_that_cannot_be_read_is_neither_free_nor_ours(body):
    with pytest.raises(Permanent, match="/var/lib/isthmus/claim"):
        read_answer("a:22", f"pending\n\n{body}", "")
