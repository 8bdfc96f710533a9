"""A machine as the configure layer reaches it: by SSH, with the deployment's key."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """Where a machine answers and who logs in.

    ``name`` is the machine's host name in its deployment. ``private_key`` is OpenSSH PEM text.
    ``host_key`` is one line of OpenSSH public key that the machine must prove; None trusts the first
    contact, which :meth:`~isthmus.configure.Configurator.wait_ready` answers with.
    """

    name: str
    host: str
    port: int
    user: str
    private_key: str = field(repr=False)
    host_key: str | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.user}@{self.host}:{self.port})"
