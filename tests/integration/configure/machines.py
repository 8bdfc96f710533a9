"""A machine for tests that need none: it takes note of what it is asked, and says that all is well."""

from __future__ import annotations

from dataclasses import dataclass, field

from isthmus.configure.playbook.frames import Header


@dataclass
class PaperMachine:
    """Every command ends well and prints an empty JSON object, which Ansible takes for a module's result."""

    asked: list[tuple[Header, bytes]] = field(default_factory=list)

    async def start(self) -> str:
        return "/usr/bin/python3"

    async def ask(self, header: Header, body: bytes) -> tuple[Header, bytes]:
        self.asked.append((header, body))
        out = b"{}\n" if header["op"] in ("command", "module") else b""
        return {"code": 0, "out": len(out)}, out

    async def stop(self) -> None:
        return None

    @property
    def received(self) -> bytes:
        """All that the machine was sent."""
        return b"\n".join(repr(header).encode() + body for header, body in self.asked)
