"""Scripts and playbooks on real machines, made by the local site."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import asyncssh
import pytest
import pytest_asyncio

from isthmus.configure import Configurator, Target
from isthmus.sites.contract import Errand, MachineSpec, MachineWant, Ref, Result
from isthmus.sites.errors import Permanent, Unreachable
from isthmus.sites.local.driver import LocalDriver

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]
COUNT = 2
_FORGIVE = "echo PerSourcePenalties no > /etc/ssh/sshd_config.d/99-test.conf; systemctl restart ssh"
"""These tests fail to log in more often than OpenSSH forgives."""


@dataclass
class Lab:
    """Machines that are up, and what configures them."""

    driver: LocalDriver
    configurator: Configurator
    refs: list[Ref]
    targets: list[Target]

    async def script(self, text: str, at: int = 0, timeout: float = 120, **env: str) -> tuple[Result, list[str]]:
        lines: list[str] = []
        errand = Errand("test", "run", {"run": text.encode()}, env, timeout)
        return await self.configurator.run_script(self.targets[at], errand, lines.append), lines

    async def says(self, text: str, at: int = 0) -> str:
        """What a script prints."""
        return "\n".join((await self.script(text, at))[1])

    async def play(
        self, text: str, timeout: float = 300, targets: list[Target] | None = None, **inputs: object
    ) -> tuple[dict[str, Result], str]:
        lines: list[str] = []
        targets = targets or self.targets
        errand = Errand("test", "play.yml", {"play.yml": text.encode()}, {}, timeout, inputs)
        results = await self.configurator.run_playbook(
            targets, {t.name: errand for t in targets}, lambda host, line: lines.append(f"{host} {line}")
        )
        return dict(results), "\n".join(lines)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    public, private = key.export_public_key().decode().strip(), key.export_private_key().decode()
    driver = LocalDriver("local", {})
    await driver.prepare(lambda text: None)
    offer = (await driver.offers(MachineWant(cpus=1, memory=512 * 2**20)))[0]
    deployment = secrets.token_hex(6)
    network = Ref(deployment, "network")
    refs = [Ref(deployment, "front", index) for index in range(COUNT)]
    configurator = Configurator()
    try:
        await driver.create_network(network, {})
        targets = []
        for ref in refs:
            machine = await driver.create_machine(
                MachineSpec(ref, offer.image, offer.flavour, 1, 512 * 2**20, None, public, (network,))
            )
            assert machine.private_address
            target = Target(ref.host, machine.private_address, machine.port, machine.user, private)
            targets.append(replace(target, host_key=await configurator.wait_ready(target, 300)))
        lab = Lab(driver, configurator, refs, targets)
        for at in range(COUNT):
            await lab.says(_FORGIVE, at)
        yield lab
    finally:
        await configurator.close()
        for ref in refs:
            await driver.delete_machine(ref)
        await driver.delete_network(network)
        await driver.close()


# -- readiness --------------------------------------------------------------------------------------


async def test_readiness_answers_the_host_key(lab: Lab) -> None:
    key = await lab.configurator.wait_ready(lab.targets[0], 120)
    assert key == lab.targets[0].host_key
    assert (await lab.says("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")) == key


async def test_another_host_key_is_refused_for_good(lab: Lab) -> None:
    wrong = replace(lab.targets[0], host_key=lab.targets[1].host_key)
    with pytest.raises(Permanent, match="another machine"):
        await lab.configurator.wait_ready(wrong, 120)


async def test_a_host_key_of_another_kind_is_refused_for_good(lab: Lab) -> None:
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode().strip()
    with pytest.raises(Permanent, match="another machine"):
        await lab.configurator.wait_ready(replace(lab.targets[0], host_key=key), 120)


async def test_a_machine_that_lets_nobody_in_is_unreachable(lab: Lab) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with pytest.raises(Unreachable, match="login is refused"):
        await lab.configurator.wait_ready(replace(lab.targets[0], private_key=stranger), 5)


async def test_a_machine_that_is_not_there_is_unreachable(lab: Lab) -> None:
    with pytest.raises(Unreachable, match="not ready after"):
        await lab.configurator.wait_ready(replace(lab.targets[0], port=1, host_key=None), 0.5)


async def test_a_key_that_is_none_is_refused_for_good(lab: Lab) -> None:
    with pytest.raises(Permanent, match="private key cannot be read") as error:
        await lab.configurator.wait_ready(replace(lab.targets[0], private_key="SECRET"), 60)
    assert "SECRET" not in str(error.value)


async def test_another_user_becomes_root(lab: Lab) -> None:
    rule = "'ada ALL=(ALL) NOPASSWD: ALL'"
    await lab.says(
        "useradd -m -p '*' ada; useradd -m -p '*' bob; for u in ada bob; do cp -r /root/.ssh /home/$u/;"
        f" chown -R $u: /home/$u/.ssh; done; echo {rule} > /etc/sudoers.d/ada"
    )
    ada, bob = (replace(lab.targets[0], user=u) for u in ("ada", "bob"))
    assert await lab.configurator.wait_ready(ada, 120) == ada.host_key
    lines: list[str] = []
    await lab.configurator.run_script(ada, Errand("t", "run", {"run": b"id -u"}, {}, 60), lines.append)
    assert lines == ["0"]
    results, _ = await lab.play("- hosts: all\n  tasks: [{command: 'test -w /root'}]", targets=[ada])
    assert results[ada.name] == Result(0)
    with pytest.raises(Unreachable, match="bob cannot become root"):
        await lab.configurator.wait_ready(bob, 6)


# -- scripts ----------------------------------------------------------------------------------------


async def test_a_script_runs_as_root_with_its_inputs_and_leaves_nothing(lab: Lab) -> None:
    text = (
        '#!/bin/bash -e\necho "$GREETING"; id -u; [[ -f run ]] && echo err >&2; pwd\necho "a=b" >> "$ISTHMUS_OUTPUTS"'
    )
    result, lines = await lab.script(text, GREETING='it\'s "$HOME" `id` \\ é\nnext')
    assert result == Result(0, {"a": "b"})
    assert lines[:4] == ['it\'s "$HOME" `id` \\ é', "next", "0", "err"]
    assert await lab.says(f"test -e {lines[4]} && echo there; ls /var/lib/isthmus | wc -l") == "1"


async def test_a_script_sees_the_files_of_its_folder(lab: Lab) -> None:
    files = {"run": b"./bin/tool && cat data/x", "bin/tool": b"#!/bin/sh\necho tool", "data/x": b"1\n2"}
    lines: list[str] = []
    await lab.configurator.run_script(lab.targets[0], Errand("t", "run", files, {}, 60), lines.append)
    assert lines == ["tool", "1", "2"]


async def test_a_failed_script_says_what_it_said_last(lab: Lab) -> None:
    result, lines = await lab.script("echo starting; echo cannot frob >&2; exit 7")
    assert (result.code, result.message) == (7, "exit code 7: starting / cannot frob")
    assert lines == ["starting", "cannot frob"]


async def test_a_script_that_a_signal_ended_has_failed(lab: Lab) -> None:
    result, _ = await lab.script("kill -9 $$")
    assert result.code == 137


async def test_lines_come_while_the_script_runs(lab: Lab) -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()
    errand = Errand("t", "run", {"run": b"echo one; while ! [ -e /run/go ]; do sleep 0.05; done; rm /run/go"}, {}, 120)
    task = asyncio.create_task(lab.configurator.run_script(lab.targets[0], errand, seen.put_nowait))
    assert await asyncio.wait_for(seen.get(), 60) == "one"
    async with asyncssh_connection(lab) as connection:
        await connection.run("touch /run/go", check=True)
    assert (await task).code == 0


async def test_outputs_may_be_json(lab: Lab) -> None:
    result, _ = await lab.script("""echo '{"nodes": ["a", "b"], "n": 2}' > $ISTHMUS_OUTPUTS""")
    assert result == Result(0, {"nodes": ["a", "b"], "n": 2})


async def test_outputs_that_cannot_be_read_fail_the_run(lab: Lab) -> None:
    result, _ = await lab.script("echo nonsense > $ISTHMUS_OUTPUTS")
    assert (result.code, result.message) == (1, "the outputs cannot be read: line 1 of the outputs is not NAME=VALUE")


async def test_a_daemon_that_a_script_leaves_does_not_hold_it_up(lab: Lab) -> None:
    result, lines = await lab.script("sleep 300 & echo done")
    assert (result.code, lines) == (0, ["done"])


async def test_a_late_script_is_killed_with_its_children(lab: Lab) -> None:
    result, _ = await lab.script("sleep 4321 & sleep 4321", timeout=0.5)
    assert (result.code, result.message) == (124, "it was stopped after 0.5 s")
    assert await lab.says("pgrep -fc 'sleep 432[1]'") == "0"


async def test_a_cancelled_script_is_killed_with_its_children(lab: Lab) -> None:
    begun = asyncio.Event()
    errand = Errand("t", "run", {"run": b"echo go; sleep 5432 & sleep 5432"}, {}, 60)
    task = asyncio.create_task(lab.configurator.run_script(lab.targets[0], errand, lambda line: begun.set()))
    await asyncio.wait_for(begun.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await lab.says("pgrep -fc 'sleep 543[2]'") == "0"


async def test_the_script_of_a_killed_server_ends_before_the_next_begins(lab: Lab) -> None:
    begun = asyncio.Event()
    other = Configurator()
    errand = Errand("t", "run", {"run": b"echo go; sleep 6543"}, {}, 60)
    task = asyncio.create_task(other.run_script(lab.targets[0], errand, lambda line: begun.set()))
    await asyncio.wait_for(begun.wait(), 60)
    other._connections.drop(lab.targets[0])  # the socket is gone, as when its process is killed
    with pytest.raises(Unreachable):
        await task
    assert await lab.says("pgrep -fc 'sleep 654[3]'") == "0"
    await other.close()


async def test_two_scripts_take_turns_on_a_machine(lab: Lab) -> None:
    text = "mkdir /run/turn && sleep 0.2 && rmdir /run/turn"
    results = await asyncio.gather(*(lab.script(text) for _ in range(4)))
    assert [result.code for result, _ in results] == [0] * 4


async def test_a_full_disk_is_told_in_the_machines_words(lab: Lab) -> None:
    async with asyncssh_connection(lab) as connection:  # /dev/shm has 64 MiB in a container
        await connection.run("rm -rf /var/lib/isthmus; ln -s /dev/shm /var/lib/isthmus", check=True)
        errand = Errand("t", "run", {"run": b"true", "big": bytes(80 * 2**20)}, {}, 300)
        result = await lab.configurator.run_script(lab.targets[0], errand, lambda line: None)
        assert result.code != 0
        assert "cannot be written" in result.message
        assert "100%" in result.message
        left = await connection.run("ls /dev/shm/; rm /var/lib/isthmus", check=True)
        assert not left.stdout


# -- playbooks --------------------------------------------------------------------------------------


GREET = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {who: nobody}
  tasks:
    - name: greet
      copy: {content: "hello {{ who }}\\n", dest: /tmp/greeting}
    - name: name
      command: hostname
      register: found
      changed_when: false
    - name: a user's own
      command: id -un
      become: true
      become_user: nobody
      register: user
    - set_stats:
        per_host: true
        data: {host: "{{ found.stdout }}", user: "{{ user.stdout }}"}
"""


