"""What the scripts of the templates share, run by bash on files of the test alone."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from isthmus import catalogue

FOLDER = Path(catalogue.__file__).parent

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are for bash")


def bash(text, **env):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], capture_output=True, text=True, env=os.environ | env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def function(path, name):
    """The text of one function of a script."""
    text = (FOLDER / path).read_text()
    return text[text.index(f"\n{name}() {{\n") :].partition("\n}\n")[0] + "\n}\n"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.sh")), ids=lambda p: str(p.relative_to(FOLDER)))
def test_bash_understands_it(path):
    bash('bash -n "$file"', file=str(path))


@pytest.mark.parametrize("path", [
    "slurm-cluster/scripts/configure-controller.sh",
    "htcondor-pool/scripts/configure.sh",
    "dask-cluster/scripts/configure.sh",
])  # fmt: skip
@pytest.mark.parametrize(("size", "mebibytes"), [
    ("1 GiB", 921), ("2GiB", 1843), ("1 gib", 921), ("512 MiB", 460), ("1 GB", 858), ("1073741824 B", 921),
    ("1073741824", 921), ("1048576 KiB", 921), ("0", 0),
])  # fmt: skip
def test_nine_tenths_of_the_memory_are_promised_to_jobs(path, size, mebibytes):
    assert int(bash(function(path, "mebibytes") + 'mebibytes "$size"', size=size)) == mebibytes


def test_slurm_conf_gives_each_worker_its_own_address():
    script = "slurm-cluster/scripts/configure-controller.sh"
    text = "".join(function(script, f) for f in ("mebibytes", "node_lines"))
    text += next(line + "\n" for line in (FOLDER / script).read_text().splitlines() if line.startswith("words()"))

    lines = bash(
        text + "node_lines",
        worker_names='["worker-0", "worker-2"]',
        worker_addresses='["10.0.0.5", "fd00::7"]',
        worker_cpus="2",
        worker_memory="2 GiB",
    ).splitlines()

    assert lines[0] == "NodeName=worker-0 NodeAddr=10.0.0.5 CPUs=2 RealMemory=1843 State=UNKNOWN"
    assert lines[1] == "NodeName=worker-2 NodeAddr=fd00::7 CPUs=2 RealMemory=1843 State=UNKNOWN"
    assert lines[2].startswith("PartitionName=main Nodes=ALL Default=YES")
    assert lines[2].endswith("DefMemPerCPU=921")


def test_a_munge_key_is_long_and_only_the_secret_decides_it():
    key = f'. "{FOLDER}/slurm-cluster/scripts/common.sh"; key_of "$secret"'

    first, again, other = (bash(key, secret=s) for s in ("one secret", "one secret", "another"))

    assert first == again != other
    assert 32 <= len(first) <= 1024
    assert "one secret" not in first


def test_a_file_that_changed_stays_unread_until_its_daemon_has_read_it(tmp_path):
    user = bash("id -un").strip()
    script = f"""
        . "{FOLDER}/slurm-cluster/scripts/common.sh"
        unread="$work/unread"
        file="$work/slurm.conf"
        put "$file" {user}: 640 <<<one; is_unread slurm.conf && echo new
        note_read slurm.conf
        put "$file" {user}: 640 <<<one; is_unread slurm.conf || echo same
        put "$file" {user}: 640 <<<two; is_unread slurm.conf && echo changed
        stat --format=%a "$file"
        cat "$file"
    """

    assert bash(script, work=str(tmp_path)).split() == ["new", "same", "changed", "640", "two"]


def test_machines_that_share_a_home_and_come_at_once_make_it_once_and_whole(tmp_path):
    script = f"""
        . "{FOLDER}/slurm-cluster/scripts/common.sh"
        for i in {{1..8}}; do make_home "$(id -un)" "$work/ada" & pids+=($!); done
        for pid in "${{pids[@]}}"; do wait "$pid"; done
        make_home "$(id -un)" "$work/ada"
        touch "$work/ada/mine"; make_home "$(id -un)" "$work/ada"
        stat --format=%a "$work/ada"
    """

    assert bash(script, work=str(tmp_path)).split() == ["700"]
    assert [f.name for f in tmp_path.iterdir()] == ["ada"]
    kept = {f.name for f in (tmp_path / "ada").iterdir()}
    assert kept == {f.name for f in Path("/etc/skel").iterdir()} | {"mine"}


@pytest.mark.parametrize(("name", "role", "first"), [
    ("slurm-cluster", "worker", "slurmd"), ("htcondor-pool", "manager", "condor"),
])  # fmt: skip
def test_packages_that_are_asked_for_are_installed_with_the_others(name, role, first):
    text = function(f"{name}/scripts/install.sh", "packages_of_role") + "packages_of_role"
    common = {"role": role, "accounting": "false", "rest_api": "false"}

    some = bash(text, packages='["gcc", "libstdc++-14-dev"]', containers="false", **common).split()
    none = bash(text, packages="[]", containers="true", **common).split()

    assert some[0] == none[0] == first
    assert some[-2:] == ["gcc", "libstdc++-14-dev"]
    assert "apptainer/unstable" in none
    assert "apptainer/unstable" not in some
