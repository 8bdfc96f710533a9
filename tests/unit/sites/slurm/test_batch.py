"""The batch module against commands that play Slurm: what is asked of it, how often, and what its silence means."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from isthmus.sites.slurm.remote import Batch
from isthmus.sites.slurm.remote.commands import Commands, clean_environment
from isthmus.sites.slurm.remote.facilities import read_partitions
from isthmus.work.runner.failures import Temporary

COMMAND = """#!/bin/sh
# Notes its arguments, one a line, and does what the file of its name says.
name=${0##*/}
line=$name
for one in "$@"; do line="$line\t$one"; done
printf '%s\\n' "$line" >>"HERE/asked"
env >"HERE/env-$name"
if [ -e "HERE/$name.err" ]; then cat "HERE/$name.err" >&2; exit 1; fi
if [ -e "HERE/$name.$2" ]; then cat "HERE/$name.$2"; exit; fi
if [ -e "HERE/$name.out" ]; then cat "HERE/$name.out"; fi
"""


class Slurm:
    """Commands that answer what a test wrote down."""

    def __init__(self, place: Path):
        self.place = place
        self.root = place / "root"
        self.clock = 1000.0
        for name in ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo", "sacctmgr"):
            file = place / name
            file.write_text(COMMAND.replace("HERE", str(place)))
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
        self.says("scontrol.config", "AccountingStorageType   = accounting_storage/slurmdbd\n")
        self.says("scontrol.partition", "PartitionName=main Default=YES MaxTime=1-00:00:00 State=UP\n")
        self.batch = Batch({"bin": str(place), "timeout": 120}, self.root, clock=lambda: self.clock)

    def says(self, name: str, text: str) -> None:
        (self.place / name).write_text(text)

    def fails(self, name: str, text: str) -> None:
        self.says(f"{name}.err", text)

    def recovers(self, name: str) -> None:
        (self.place / f"{name}.err").unlink()

    def asked(self, *names: str) -> list[list[str]]:
        file = self.place / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line.split("\t") for line in lines if not names or line.split("\t")[0] in names]

    def entry(self, number: int, indices: tuple[int, ...] = (0,), array: bool = False) -> dict[str, Any]:
        id = f"{number:012x}-1"
        folder = self.root / "submissions" / id
        folder.mkdir(parents=True, exist_ok=True)
        brief = {"id": id, "indices": list(indices), "grace": 30, "inputs": [], "files": [], "outputs": [], "name": ""}
        (folder / "brief.json").write_text(json.dumps(brief))
        spec = {"resources": {"tasks": 1, "nodes": 1}, "array": list(indices) if array else None}
        order = {"id": id, "name": "n", "indices": list(indices), "spec": spec}
        return {"id": id, "folder": folder, "order": order, "command": ["python3", "run it"]}


@pytest.fixture
def slurm(tmp_path: Path) -> Slurm:
    return Slurm(tmp_path)


def row(job: int, state: str, array: str = "N/A", reason: str = "None", name: str = "") -> str:
    return f"{job}|{job}|{array}|{state}|100|200|300|node-1|{reason}|{name}\n"


def test_what_is_handed_over_has_its_id_written_down(slurm: Slurm):
    entries = [slurm.entry(n) for n in range(20)] + [slurm.entry(20, (1, 2), array=True)]
    slurm.says("sbatch.out", "77;cluster\n")

    assert list(slurm.batch.submit(entries)) == [None] * 21

    assert (entries[0]["folder"] / "site-id").read_text() == "77"
    assert (entries[20]["folder"] / "site-id").read_text() == "77_*"
    asked = slurm.asked("sbatch")
    assert len(asked) == 21
    assert all(one[-2:] == ["python3", "run it"] for one in asked)


def test_a_refusal_is_told_and_nothing_written(slurm: Slurm):
    slurm.fails("sbatch", "sbatch: error: Batch job submission failed: Invalid qos specification\n")

    [told] = slurm.batch.submit([entry := slurm.entry(1)])

    assert told == {"kind": "permanent", "message": "Batch job submission failed: Invalid qos specification"}
    assert not (entry["folder"] / "site-id").exists()


def test_any_number_of_tasks_is_one_question(slurm: Slurm):
    entries = [slurm.entry(n) for n in range(300)]
    slurm.says("squeue.out", "".join(row(n + 1, "RUNNING") for n in range(300)))

    told = slurm.batch.query({entry["id"]: str(n + 1) for n, entry in enumerate(entries)})

    assert {tasks[0]["state"] for tasks in told.values()} == {"running"}
    assert [one[0] for one in slurm.asked()] == ["squeue"]


def test_what_left_the_queue_is_asked_of_accounting_once(slurm: Slurm):
    entry = slurm.entry(1, (0, 1, 2), array=True)
    slurm.says("squeue.out", row(5, "RUNNING", "1"))
    slurm.says("sacct.out", "5_0|COMPLETED|0:0|100|200|300|00:01||node-1|None\n"
                            "5_2|TIMEOUT|0:0|100|200|300|00:01||node-1|None\n")  # fmt: skip

    for _ in range(3):
        told = slurm.batch.query({entry["id"]: "5_*"})[entry["id"]]
        assert [told[i]["state"] for i in (0, 1, 2)] == ["succeeded", "running", "failed"]

    assert told[2]["reason"] == "TimeLimit"
    assert len(slurm.asked("sacct")) == 1


def test_while_accounting_is_away_nothing_is_lost(slurm: Slurm):
    entry = slurm.entry(1)
    slurm.says("squeue.out", row(5, "RUNNING"))
    slurm.batch.query({entry["id"]: "5"})
    slurm.says("squeue.out", "")
    slurm.fails("sacct", "sacct: error: something of the site\n")

    told = slurm.batch.query({entry["id"]: "5"})[entry["id"]]

    assert (told[0]["state"], told[0]["words"]) == ("running", "sacct: something of the site")


def test_what_nobody_knows_is_left_out(slurm: Slurm):
    entry = slurm.entry(1)

    assert slurm.batch.query({entry["id"]: "5"}) == {entry["id"]: {}}


def test_a_controller_that_is_away_is_left_in_peace(slurm: Slurm):
    slurm.fails("squeue", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n")
    now = [0.0]
    commands = Commands({"bin": str(slurm.place), "timeout": 120}, clock=lambda: now[0])

    def delay() -> float | None:
        with pytest.raises(Temporary, match="Unable to contact") as caught:
            commands.ask("squeue")
        return caught.value.delay

    assert delay() == 1.0
    assert delay() == 1.0
    assert len(slurm.asked()) == 1, "nobody asks again before the pause is over"
    pauses = []
    for _ in range(6):
        now[0] += 100
        pauses.append(delay())
    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    now[0] += 100
    slurm.recovers("squeue")
    assert commands.ask("squeue") == ""


def test_a_command_that_hangs_is_given_up(slurm: Slurm):
    (slurm.place / "squeue").write_text("#!/bin/sh\nexec sleep 60\n")

    with pytest.raises(Temporary, match=r"no answer in 0\.2 s"):
        Commands({"bin": str(slurm.place), "timeout": 0.2}).ask("squeue")


def test_nothing_of_the_agents_environment_reaches_slurm(slurm: Slurm, monkeypatch: pytest.MonkeyPatch):
    for name in ("SBATCH_UID", "SQUEUE_FORMAT", "SLURM_CLUSTERS", "LD_PRELOAD", "PYTHONPATH", "SSH_CLIENT"):
        monkeypatch.setenv(name, "x")

    Batch({"bin": str(slurm.place)}, slurm.root).query({slurm.entry(1)["id"]: "5"})

    names = {line.partition("=")[0] for line in (slurm.place / "env-squeue").read_text().splitlines()}
    ours = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "SLURM_TIME_FORMAT", "SLURM_BITSTR_LEN"}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SLURM_CONF"} == ours
    assert clean_environment({"SLURM_CONF": "/etc/x"})["SLURM_CONF"] == "/etc/x"


def test_who_does_not_end_in_time_is_ended_by_slurm(slurm: Slurm):
    entry = slurm.entry(1, (0, 1), array=True)
    id = entry["id"]
    slurm.says("squeue.out", row(5, "RUNNING", "0") + row(5, "RUNNING", "1"))

    slurm.batch.cancel({id: ("5_*", [1])}, 30, {id: {"indices": [0, 1]}})
    assert [one[1:] for one in slurm.asked("scancel")] == [
        ["--quiet", "--state=PENDING", "5_[1]"],
        ["--quiet", "--signal=TERM", "--batch", "--state=RUNNING", "5_[1]"],
    ]
    slurm.batch.query({id: "5_*"})
    assert slurm.asked("scancel") == []
    slurm.clock += 60
    again = Batch({"bin": str(slurm.place)}, slurm.root, clock=lambda: slurm.clock)  # it is on disk
    for batch in (again, again):
        batch.query({id: "5_*"})
    assert [one[1:] for one in slurm.asked("scancel")] == [["--quiet", "5_[1]"]]


def test_a_job_is_found_by_its_name_in_the_queue_in_history_or_by_what_it_left(slurm: Slurm):
    ids = [slurm.entry(n)["id"] for n in range(4)]
    slurm.says("squeue.out", row(5, "RUNNING", "3", name=f"isthmus-{ids[0]}"))
    slurm.says("sacct.out", f"6_[1-3]|isthmus-{ids[1]}\n6_0|isthmus-{ids[1]}\n")
    (slurm.root / "submissions" / ids[2] / "site-id").write_text("7")

    assert slurm.batch.find(ids) == {ids[0]: "5_*", ids[1]: "6_*", ids[2]: "7"}


@pytest.mark.parametrize("silent", ["squeue", "sacct"])
def test_nothing_is_said_to_be_absent_while_slurm_does_not_answer(slurm: Slurm, silent: str):
    slurm.fails(silent, "error: something\n")

    with pytest.raises(Temporary):
        slurm.batch.find([slurm.entry(1)["id"]])


def test_slurms_own_output_says_that_it_was_the_memory(slurm: Slurm):
    entry = slurm.entry(1)
    (entry["folder"] / "slurm-0.out").write_text("slurmstepd: error: Step 5.batch exceeded memory limit (9 > 8)\n")
    slurm.says("squeue.out", row(5, "CANCELLED"))

    told = slurm.batch.query({entry["id"]: "5"})[entry["id"]][0]

    assert (told["state"], told["reason"]) == ("failed", "OutOfMemory")


def test_facilities_tell_partitions_with_what_waits(slurm: Slurm):
    slurm.clock = 10_000.0
    slurm.says("scontrol.partition", "PartitionName=main Default=YES MaxTime=2-00:00:00 TotalCPUs=8 TotalNodes=2\n"
                                     "PartitionName=gpu Default=NO State=DOWN TotalCPUs=4 TotalNodes=1\n")  # fmt: skip
    slurm.says("sinfo.out", "main|n1|2/2/0/4|1000|(null)\nmain|n2|0/0/4/4|2000+|(null)\n"
                            "gpu|n3|0/4/0/4|500|gpu:a100:4(S:0-1),gpu:2\n")  # fmt: skip
    slurm.says("squeue.out", "main|PENDING|9000|N/A|0-9%2\nmain,gpu|PENDING|9000|N/A|N/A\nmain|RUNNING|9000|9040|N/A\n")
    slurm.says("sacctmgr.out", "physics|normal,long\nphysics|normal\nchem|\n")
    (slurm.place / "sinfo").write_text('#!/bin/sh\n[ "$1" = --version ] && echo slurm 24.11.5 || cat '
                                       f"{slurm.place}/sinfo.out\n")  # fmt: skip

    told = slurm.batch.facilities()

    assert (told["version"], told["accounts"], told["qos"]) == ("24.11.5", ["chem", "physics"], ["long", "normal"])
    assert told["exact_types"]
    assert len(slurm.asked("sacctmgr")) == 1
    shapes = [partition.pop("shapes") for partition in told["partitions"]]
    assert shapes == [
        [{"count": 1, "cpus": 4, "memory": 2000 * 2**20, "gpus": {}},
         {"count": 1, "cpus": 4, "memory": 1000 * 2**20, "gpus": {}}],
        [{"count": 1, "cpus": 4, "memory": 500 * 2**20, "gpus": {"a100": 4, "gpu": 2}}],
    ]  # fmt: skip
    assert told["partitions"] == [
        {"name": "main", "default": True, "state": "up", "nodes": 2, "cpus": 8, "free_cpus": 2, "memory": 2000 * 2**20,
         "gpus": {}, "time_limit": 172800.0, "queued": 11, "running": 1, "wait": 40.0},
        {"name": "gpu", "default": False, "state": "down", "nodes": 1, "cpus": 4, "free_cpus": 4, "memory": 500 * 2**20,
         "gpus": {"a100": 4, "gpu": 2}, "time_limit": None, "queued": 1, "running": 0},
    ]  # fmt: skip


def test_nodes_that_sinfo_does_not_show_are_counted_by_their_partition():
    shown = "PartitionName=cloud TotalNodes=4\nPartitionName=none TotalNodes=0\n"
    cloud, none = read_partitions(shown, "cloud|n1|0/4/0/4|500|(null)\n", "", 0.0)
    assert cloud["shapes"] == [
        {"count": 1, "cpus": 4, "memory": 500 * 2**20, "gpus": {}},
        {"count": 3, "cpus": None, "memory": None, "gpus": None},
    ]
    assert none["shapes"] == []


def test_the_default_partition_is_that_of_the_site_where_its_settings_name_one(slurm: Slurm):
    slurm.says("scontrol.partition", "PartitionName=main Default=YES\nPartitionName=gpu\nPartitionName=big\n")
    slurm.batch = Batch({"bin": str(slurm.place), "defaults": {"partition": "gpu,big"}}, slurm.root)

    told = slurm.batch.facilities()["partitions"]

    assert {p["name"]: p["default"] for p in told} == {"main": False, "gpu": True, "big": True}


def test_what_a_command_started_does_not_outlive_its_time(slurm: Slurm):
    wrapper = slurm.place / "sbatch"
    wrapper.write_text(f"#!/bin/sh\nsleep 600 & echo $! >{slurm.place}/child\nwait\n")
    slurm.batch = Batch({"bin": str(slurm.place), "timeout": 4}, slurm.root)

    [told] = slurm.batch.submit([slurm.entry(1)])

    assert told
    assert (told["kind"], told["message"]) == ("temporary", "sbatch: no answer in 4 s")
    child = int((slurm.place / "child").read_text())
    end = time.monotonic() + 30
    while is_running(child):  # a process that was killed dies when it gets its turn
        assert time.monotonic() < end
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
