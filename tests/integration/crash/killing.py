"""Kills an engine at every boundary of every step of a deployment's life, and lets another one go on.

A program of its own, since it forks: `python -m tests.integration.crash.killing FOLDER [EVERY]`, where
EVERY thins out the kills of one kind (3: every third boundary). For each step it
counts the transactions and site calls of an undisturbed run; then, from the same beginning, kills the
engine (SIGKILL) inside and right after each transaction, and before, in the middle of and after each site
call. After each kill a fresh engine finishes, and the world is compared, by listing, with what it must be.
Prints one JSON object for each kill.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from isthmus.sites.contract import Ref
from isthmus.sites.fake import Fault, Kind, audit
from isthmus.store import Store
from isthmus.topology import Topology
from tests.unit.engine.harness import Harness
from tests.unit.engine.topologies import cluster

ID = "0" * 12


@dataclass(frozen=True)
class Step:
    """One thing that an owner, or fate, does; and what there must be when it is dealt with."""

    name: str
    topology: Topology
    change: Mapping[str, Any]
    phase: str
    machines: frozenset[str]
    stopped: bool = False
    before: Callable[[Harness, str], None] = lambda harness, id_: None


def workers(*indices: int) -> dict[str, Any]:
    return {"instances": {"controller": [0], "worker": list(indices)}}


def names(*indices: int) -> frozenset[str]:
    return frozenset({"controller[0]", *(f"worker[{i}]" for i in indices)})


def lose_a_worker(harness: Harness, id_: str) -> None:
    harness.world.vanish("fake", "machine", Ref(id_, "worker", 1))


FIRST = cluster(2)
GREETED = cluster(2, greeting="hi")
BIGGER = cluster(2, greeting="hi", mem_size="2 GiB")
STEPS = [
    Step("create", FIRST, {}, "running", names(0, 1)),
    Step("scale out", FIRST, workers(0, 1, 2), "running", names(0, 1, 2)),
    Step("scale in", FIRST, workers(0, 1), "running", names(0, 1)),
    Step("update", GREETED, workers(0, 1), "running", names(0, 1)),
    Step("repair", GREETED, workers(0, 1), "running", names(0, 1), before=lose_a_worker),
    Step("replace", BIGGER, {**workers(0, 1), "placement": None}, "running", names(0, 1)),
    Step("stop", BIGGER, {"power": "stopped"}, "stopped", names(0, 1), stopped=True),
    Step("start", BIGGER, {"power": "running"}, "running", names(0, 1)),
    Step("delete", BIGGER, {"power": "absent"}, "deleted", frozenset()),
]


class DyingStore(Store):
    """A store that counts its write transactions, and ends the process in or after one of them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.count = 0
        self.die_in: int | None = None
        self.die_after: int | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.count += 1
        number = self.count
        with super().write() as connection:
            yield connection
            if number == self.die_in:
                os.kill(os.getpid(), signal.SIGKILL)
        if number == self.die_after:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Outcome:
    """What became of one kill; ``wrong`` is empty when all is as it must be."""

    step: str
    kill: str
    killed: bool
    wrong: list[str] = field(default_factory=list)


def run_step(folder: Path, step: Step, prepare: Callable[[Harness, DyingStore], None]) -> Harness:
    """Work on a step's beginning until nothing is due."""
    harness = Harness(folder, store=DyingStore)
    harness.topologies[ID] = step.topology
    assert isinstance(harness.store, DyingStore)
    harness.store.count = 0
    prepare(harness, harness.store)
    asyncio.run(harness.settle())
    return harness


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked child; answers how it ended."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(json.dumps({"step": "child", "kill": "", "killed": False, "wrong": [repr(error)]}), flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def check(folder: Path, step: Step) -> list[str]:
    """Compare world and store with what the step must have led to."""
    harness = Harness(folder)
    wrong = compare(harness, step, ID)
    harness.store.close()
    harness.world.close()
    return wrong