async def test_a_playbook_runs_on_all_machines_and_brings_outputs(lab: Lab) -> None:
    results, log = await lab.play(GREET, who="{{ 1 + 1 }}")
    for at, target in enumerate(lab.targets):
        assert results[target.name] == Result(0, {"host": target.name, "user": "nobody"})
        assert await lab.says("cat /tmp/greeting", at) == "hello {{ 1 + 1 }}"
        assert f"{target.name} TASK [greet] changed" in log
        assert f"{target.name} TASK [name] ok" in log


async def test_a_playbook_that_has_run_changes_nothing_again(lab: Lab) -> None:
    await lab.play(GREET)
    _, log = await lab.play(GREET)
    assert "TASK [greet] ok" in log
    assert "[greet] changed" not in log


async def test_each_machine_has_its_own_inputs(lab: Lab) -> None:
    play = b"- hosts: all\n  gather_facts: false\n  tasks: [{set_stats: {per_host: true, data: {mine: '{{ n }}'}}}]"
    errands = {t.name: Errand("t", "p", {"p": play}, {}, 300, {"n": i}) for i, t in enumerate(lab.targets)}
    results = await lab.configurator.run_playbook(lab.targets, errands, lambda host, line: None)
    assert [results[t.name].outputs for t in lab.targets] == [{"mine": 0}, {"mine": 1}]


