"""The options of `isthmus interlink`: what goes together, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from isthmus.api.dialects.interlink.ping import NodeFace
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.api.dialects.interlink.wire import Taint
from isthmus.cli.commands import interlink
from isthmus.cli.failures import USAGE, Failure


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What would be served, and where; nothing is."""
    from isthmus import logs
    from isthmus.api.dialects.interlink import serving

    kept: dict[str, Any] = {}
    monkeypatch.setattr(logs, "set_up_logging", lambda level: None)
    monkeypatch.setattr(serving, "serve", lambda opened, where: kept.update(opened=opened, where=where))
    for name in ("plugin_app", "edge_of_site", "edge_of_plugin"):
        monkeypatch.setattr(serving, name, lambda *given, name=name: (name, *given))
    return kept


def call(*words: str) -> Failure | None:
    result = CliRunner().invoke(interlink.app, list(words))
    if isinstance(result.exception, Failure):
        return result.exception
    assert result.exit_code == 0, result.output
    return None


def test_a_plugin_listens_on_loopback_by_itself(served: dict[str, Any]) -> None:
    assert call("plugin", "--site", "hpc") is None
    assert served["where"].address == "127.0.0.1:4000"
    kind, _, policy, face, limit = served["opened"]
    assert (kind, policy, face, limit) == ("plugin_app", Policy(), NodeFace(), 32 * 1024**2)


def test_what_an_operator_allows_and_says(served: dict[str, Any]) -> None:
    assert call(
        "api", "--site", "hpc", "--socket", "/run/edge.sock", "--host-path", "/scratch", "--image-path", "/srv/images",
        "--confined",
        "--restarts", "never",
        "--allow-pre-exec", "--tolerate", "securityContext.privileged", "--runtime-option", "--overlay", "--flavor",
        "gpu=--partition=gpu --gres=gpu:1", "--option", "partition=main", "--accelerator", "site.org/h100=h100",
        "--resource", "cpu=128", "--resource", "nvidia.com/gpu=4", "--taint", "site/gpu=yes:NoSchedule",
        "--body-limit", "1",
    ) is None  # fmt: skip
    kind, _, policy, face, limit = served["opened"]
    assert (kind, limit, served["where"].address) == ("edge_of_site", 1024**2, "")
    assert (policy.host_paths, policy.confined, policy.restarts, policy.pre_exec) == (
        ("/scratch",),
        True,
        "Never",
        True,
    )
    assert policy.image_paths == ("/cvmfs", "/srv/images")
    assert policy.tolerated == ("securityContext.privileged",)
    assert "--overlay" in policy.runtime_options
    assert policy.flavors == {"gpu": "--partition=gpu --gres=gpu:1"}
    assert policy.accelerators["site.org/h100"] == "h100"
    assert face == NodeFace(
        cpu="128", accelerators={"nvidia.com/gpu": "4"}, partition="main",
        taints=(Taint(key="site/gpu", value="yes", effect="NoSchedule"),),
    )  # fmt: skip


def test_a_plugin_elsewhere(served: dict[str, Any]) -> None:
    assert call("api", "--plugin", "https://hpc:4000", "--plugin-token-file", "/t") is None
    kind, address, _ = served["opened"]
    assert (kind, address.url, str(address.token_file)) == ("edge_of_plugin", "https://hpc:4000", "/t")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["api", "--plugin", "http://127.0.0.1:1", "--site", "s", "--confined"],
            "--site, --confined would say nothing",
        ),
        (["api"], "Give --site"),
        (["api", "--site", "s", "--plugin-ca", "x"], "Give --site"),
        (["plugin", "--site", "s", "--resource", "cpu=many"], "no quantity"),
        (["plugin", "--site", "s", "--resource", "cpu"], "no NAME=VALUE"),
        (["plugin", "--site", "s", "--taint", "a=b:Bogus"], "KEY=VALUE:EFFECT"),
        (["plugin", "--site", "s", "--host-path", "scratch"], "no absolute path"),
        (["plugin", "--site", "s", "--image-path", "images"], "no absolute path"),
    ],
)
def test_what_does_not_go_together(served: dict[str, Any], words: list[str], said: str) -> None:
    failure = call(*words)
    assert failure is not None
    assert said in failure.summary
    assert failure.code == USAGE
    assert not served