def compare(harness: Harness, step: Step, id_: str) -> list[str]:
    """What is otherwise than after the step it must be, a line each."""
    row, wrong = harness.row(id_), audit(harness.world, id_)
    if row.phase != step.phase:
        wrong.append(f"phase {row.phase} ({row.reason}), not {step.phase}")
    if harness.machines(id_) != step.machines:
        wrong.append(f"machines {sorted(harness.machines(id_))}, not {sorted(step.machines)}")
    states = {m.state for m in harness.world.resources("fake", "machine", id_)}
    if step.machines and states != {"stopped" if step.stopped else "running"}:
        wrong.append(f"machine states {states}")
    networks = len(harness.world.resources("fake", "network", id_))
    if networks != bool(step.machines):
        wrong.append(f"{networks} networks")
    known = {f"{r.node}[{r.index}]" for r in harness.resources(id_) if r.kind == "machine"}
    if known != step.machines:
        wrong.append(f"rows {sorted(known)}")
    images = [i.ref.node for i in harness.world.resources("fake", "image")]
    if len(images) != len(set(images)) or len(images) > 2:
        wrong.append(f"images {images}")
    if row.phase == "running":
        wrong += [f"{m.ref.node}: never ran {missing}" for m in harness.world.resources("fake", "machine", id_)
                  if (missing := MUST_RUN[m.ref.node] - set(m.draft.labels))]  # fmt: skip
    return wrong


MUST_RUN = {
    "controller": {f"master.Standard.{o}" for o in ("create", "configure", "start")},
    "worker": {f"slave.Standard.{o}" for o in ("create", "configure", "start")},
}


def begin(folder: Path, step: Step, first: bool) -> None:
    """Write the desired state of a step; the engine has not seen it yet."""
    harness = Harness(folder)
    harness.topologies.clear()
    if first:
        harness.create(step.topology)
    else:
        step.before(harness, ID)
        harness.topologies[ID] = step.topology
        harness.change(ID, **step.change)
    harness.store.close()
    harness.world.close()


def kill_everywhere(step: Step, beginning: Path, scratch: Path, every: int) -> Iterator[Outcome]:
    """Every kill of one step, each from the same beginning."""
    counted = scratch / "counted"
    shutil.copytree(beginning, counted)

    def count() -> None:
        harness = run_step(counted, step, lambda h, s: None)
        assert isinstance(harness.store, DyingStore)
        (counted / "writes").write_text(str(harness.store.count))

    assert in_child(count) == 0
    writes = int((counted / "writes").read_text())
    for number in range(1, writes + 1, every):
        yield kill_once(step, beginning, scratch, f"in write {number}", lambda h, s, n=number: setattr(s, "die_in", n))
        yield kill_once(
            step, beginning, scratch, f"after write {number}", lambda h, s, n=number: setattr(s, "die_after", n)
        )
    for kind in (Kind.CRASH_BEFORE, Kind.CRASH_DURING, Kind.CRASH_AFTER):
        for number in range(0, 1_000, every):
            fault = Fault("*", kind=kind, after=number)
            outcome = kill_once(
                step, beginning, scratch, f"{kind} call {number}", lambda h, s, f=fault: h.world.set_fault(f)
            )
            if not outcome.killed:
                break
            yield outcome


def kill_once(
    step: Step, beginning: Path, scratch: Path, kill: str, prepare: Callable[[Harness, DyingStore], None]
) -> Outcome:
    folder = scratch / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(beginning, folder)
    ended = in_child(lambda: run_step(folder, step, prepare) and None)
    killed = os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL

    def go_on(harness: Harness, store: DyingStore) -> None:
        harness.world.clear_rules()

    again = in_child(lambda: run_step(folder, step, go_on) and None)
    wrong = check(folder, step)
    return Outcome(step.name, kill, killed, wrong + ([f"the second engine ended with {again}"] if again else []))


def main(folder: Path, every: int = 1) -> None:
    state = folder / "state"
    state.mkdir(parents=True)
    for number, step in enumerate(STEPS):
        assert in_child(lambda s=step, n=number: begin(state, s, n == 0)) == 0
        scratch = folder / f"step{number}"
        scratch.mkdir()
        for outcome in kill_everywhere(step, state, scratch, every):
            print(json.dumps(asdict(outcome)), flush=True)
        shutil.rmtree(scratch)
        assert in_child(lambda s=step: run_step(state, s, lambda h, d: None) and None) == 0
        assert not check(state, step), check(state, step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
