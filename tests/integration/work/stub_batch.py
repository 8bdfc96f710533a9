"""A batch system of a test: starts supervisors as processes of their own, and remembers them in a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from isthmus.work.runner.failures import Permanent, Temporary
from isthmus.work.runner.places import write_whole


class Batch:
    def __init__(self, config: dict[str, Any], root: Path):
        self.config = config
        self.jobs = root / "scheduler"
        self.jobs.mkdir(exist_ok=True)

    def submit(self, orders: Any) -> Any:
        return [self._submit(order) for order in orders]

    def _submit(self, order: Any) -> Any:
        options = order["order"]["spec"]["options"]
        if options.get("partition") == "closed":
            return {"kind": "permanent", "message": "sbatch: error: the partition is closed"}
        if options.get("slow"):
            time.sleep(float(options["slow"]))
        pids = {}
        for index in order["order"]["indices"]:
            child = subprocess.Popen(
                [*order["command"], "--index", str(index)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            pids[index] = child.pid
        write_whole(self.jobs / order["id"], json.dumps(pids).encode())
        write_whole(order["folder"] / "site-id", str(min(pids.values())).encode())
        return None

    def find(self, ids: Any) -> Any:
        return {id: str(min(self._pids(id).values())) for id in ids if (self.jobs / id).exists()}

    def query(self, site_ids: Any) -> Any:
        if self.config.get("deaf"):
            raise Temporary("squeue: error: Unable to contact slurm controller")
        if self.config.get("refuses"):
            raise Permanent("squeue: error: Invalid user")
        return {
            id: {int(i): {"state": "running"} for i, pid in self._pids(id).items() if _lives(pid)} for id in site_ids
        }

    def cancel(self, tasks: Any, grace: float, order: Any) -> None:
        for id, (_, indices) in tasks.items():
            for index, pid in self._pids(id).items():
                if (indices is None or int(index) in indices) and _lives(pid):
                    os.kill(pid, signal.SIGTERM)

    def facilities(self) -> Any:
        return {"scheduler": "stub", "version": "1", "partitions": [{"name": "all", "default": True}], "user": "me"}

    def _pids(self, id: str) -> dict[str, int]:
        try:
            return dict(json.loads((self.jobs / id).read_text()))
        except FileNotFoundError:
            return {}


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