async def test_a_failure_names_host_task_and_message(lab: Lab) -> None:
    first, second = (t.name for t in lab.targets)
    play = f"""
- hosts: all
  gather_facts: false
  tasks:
    - name: frob
      shell: echo cannot frob >&2; exit 3
      when: inventory_hostname == '{second}'
"""
    results, log = await lab.play(play)
    assert results[first] == Result(0)
    assert results[second].code == 2
    assert "TASK [frob]" in results[second].message
    assert "cannot frob" in results[second].message
    assert f"{second} TASK [frob] failed" in log


async def test_a_failure_that_is_rescued_is_none(lab: Lab) -> None:
    play = "- hosts: all\n  gather_facts: false\n  tasks: [{block: [{fail: {}}], rescue: [{debug: {msg: saved}}]}]"
    results, log = await lab.play(play)
    assert [r.code for r in results.values()] == [0] * COUNT
    assert "saved" in log


async def test_hidden_tasks_stay_hidden(lab: Lab) -> None:
    play = "- hosts: all\n  gather_facts: false\n  tasks: [{shell: 'echo S3CRET >&2; exit 1', no_log: true}]"
    results, log = await lab.play(play)
    assert "S3CRET" not in f"{results}{log}"
    assert "no_log" in log


async def test_facts_are_there_when_a_playbook_names_one(lab: Lab) -> None:
    play = "- hosts: all\n  tasks: [{set_stats: {per_host: true, data: {os: '{{ ansible_distribution }}'}}}]"
    results, log = await lab.play(play)
    assert [r.outputs for r in results.values()] == [{"os": "Debian"}] * COUNT
    _, log = await lab.play("- hosts: all\n  tasks: [{debug: {msg: plain}}]")
    assert "Gathering" not in log


