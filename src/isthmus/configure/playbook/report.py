"""Tells the server what happens, as JSON lines: tasks as they end on each machine, and results at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

from ansible.plugins.callback import CallbackBase

TEXT_LIMIT = 16 * 1024


class Reporter(CallbackBase):  # type: ignore[misc]
    """An Ansible callback that writes events to the server's stream."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "isthmus"

    def __init__(self, stream: BinaryIO, hosts: list[str]):
        super().__init__()
        self._stream = stream
        self._hosts = hosts
        self._failures: dict[str, str] = {}
        self._plays_missed: list[str] = []
        self._play = ""
        self._init_callback_methods()

    # -- what Ansible calls ---------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play.get_name()

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._plays_missed.append(self._play)

    def v2_runner_on_ok(self, result: Any) -> None:
        data = result.result
        self._tell(result, "changed" if data.get("changed") else "ok", _shown(result))

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._tell(result, "skipped")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        why = _explain(result.result)
        self._tell(result, "failed, ignored" if ignore_errors else "failed", why)
        if not ignore_errors:
            self._failures[result.host.get_name()] = f"TASK [{result.task_name}] {why}"

    def v2_runner_on_unreachable(self, result: Any) -> None:
        why = _explain(result.result)
        self._tell(result, "unreachable", why)
        self._failures[result.host.get_name()] = f"TASK [{result.task_name}] {why}"

    def v2_runner_retry(self, result: Any) -> None:
        data = result.result
        self._tell(result, f"failed, try {data.get('attempts')} of {data.get('retries')}")

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._tell(result, f"failed for {_item(result)}", _explain(result.result))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        common = _plain(stats.custom.get("_run", {}))
        for host in self._hosts:
            counts = stats.summarize(host)
            code = 255 if counts["unreachable"] else 2 if counts["failures"] else 0
            message = self._failures.get(host, "a task failed") if code else ""
            if code == 0 and self._plays_missed:
                code, message = 2, f"the play {self._plays_missed[0]!r} is for no machine of this deployment"
            outputs = {**common, **_plain(stats.custom.get(host, {}))}
            self.end(host, code, message, outputs)

    # -- what goes to the server ----------------------------------------------------------------

    def end(self, host: str, code: int, message: str, outputs: Mapping[str, Any] | None = None) -> None:
        """Give a machine's result; only the first one counts."""
        self._send({"end": host, "code": code, "message": message[:TEXT_LIMIT], "outputs": dict(outputs or {})})

    def say(self, host: str, text: str) -> None:
        """One line, or several, of a machine's log."""
        self._send({"host": host, "text": text[:TEXT_LIMIT]})

    def _tell(self, result: Any, outcome: str, more: str = "") -> None:
        name = result.task_name or result.task_fields.get("action") or "task"
        self.say(result.host.get_name(), f"TASK [{name}] {outcome}{': ' if more else ''}{more}")

    def _send(self, event: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(event).encode() + b"\n")
        self._stream.flush()


def _shown(result: Any) -> str:
    """What a debug task wants to be seen."""
    if result.task_fields.get("action") not in ("debug", "ansible.builtin.debug"):
        return ""
    data = result.result
    if "censored" in data:
        return "(hidden by no_log)"
    shown = {k: v for k, v in data.items() if k not in ("changed", "failed") and not k.startswith("_ansible")}
    return _text(shown["msg"]) if shown.keys() == {"msg"} else _text(shown)


def _explain(data: Mapping[str, Any]) -> str:
    """Why a task failed, in its module's own words."""
    if "censored" in data:
        return "(hidden by no_log)"
    parts = [_text(data.get("message") or data.get("msg") or data.get("reason") or "it failed")]
    for name in ("stderr", "module_stderr", "stdout"):
        said = str(data.get(name) or "").strip()
        if said and said not in parts[0]:
            parts.append("\n".join(said.splitlines()[-5:]))
            break
    failed = [r for r in data.get("results") or () if isinstance(r, dict) and r.get("failed")]
    if failed:
        parts.append(_explain(failed[0]))
    return ": ".join(parts)


def _item(result: Any) -> str:
    data = result.result
    return _text(data.get("_ansible_item_label", data.get("item", "an item")))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return loaded
