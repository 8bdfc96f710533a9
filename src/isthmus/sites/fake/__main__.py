"""``python -m isthmus.sites.fake WORLD …``: look into a fake world and set faults while it runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from isthmus.sites.contract import Ref, State
from isthmus.sites.fake.audit import audit
from isthmus.sites.fake.faults import Fault, Kind, OperationRule
from isthmus.sites.fake.world import World


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what it prints is one JSON value a line. Exit code 1: the audit found something."""
    given = _parser().parse_args(arguments)
    world = World(given.world)
    try:
        lines = list(given.do(world, given))
    except ValueError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    finally:
        world.close()
    for line in lines:
        print(json.dumps(line, default=list))
    return 1 if given.do is _audit and lines else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m isthmus.sites.fake", description=__doc__)
    parser.add_argument("world", help="the file of the world")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, do: object, about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about)
        added.set_defaults(do=do)
        return added

    for name, do, about in (
        ("resources", _resources, "what there is"),
        ("effects", _effects, "all that ever happened"),
        ("runs", _runs, "the operations that were run"),
        ("audit", _audit, "what was doubled or raced"),
    ):
        command(name, do, about).add_argument("--deployment")
    command("rules", _rules, "the faults and operation rules that may still apply")
    command("clear", _clear, "end one rule or all").add_argument("rule", type=int, nargs="?")
    fault = command("fault", _fault, "let calls of a driver go wrong")
    fault.add_argument("verb")
    fault.add_argument("kind", choices=list(Kind))
    fault.add_argument("--delay", type=float, default=1.0, help="seconds that a temporary error asks for")
    _add_match(fault, times=1)
    operation = command("operation", _operation, "say how operations end")
    operation.add_argument("label")
    operation.add_argument("--code", type=int, default=0)
    operation.add_argument("--line", action="append", default=[], dest="lines")
    operation.add_argument("--outputs", type=json.loads, default={}, help="a JSON object")
    _add_match(operation, times=None)
    lose = command("vanish", _vanish, "lose a resource behind everybody's back")
    broken = command("break", _break, "bring a machine into the state error")
    for drift in (lose, broken):
        drift.add_argument("id", help="the resource's id")
    broken.add_argument("--reason", default="")
    return parser


def _add_match(parser: argparse.ArgumentParser, times: int | None) -> None:
    parser.add_argument("--node", default="*", help="a pattern")
    parser.add_argument("--index", type=int)
    parser.add_argument("--site")
    parser.add_argument("--times", type=int, default=times, help="how many calls; 0 for ever")
    parser.add_argument("--after", type=int, default=0, help="how many calls go well before")
    parser.add_argument("--message", default="")


def _match(given: argparse.Namespace) -> dict[str, Any]:
    return {
        "node": given.node,
        "index": given.index,
        "site": given.site,
        "times": given.times or None,
        "after": given.after,
        "message": given.message,
    }


def _resources(world: World, given: argparse.Namespace) -> list[object]:
    return [asdict(resource) for resource in world.resources(deployment=given.deployment)]


def _effects(world: World, given: argparse.Namespace) -> list[object]:
    return [asdict(effect) for effect in world.effects(given.deployment)]


def _runs(world: World, given: argparse.Namespace) -> list[object]:
    return [asdict(run) for run in world.runs(given.deployment)]


def _audit(world: World, given: argparse.Namespace) -> list[str]:
    return audit(world, given.deployment)


def _rules(world: World, given: argparse.Namespace) -> list[object]:
    return [
        {"id": number, "type": type(rule).__name__, "seen": seen, **asdict(rule)}
        for number, rule, seen in world.rules()
    ]


def _clear(world: World, given: argparse.Namespace) -> list[object]:
    world.clear_rules(given.rule)
    return []


def _fault(world: World, given: argparse.Namespace) -> list[object]:
    return [world.set_fault(Fault(given.verb, given.kind, delay=given.delay, **_match(given)))]


def _operation(world: World, given: argparse.Namespace) -> list[object]:
    rule = OperationRule(given.label, given.code, tuple(given.lines), given.outputs, **_match(given))
    return [world.set_operation(rule)]


def _vanish(world: World, given: argparse.Namespace) -> list[object]:
    site, kind, ref = _locate(world, given.id)
    world.vanish(site, kind, ref)
    return []


def _break(world: World, given: argparse.Namespace) -> list[object]:
    world.set_state(*_locate(world, given.id), State.ERROR, reason=given.reason)
    return []


def _locate(world: World, id: str) -> tuple[str, str, Ref]:
    for resource in world.resources():
        if resource.id == id:
            return resource.site, resource.kind, resource.ref
    raise ValueError(f"there is no {id}")


if __name__ == "__main__":
    sys.exit(main())