async def test_facts_of_a_hostile_machine_are_no_templates(lab: Lab) -> None:
    evil = "{{ lookup(\\'pipe\\', \\'id\\') }}{{ 1 + 1 }}"
    await lab.says(f"mkdir -p /etc/ansible/facts.d; printf '%s' $'{{\"x\": \"{evil}\"}}' > /tmp/f;"
                   " bash -c 'cp /tmp/f /etc/ansible/facts.d/evil.fact'")  # fmt: skip
    play = "- hosts: all\n  tasks: [{debug: {msg: \"{{ ansible_local.evil | default('none') }}\"}}]"
    results, log = await lab.play(play, targets=lab.targets[:1])
    assert results[lab.targets[0].name].code == 0
    assert "uid=" not in log
    await lab.says("rm -r /etc/ansible")


async def test_a_task_is_delegated_to_another_machine_of_the_run(lab: Lab) -> None:
    first, second = (t.name for t in lab.targets)
    play = f"""
- hosts: {first}
  gather_facts: false
  tasks:
    - command: hostname
      delegate_to: {second}
      register: found
    - set_stats: {{data: {{there: "{{{{ found.stdout }}}}"}}}}
"""
    results, _ = await lab.play(play)
    assert results[first].outputs == {"there": second}


async def test_asynchronous_tasks_and_files_of_any_size_work(lab: Lab) -> None:
    play = b"""
- hosts: all
  gather_facts: false
  tasks:
    - command: sleep 0.2
      async: 20
      poll: 1
    - copy: {src: big, dest: /tmp/big}
    - fetch: {src: /tmp/big, dest: fetched/}
    - stat: {path: /tmp/big}
      register: found
    - set_stats: {data: {size: "{{ found.stat.size }}"}}
"""
    errand = Errand("t", "play.yml", {"play.yml": play, "big": secrets.token_bytes(9 * 2**20)}, {}, 300)
    name = lab.targets[0].name
    results = await lab.configurator.run_playbook(lab.targets[:1], {name: errand}, lambda host, line: None)
    assert results[name] == Result(0, {"size": 9 * 2**20})


