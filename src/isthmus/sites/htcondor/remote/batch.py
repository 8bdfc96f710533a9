"""The pool, as the agent asks it."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from isthmus.work.runner.absorbing import absorb, absorb_task, words_of_crash
from isthmus.work.runner.briefs import read_brief
from isthmus.work.runner.failures import Failure, Permanent, Temporary
from isthmus.work.runner.places import checked_id, checked_index, read_small, write_json, write_whole
from isthmus.work.runner.shapes import Node, shapes

from .ads import HELD, REMOVED, SEEN, Task, read_ad
from .commands import AT_ONCE, any_of, ask, pieces, remove, run, submit, tasks_of, tell
from .description import MIB, describe, lay_out

REMEMBERED = 20000
"""Submissions of which the agent keeps in memory how their tasks ended; it is on disk, too."""
SLOT = ("Machine", "State", "PartitionableSlot", "DynamicSlot", "Cpus", "TotalSlotCpus", "TotalSlotMemory",
        "TotalSlotGPUs", "GPUs_DeviceName", "CUDADeviceName")  # fmt: skip


class Batch:
    """The pool. ``config`` has ``node_python``, ``accounting_group``, ``requirements`` by name, and ``runtimes``."""

    def __init__(self, config: Mapping[str, Any], root: Path):
        if not re.fullmatch(r"/[A-Za-z0-9._/@+~-]*", str(root)):
            raise Permanent("folder {}: a submit file takes letters, digits and ._/@+~- only".format(root))
        self._root = root
        self._config = config
        self._indices: Dict[str, List[int]] = {}
        self._limited: Set[str] = set()
        self._ended: Dict[str, Dict[int, Task]] = {}

    # -- handing over ------------------------------------------------------------------------------

    def submit(self, orders: Sequence[Mapping[str, Any]]) -> List[Optional[Dict[str, Any]]]:
        """Hand over each order; those that ask for the same go in one transaction."""
        answers: List[Optional[Dict[str, Any]]] = [None] * len(orders)
        groups: Dict[str, List[int]] = {}
        for number, order in enumerate(orders):
            try:
                text = describe(order["order"]["spec"], order["command"], self._config, self._root)
                if order["folder"] != self._root / "submissions" / checked_id(order["id"]):
                    raise Permanent("submission {}: not in its folder".format(order["id"]))
                lay_out(order["folder"], order["order"])
            except (Failure, OSError, ValueError) as error:
                failure = error if isinstance(error, Failure) else Temporary(str(error))
                answers[number] = failure.told()
                continue
            alone = order["order"]["spec"].get("array_limit") is not None  # it holds for a cluster
            groups.setdefault(text + ("\0{}".format(number) if alone else ""), []).append(number)
        for text, numbers in groups.items():
            self._hand_over(text.partition("\0")[0], [(n, orders[n]) for n in numbers], answers)
        return answers

    def _hand_over(self, text: str, group: List[Tuple[int, Mapping[str, Any]]], answers: List[Any]) -> None:
        rows: List[str] = []
        for _, order in group:
            title = re.sub(r"[^A-Za-z0-9._-]", "_", str(order["order"].get("name") or ""))[:80] or "_"
            rows += ["{} {} {}".format(order["id"], checked_index(i), title) for i in order["order"]["indices"]]
        queue = "queue Submission,Task,Title from (\n{}\n)\n".format("\n".join(rows))
        try:
            cluster = submit(text + queue)
        except Failure as failure:
            if len(group) > 1 and not isinstance(failure, Temporary):
                for one in group:  # one of them spoils it for all
                    self._hand_over(text, [one], answers)
                return
            for number, _ in group:
                answers[number] = failure.told()
            return
        for number, order in group:
            write_whole(order["folder"] / "site-id", cluster.encode())
            answers[number] = None

    def find(self, ids: Sequence[str]) -> Dict[str, str]:
        """The clusters of those submissions that the queue or its history knows."""
        found: Dict[str, str] = {}
        for some in pieces(sorted(ids), AT_ONCE):
            named = any_of(some)
            for ad in ask("condor_q", "-json", "-attributes", "ClusterId,IsthmusSubmission", "-constraint", named):
                found[ad["IsthmusSubmission"]] = str(ad["ClusterId"])
            # A cluster that makes its jobs one by one may have none at the moment.
            for ad in ask("condor_q", "-factory", "-json", "-attributes", "ClusterId,IsthmusSubmission",
                           "-constraint", named):  # fmt: skip
                found[ad["IsthmusSubmission"]] = str(ad["ClusterId"])
            for id in [id for id in some if id not in found]:
                for ad in ask("condor_history", "-json", "-attributes", "ClusterId", "-limit", "1",
                               "-constraint", any_of([id])):  # fmt: skip
                    found[id] = str(ad["ClusterId"])
        return found

    # -- looking -----------------------------------------------------------------------------------

    def query(self, site_ids: Mapping[str, str]) -> Dict[str, Dict[int, Task]]:
        """How tasks stand: one question to the queue, one to its history for those that left it since the last."""
        answers = {id: dict(self._load(id)) for id in site_ids}
        waiting = self._not_made_yet(answers)  # asked before the queue, in which each may be a moment later
        ads: Dict[str, Dict[int, Dict[str, Any]]] = {}
        for ad in ask("condor_q", "-json", "-attributes", ",".join(SEEN), "-constraint",
                       "IsthmusSubmission isnt undefined"):  # fmt: skip
            ads.setdefault(ad["IsthmusSubmission"], {})[ad.get("IsthmusTask", -1)] = ad
        missing: Dict[str, List[int]] = {}
        unwanted: Dict[str, List[str]] = {}
        for id, tasks in answers.items():
            for index in self._indices.get(id, ()):
                ad = ads.get(id, {}).get(index, {})
                if index in tasks:
                    continue
                if not ad and (id, index) in waiting:
                    tasks[index] = {"state": "queued", "words": "waits for others of its array"}
                    continue
                if not ad:
                    missing.setdefault(id, []).append(index)
                    continue
                tasks[index] = read_ad(ad)
                why = self._unwanted(id, index, ad, tasks[index])
                if why:
                    unwanted.setdefault(why, []).append("{ClusterId}.{ProcId}".format(**ad))
        if missing:
            self._ask_history(missing, answers)
        for why, jobs in unwanted.items():
            remove(why, [], jobs)
        for id, tasks in answers.items():
            self._settle(id, tasks)
        return answers

    def _unwanted(self, id: str, index: int, ad: Mapping[str, Any], task: Task) -> str:
        """Why a job has to leave the queue, if it has to."""
        if ad["JobStatus"] == HELD and task["state"] == "failed":
            return "isthmus: {reason}: {words}".format(**task)
        if ad["JobStatus"] != REMOVED and id in self._limited and self._asked_to_end(id, index):
            return "isthmus: Cancelled"  # when it was asked to end, HTCondor had not made it yet
        return ""

    def _asked_to_end(self, id: str, index: int) -> bool:
        return os.path.lexists(str(self._folder(id) / "tasks" / str(index) / "cancel"))

    def _ask_history(self, missing: Mapping[str, List[int]], answers: Dict[str, Dict[int, Task]]) -> None:
        sought = [(id, index) for id, indices in missing.items() for index in indices]
        for some in pieces(sought, AT_ONCE):
            tasks: Dict[str, List[int]] = {}
            for id, index in some:
                tasks.setdefault(id, []).append(index)
            constraint = " || ".join(tasks_of(id, indices) for id, indices in tasks.items())
            for ad in ask("condor_history", "-json", "-attributes", ",".join(SEEN), "-limit", str(len(some)),
                          "-constraint", constraint):  # fmt: skip
                # The latest comes first: a schedd that was killed may have written down one end twice.
                answers[ad["IsthmusSubmission"]].setdefault(ad["IsthmusTask"], read_ad(ad, left=True))

    def _not_made_yet(self, ended: Mapping[str, Mapping[int, Task]]) -> Set[Tuple[str, int]]:
        """Tasks of arrays with a limit whose jobs HTCondor has not made yet."""
        limited = [id for id in ended if id in self._limited and len(ended[id]) < len(self._indices.get(id, ()))]
        waiting = set()
        wanted = "ClusterId,IsthmusSubmission,JobMaterializeNextProcId"
        for some in pieces(limited, AT_ONCE):
            for ad in ask("condor_q", "-factory", "-json", "-attributes", wanted, "-constraint", any_of(some)):
                id = ad["IsthmusSubmission"]
                waiting |= {(id, index) for index in self._indices[id][ad.get("JobMaterializeNextProcId", 0) :]}
        return waiting

    def _load(self, id: str) -> Dict[int, Task]:
        """What is known of those tasks of a submission that have ended."""
        if id not in self._indices:
            if len(self._indices) > REMEMBERED:
                self._indices, self._ended, self._limited = {}, {}, set()
            ended: Dict[int, Task] = {}
            with contextlib.suppress(OSError, ValueError):
                ended = {int(i): task for i, task in json.loads(read_small(self._folder(id), ("condor.json",))).items()}
            self._ended[id] = ended
            if (self._folder(id) / "limited").exists():
                self._limited.add(id)
            with contextlib.suppress(OSError):
                self._indices[id] = read_brief(self._folder(id))["indices"]
        return self._ended[id]

    def _settle(self, id: str, tasks: Mapping[int, Task]) -> None:
        """Bring what tasks that ended left, and remember how they did, so that the history is asked once."""
        known = self._ended[id]
        fresh = [
            i for i, task in tasks.items() if task["state"] in ("succeeded", "failed", "cancelled") and i not in known
        ]
        for index in fresh:
            task = tasks[index]
            absorb_task(self._folder(id), index, task)
            if task["state"] == "failed" and not task["words"]:
                task["words"] = words_of_crash(self._folder(id) / "tasks" / str(index))
            known[index] = task
        if fresh:
            with contextlib.suppress(FileNotFoundError):
                write_json(self._folder(id) / "condor.json", known)

    def _folder(self, id: str) -> Path:
        return self._root / "submissions" / checked_id(id)

    def absorb(self, folder: Path, index: Optional[int] = None) -> None:
        """Bring reports and logs of a submission, or of one of its tasks, up to date."""
        if index is None:
            absorb(folder)
        else:
            absorb_task(folder, index)

    # -- ending ------------------------------------------------------------------------------------

    def cancel(
        self, tasks: Mapping[str, Tuple[str, Optional[List[int]]]], grace: float, order: Mapping[str, Any]
    ) -> None:
        """Remove jobs: gently, for as long as their specs say; at once when ``grace`` is 0.

        How long a job may take is agreed with its node when it starts: no other grace can be had later.
        """
        for some in pieces(sorted(tasks), AT_ONCE):
            constraint = " || ".join(tasks_of(id, tasks[id][1]) for id in some)
            if grace <= 0:
                tell("condor_vacate_job", "-fast", "-constraint", "({}) && JobStatus == 2".format(constraint))
            remove("isthmus: Cancelled", ["-constraint", constraint], [])

    # -- what there is -----------------------------------------------------------------------------

    def facilities(self) -> Dict[str, Any]:
        """The pool as one partition."""
        slots = ask("condor_status", "-json", "-attributes", ",".join(SLOT))
        queues = ask("condor_status", "-schedd", "-json", "-attributes", "TotalIdleJobs,TotalRunningJobs")
        version = re.search(r"CondorVersion: (\S+)", run(["condor_version"]).stdout)
        # A dynamic slot is a part of a partitionable one, which counts it in its totals.
        slots = [slot for slot in slots if not slot.get("DynamicSlot")]
        each = [_room(slot) for slot in slots]
        gpus: Dict[str, int] = {}
        for name, number in [pair for _, _, some in each for pair in (some or {}).items()]:
            gpus[name] = gpus.get(name, 0) + number
        free = [slot for slot in slots if slot.get("PartitionableSlot") or slot.get("State") == "Unclaimed"]
        pool = {
            "name": "pool",
            "default": True,
            "state": "up" if slots else "down",
            "nodes": len({slot.get("Machine") for slot in slots}),
            "cpus": sum(int(slot.get("TotalSlotCpus") or 0) for slot in slots),
            "free_cpus": sum(int(slot.get("Cpus") or 0) for slot in free),
            "memory": max((int(slot.get("TotalSlotMemory") or 0) for slot in slots), default=0) * MIB,
            "gpus": gpus,
            "shapes": shapes(each),
            "queued": sum(int(queue.get("TotalIdleJobs") or 0) for queue in queues),
            "running": sum(int(queue.get("TotalRunningJobs") or 0) for queue in queues),
        }
        return {
            "scheduler": "htcondor",
            "version": version.group(1) if version else "",
            "partitions": [pool],
            "runtimes": self._config.get("runtimes") or [],
            "user": getpass.getuser(),
            "pool": True,
        }


def _room(slot: Mapping[str, Any]) -> Node:
    """What the largest job may have of a slot: processors, bytes, GPUs by type."""
    gpus = {}
    if slot.get("TotalSlotGPUs"):
        gpus[slot.get("GPUs_DeviceName") or slot.get("CUDADeviceName") or "gpu"] = int(slot["TotalSlotGPUs"])
    return int(slot.get("TotalSlotCpus") or 0), int(slot.get("TotalSlotMemory") or 0) * MIB, gpus
