"""What a machine is loosened by when its users shall run containers in it, and what never is."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.sites.local import nesting


def engine(*security: str, podman: bool = False) -> Any:
    return SimpleNamespace(info={"SecurityOptions": list(security)}, is_podman=podman, is_here=False)


def call_filter(changed: dict[str, Any]) -> Any:
    (text,) = [o.removeprefix("seccomp=") for o in changed["SecurityOpt"] if o.startswith("seccomp=")]
    return text if text == "unconfined" else json.loads(text)


def test_a_guarded_machine_has_fuse_and_namespaces_and_the_covers_of_proc():
    changed = nesting.settings(engine(), "guarded")

    assert [d["PathInContainer"] for d in changed["Devices"]] == ["/dev/fuse"]
    assert changed.keys() == {"Devices", "SecurityOpt"}
    (refused,) = call_filter(changed)["syscalls"]
    assert refused["action"] == "SCMP_ACT_ERRNO"
    assert {"init_module", "kexec_load", "bpf", "open_by_handle_at", "reboot"} <= set(refused["names"])
    assert not {"unshare", "clone", "clone3", "mount", "setns", "pivot_root"} & set(refused["names"])


def test_only_a_full_one_has_proc_uncovered():
    changed = nesting.settings(engine(), "full")
    assert (changed["MaskedPaths"], changed["ReadonlyPaths"]) == ([], [])


@pytest.mark.parametrize(("permitted", "unmasked"), [("guarded", False), ("full", True)])
def test_podman_is_told_in_its_own_words(permitted, unmasked):
    changed = nesting.settings(engine(podman=True), permitted)

    assert call_filter(changed) == "unconfined"
    assert ("unmask=ALL" in changed["SecurityOpt"]) is unmasked


def test_the_engines_own_profile_of_apparmor_which_refuses_mounts_is_put_away():
    assert "apparmor=unconfined" in nesting.settings(engine("name=apparmor", "name=seccomp"), "guarded")["SecurityOpt"]
    assert "apparmor=unconfined" not in nesting.settings(engine("name=seccomp"), "guarded")["SecurityOpt"]


def test_a_host_without_fuse_refuses_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(nesting, "FUSE", str(tmp_path / "fuse"))
    here = engine()
    here.is_here = True

    assert "modprobe fuse" in nesting.refusal(here, "guarded")
    (tmp_path / "fuse").touch()
    assert nesting.refusal(here, "guarded") is None
