"""The configure layer's one entrance: what the engine calls to bring machines to their state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from isthmus.configure.clean import Cleaning
from isthmus.configure.connections import Connections
from isthmus.configure.nurseries import Nursery
from isthmus.configure.playbooks import run_playbook
from isthmus.configure.ready import wait_ready
from isthmus.configure.sandbox import measure
from isthmus.configure.scripts import run_script
from isthmus.configure.target import Target
from isthmus.sites.contract import Errand, Result


class Configurator:
    """Runs operations on machines over SSH. One serves a whole server; :meth:`close` it at the end."""

    def __init__(self, idle: float = 300.0):
        self._connections = Connections(idle)
        self._cleaning = Cleaning(self._connections)
        self._nursery = Nursery()

    async def wait_ready(self, target: Target, timeout: float) -> str:
        """Wait until ``target`` takes commands as root; answers its host key as one OpenSSH line.

        Raises :class:`~isthmus.sites.errors.Unreachable` after ``timeout`` seconds, and
        :class:`~isthmus.sites.errors.Permanent` when the machine proves another host key than the target's.
        """
        return await wait_ready(self._connections, target, timeout)

    async def run_script(self, target: Target, errand: Errand, line: Callable[[str], None]) -> Result:
        """Run ``errand.entry`` as root by its shebang (``/bin/sh`` without one), in a folder of its own.

        ``line`` gets each line of stdout and stderr as it is printed. The script's inputs are its
        environment; it writes outputs, as ``NAME=VALUE`` lines or one JSON object, to the file that
        ``$ISTHMUS_OUTPUTS`` names. Code 124 means that ``errand.timeout`` passed; the errand's process group is
        killed then, and when the call is cancelled. Raises :class:`~isthmus.sites.errors.Unreachable` when
        the machine goes away.
        """
        return await run_script(self._connections, target, errand, line)

    async def run_playbook(
        self, targets: Sequence[Target], errands: Mapping[str, Errand], line: Callable[[str, str], None]
    ) -> Mapping[str, Result]:
        """Run the playbook ``errand.entry`` over all targets at once; ``errands`` has one by target name.

        The answer has a result for each target. Code 255 means that the machine did not answer or went away
        (try again), 124 that the time was over, another one but 0 that a task failed: ``message`` names it.
        ``line`` gets target and text for each task as it ends.

        ``errand.variables`` are the playbook's inputs: they stand in for the play's own ``vars`` of the same name
        and are never templates. Outputs are what ``set_stats`` gives, for one machine or for all.
        ``hosts: localhost`` and ``connection: local`` mean the machine, never the server, which a playbook
        cannot reach, read or change; facts are gathered when the play says so or any file of the bundle
        names one.
        """
        return await run_playbook(self._connections, self._nursery, targets, errands, line)

    async def clean_for_image(self, target: Target) -> None:
        """Empty caches, logs, histories and the machine's identity; what is installed stays.

        Host keys and authorized keys are the driver's to remove. :meth:`restore_after_image` gives the
        machine, which lives on, its identity back; so does the machine itself when the server dies before.
        """
        await self._cleaning.clean(target)

    async def restore_after_image(self, target: Target) -> None:
        """Give a machine back what :meth:`clean_for_image` took and only an image must lack."""
        await self._cleaning.restore(target)

    @staticmethod
    def confinement() -> str:
        """What holds playbooks on this server, such as ``Landlock ABI 7, seccomp``, and what is missing."""
        return str(measure())

    async def close(self) -> None:
        """Let go of all connections, and of the process that runs playbooks."""
        await self._nursery.close()
        await self._connections.close()
