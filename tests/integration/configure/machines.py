"""A machine for tests that need none: it takes note of what it is asked, and says that all is well."""

from __future__ import annotations

from dataclasses import dataclass, field

from isthmus.configure.playbook.frames import Header

_RESULT = (
    b'{"stat": {"exists": true, "isdir": false, "checksum": "1", "path": "/tmp/a", "size": 1},'
    b' "encoding": "base64", "content": "YQ==", "source": "/tmp/a"}\n'
)


@dataclass
class PaperMachine:
    """Every command ends well and prints a module's result: that of ``stat`` on a file, which suits the others too."""

    asked: list[tuple[Header, bytes]] = field(default_factory=list)

    async def start(self) -> str:
        return "/usr/bin/python3"

    async def ask(self, header: Header, body: bytes) -> tuple[Header, bytes]:
        self.asked.append((header, body))
        out = _RESULT if header["op"] in ("command", "module") else b""
        return {"code": 0, "out": len(out)}, out

    async def stop(self) -> None:
        return None

    @property
    def received(self) -> bytes:
        """All that the machine was sent."""
        return b"\n".join(repr(header).encode() + body for header, body in self.asked)