async def test_a_machine_that_does_not_answer_is_told_apart(lab: Lab) -> None:
    gone = replace(lab.targets[1], port=1)
    results, _ = await lab.play("- hosts: all\n  tasks: [{ping: }]", targets=[lab.targets[0], gone])
    assert results[lab.targets[0].name].code == 0
    assert results[gone.name].code == 255
    assert gone.name in results[gone.name].message


async def test_a_late_playbook_is_stopped_here_and_there(lab: Lab) -> None:
    results, _ = await lab.play("- hosts: all\n  gather_facts: false\n  tasks: [{command: sleep 7654}]", timeout=6)
    assert [r.code for r in results.values()] == [124] * COUNT
    for at in range(COUNT):
        assert await lab.says("pgrep -fc 'sleep 765[4]'", at) == "0"


async def test_a_cancelled_playbook_is_stopped_here_and_there(lab: Lab) -> None:
    play = "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: go}}, {command: sleep 8765}]"
    begun = asyncio.Event()
    errand = Errand("t", "play.yml", {"play.yml": play.encode()}, {}, 300)
    errands = {t.name: errand for t in lab.targets}
    task = asyncio.create_task(lab.configurator.run_playbook(lab.targets, errands, lambda *_: begun.set()))
    await asyncio.wait_for(begun.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for at in range(COUNT):
        assert await lab.says("pgrep -fc 'sleep 876[5]'", at) == "0"


async def test_a_syntax_error_is_told_with_its_place(lab: Lab) -> None:
    results, _ = await lab.play("- hosts: all\n  tasks:\n    - command: a\n      copy: {}\n")
    result = results[lab.targets[0].name]
    assert result.code == 2
    assert "play.yml:3" in result.message
    assert "isthmus-" not in result.message


# -- images and endings -----------------------------------------------------------------------------


async def test_a_machine_is_cleaned_for_an_image_and_lives_on(lab: Lab) -> None:
    await lab.says("echo history > /root/.bash_history; echo x > /tmp/left; echo x > /var/log/left.log.1")
    identity = await lab.says("cat /etc/machine-id")
    assert len(identity) == 32
    await lab.configurator.clean_for_image(lab.targets[0])
    left = "ls /root/.bash_history /tmp/left /var/log/left.log.1 /var/lib/apt/lists/* 2>/dev/null"
    assert await lab.says(f"cat /etc/machine-id; {left}; find /var/log -name '*.log' -size +0") == ""
    await lab.configurator.restore_after_image(lab.targets[0])
    assert await lab.says("cat /etc/machine-id") == identity


async def test_a_machine_that_goes_away_in_the_middle_is_unreachable(lab: Lab) -> None:
    begun = asyncio.Event()
    errand = Errand("t", "run", {"run": b"echo go; sleep 60"}, {}, 60)
    script = asyncio.create_task(lab.configurator.run_script(lab.targets[1], errand, lambda line: begun.set()))
    await asyncio.wait_for(begun.wait(), 60)
    await lab.driver.stop_machine(lab.refs[1])
    with pytest.raises(Unreachable):
        await script
    results, _ = await lab.play("- hosts: all\n  tasks: [{ping: }]", targets=[lab.targets[1]])
    assert results[lab.targets[1].name].code == 255
    await lab.driver.start_machine(lab.refs[1])
    await lab.configurator.wait_ready(lab.targets[1], 300)


async def test_a_machine_that_goes_away_under_a_playbook_is_unreachable(lab: Lab) -> None:
    begun = asyncio.Event()
    play = "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: go}}, {command: sleep 60}]"
    errand = Errand("t", "play.yml", {"play.yml": play.encode()}, {}, 300)
    target = lab.targets[1]
    run = asyncio.create_task(lab.configurator.run_playbook([target], {target.name: errand}, lambda *_: begun.set()))
    await asyncio.wait_for(begun.wait(), 60)
    await asyncio.sleep(0.5)
    await lab.driver.delete_machine(lab.refs[1])
    assert (await run)[target.name].code == 255


def asyncssh_connection(lab: Lab) -> asyncssh.misc._ACMWrapper[asyncssh.SSHClientConnection]:
    """A connection of the test's own."""
    target = lab.targets[0]
    return asyncssh.connect(
        target.host, target.port, username=target.user, known_hosts=None,
        client_keys=[asyncssh.import_private_key(target.private_key)],
    )  # fmt: skip
