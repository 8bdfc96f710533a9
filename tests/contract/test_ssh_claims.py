"""Claims on real hosts: cut off at any point, left by others, and never more than was there before."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import asyncssh
import pytest

from isthmus.sites.contract import GIB, MachineSpec, Ref, State
from isthmus.sites.errors import Permanent, QuotaExceeded, Unreachable
from isthmus.sites.registry import open_site
from isthmus.sites.ssh.claim import draft_claim

pytestmark = pytest.mark.engine
CLAIM = "/var/lib/isthmus/claim"


@pytest.fixture
def ref():
    return Ref(secrets.token_hex(6), "node")


@pytest.fixture
def spec(ref, key_pair):
    # A key of the deployment's own, whose private half nobody needs here.
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
    return MachineSpec(ref, "as-is", "1-cpus-1-gib", 1, GIB, None, key)


@pytest.fixture
async def site(three_hosts, ref):
    driver = open_site("site", "ssh", {"hosts": three_hosts[:1]})
    yield driver
    await driver.delete_machine(ref)
    await driver.close()


@pytest.fixture
async def shell(three_hosts):
    """Runs a command on the host."""
    host = three_hosts[0]
    key = asyncssh.import_public_key(host["host_key"])
    async with asyncssh.connect(
        host["host"], username="root", client_keys=[host["key_file"]], known_hosts=([key], [], []), config=None
    ) as connection:

        async def run(command):
            return (await connection.run(command, check=True)).stdout

        yield run


async def test_a_host_is_given_back_as_it_was(site, shell, spec, ref):
    await shell("printf 'ssh-ed25519 AAAA mine' >>/root/.ssh/authorized_keys")
    before = await shell("ls -lA /root/.ssh; cat /root/.ssh/authorized_keys")

    await site.create_machine(spec)
    assert f"{' '.join(spec.authorized_key.split()[:2])} {ref.name}\n" in await shell("cat /root/.ssh/authorized_keys")
    await site.delete_machine(ref)

    after = await shell("ls -lA /root/.ssh; cat /root/.ssh/authorized_keys; ls -A /var/lib/isthmus")
    assert after.split()[-1] == "mine"
    assert after.count("\n") == before.count("\n") + 1
    await shell("sed -i '/ mine$/d' /root/.ssh/authorized_keys")


async def test_creating_twice_adds_the_key_once(site, shell, spec, ref):
    await site.create_machine(spec)
    await site.create_machine(spec)

    assert await shell(f"grep -c ' {ref.name}$' /root/.ssh/authorized_keys") == "1\n"


async def test_a_claim_without_its_key_is_pending_and_completed(site, shell, spec, ref):
    claimed = await site._hosts[0].claim(ref, draft_claim(ref, {}))
    assert (await site.find_machine(ref)).state is State.PENDING

    made = await site.create_machine(spec)

    assert made.state is State.RUNNING
    assert made.id == claimed.claim.id


async def test_a_claim_whose_body_was_lost_is_taken_over_by_the_same_ref(site, shell, spec, ref):
    await shell(f"mkdir -p {CLAIM} && echo {ref.name} >{CLAIM}/name")

    assert (await site.find_machine(ref)).state is State.PENDING
    made = await site.create_machine(spec)

    assert made.state is State.RUNNING
    assert await site.find_machine(ref) == made


async def test_a_claim_whose_body_was_lost_is_released_by_the_same_ref(site, shell, ref):
    await shell(f"mkdir -p {CLAIM} && echo {ref.name} >{CLAIM}/name")

    await site.delete_machine(ref)

    assert await site.find_machine(ref) is None


async def test_a_claim_whose_body_was_lost_is_not_free_and_not_hidden(site, shell, spec, ref):
    await shell(f"mkdir -p {CLAIM} && echo {ref.name} >{CLAIM}/name")

    with pytest.raises(Permanent, match="cannot be read"):
        await site.list_machines(ref.deployment)
    assert await site.list_machines("ffffffffffff") == []
    with pytest.raises(QuotaExceeded):
        await site.create_machine(replace(spec, ref=Ref("ffffffffffff", "other")))


async def test_an_empty_claim_folder_is_free(site, shell, spec):
    await shell(f"mkdir -p {CLAIM}")

    assert (await site.create_machine(spec)).state is State.RUNNING


async def test_what_a_dead_process_staged_long_ago_is_swept(site, shell, spec, ref):
    await shell("mkdir -p /var/lib/isthmus/.claim.dead && touch -d '2 hours ago' /var/lib/isthmus/.claim.dead")

    await site.create_machine(spec)

    assert await shell("ls -A /var/lib/isthmus") == "claim\n"


async def test_two_refs_at_once_get_one_host_only_once(site, three_hosts, spec, ref):
    other = Ref(ref.deployment, "other")
    host = site._hosts[0]

    answers = await asyncio.gather(*(host.claim(one, draft_claim(one, {})) for one in (ref, other)))

    assert len({answer.claim.id for answer in answers}) == 1
    await site.delete_machine(other)


async def test_another_host_key_is_refused_for_good(three_hosts, ref):
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
    driver = open_site("site", "ssh", {"hosts": [three_hosts[0] | {"host_key": stranger}]})

    with pytest.raises(Permanent, match="host key"):
        await driver.find_machine(ref)


async def test_a_host_that_known_hosts_does_not_name_is_refused_with_the_way_out(three_hosts, ref, tmp_path):
    known = tmp_path / "known_hosts"
    known.write_text("")
    driver = open_site("site", "ssh", {"hosts": [three_hosts[0] | {"host_key": None}], "known_hosts": str(known)})

    with pytest.raises(Permanent, match="ssh-keyscan"):
        await driver.find_machine(ref)

    known.write_text(f"{three_hosts[0]['host']} {three_hosts[0]['host_key']}\n")
    assert await driver.find_machine(ref) is None
    await driver.close()


async def test_a_key_that_is_not_let_in_is_refused_for_good(three_hosts, ref, tmp_path):
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "key")
    driver = open_site("site", "ssh", {"hosts": [three_hosts[0] | {"key_file": str(tmp_path / "key")}]})

    with pytest.raises(Permanent, match="not let in"):
        await driver.find_machine(ref)


async def test_a_key_file_that_is_not_there_is_named(three_hosts, ref, tmp_path):
    driver = open_site("site", "ssh", {"hosts": [three_hosts[0] | {"key_file": str(tmp_path / "no-key")}]})

    with pytest.raises(Permanent, match="no-key"):
        await driver.find_machine(ref)


async def test_a_port_where_nobody_listens_is_unreachable(three_hosts, ref):
    driver = open_site("site", "ssh", {"hosts": [three_hosts[0] | {"port": 9}]})

    with pytest.raises(Unreachable, match=":9"):
        await driver.find_machine(ref)


async def test_a_connection_that_died_is_made_anew(site, shell, spec, ref):
    made = await site.create_machine(spec)
    await shell("kill $(ps -eo pid,args | grep -E 'sshd(-session)?: root' | grep -v grep | awk '{print $1}') &")

    assert await site.find_machine(ref) == made


async def test_a_user_who_is_not_root_goes_through_sudo(three_hosts, shell, spec, ref):
    await shell(
        "id alice 2>/dev/null || useradd -m -p '*' alice; install -d -o alice -m 700 /home/alice/.ssh;"
        " install -o alice -m 600 /root/.ssh/authorized_keys /home/alice/.ssh/authorized_keys"
    )
    driver = open_site("site", "ssh", {"hosts": [three_hosts[0] | {"user": "alice"}]})
    with pytest.raises(Permanent, match="sudo"):
        await driver.find_machine(ref)

    await shell("echo 'alice ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/alice")
    made = await driver.create_machine(spec)

    assert made.user == "alice"
    assert ref.name in await shell("cat /home/alice/.ssh/authorized_keys")
    assert ref.name not in await shell("cat /root/.ssh/authorized_keys")
    assert await shell("stat -c '%U %a' /home/alice/.ssh/authorized_keys") == "alice 600\n"
    await driver.delete_machine(ref)
    assert ref.name not in await shell("cat /home/alice/.ssh/authorized_keys")
    assert await shell("stat -c '%U %a' /home/alice/.ssh/authorized_keys") == "alice 600\n"
    await driver.close()
