"""The one way from a playbook to a machine: frames to the machine's agent, by way of the server.

Ansible loads this by its name. It knows neither address nor key; the server refuses what is no machine of
the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.connection import ConnectionBase

from isthmus.configure.playbook.door import Door, Refused, Unreachable
from isthmus.configure.playbook.frames import CHUNK, Header

DOCUMENTATION = """
    name: isthmus
    short_description: reaches a machine of the deployment through the server
    description: Commands and files go to the agent on the machine.
    extends_documentation_fragment:
        - connection_pipelining
    options:
        machine:
            description: Name of the machine.
            type: str
            vars:
                - name: isthmus_machine
        python:
            description: The interpreter that the agent itself runs with.
            type: str
            vars:
                - name: isthmus_python
"""


class Connection(ConnectionBase):  # type: ignore[misc]
    """One task's way to one machine."""

    transport = "isthmus"
    has_pipelining = True

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._door: Door | None = None

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(
        self, cmd: str | bytes, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        command = cmd.decode() if isinstance(cmd, bytes) else cmd
        fresh = f"/bin/sh -c '{self.get_option('python')} && sleep 0'"
        operation = "module" if in_data and command == fresh else "command"
        header, body = self._ask({"op": operation, "command": command}, in_data or b"")
        size = header["out"]
        return header["code"], body[:size], body[size:]

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        with Path(in_path).open("rb") as file:
            first = True
            while (data := file.read(CHUNK)) or first:
                self._ask({"op": "put", "path": out_path, "append": not first}, data)
                first = False

    def fetch_file(self, in_path: str, out_path: str) -> None:
        super().fetch_file(in_path, out_path)
        offset = 0
        with Path(out_path).open("wb") as file:
            while True:
                _, data = self._ask({"op": "get", "path": in_path, "offset": offset, "size": CHUNK}, b"")
                file.write(data)
                offset += len(data)
                if len(data) < CHUNK:
                    return

    def reset(self) -> None:
        self.close()

    def close(self) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None
        self._connected = False

    def _ask(self, header: Header, body: bytes) -> tuple[Header, bytes]:
        try:
            if self._door is None:
                self._door = Door(str(self.get_option("machine") or self._play_context.remote_addr))
            answer, out = self._door.ask(header, body)
        except Unreachable as error:
            raise AnsibleConnectionFailure(str(error)) from error
        except Refused as error:
            raise AnsibleError(str(error)) from error
        if "error" in answer:
            raise AnsibleError(str(answer["error"]))
        return answer, out
