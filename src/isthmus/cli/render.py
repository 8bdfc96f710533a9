"""Deployments, plans and templates as a person reads them, on a terminal or in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isthmus.cli.output import clean, on_terminal, say, scalar, size, span, style, table, when

if TYPE_CHECKING:
    from rich.tree import Tree

Json = Mapping[str, Any]
_MARKS = {"done": "✓", "failed": "✗", "running": "…", "waiting": "·"}


def show_deployments(deployments: Sequence[Json]) -> None:
    """A list of deployments."""
    table(
        ["NAME", "PHASE", "TEMPLATE", "SITE", "CREATED", "REASON"],
        [[d["name"], d["phase"], d["template"], d["site"] or "", when(d["created"]), d["reason"]] for d in deployments],
        empty="No deployments. `isthmus catalogue list` shows what can be deployed.",
    )


def show_deployment(view: Json) -> None:
    """One deployment with the tree of its nodes, its inputs and outputs."""
    if on_terminal():
        from isthmus.cli.output import console

        console().print(deployment_tree(view))
    else:
        say(headline(view))
        for depth, line in _node_lines(view):
            say("  " * (depth + 1) + line)
    for title, values in (("inputs", view["inputs"]), ("outputs", view["outputs"])):
        if values:
            say(f"{title}:")
            show_values(values, indent="  ")


def headline(view: Json) -> str:
    """Name, phase and what is to be said of it, in one line."""
    site = f" on {view['site']}" if view.get("site") else ""
    reason = f": {view['reason']}" if view.get("reason") else ""
    return f"{view['name']} ({view['id']}) {view['phase']}{site}{reason}"


def show_values(values: Json, indent: str = "") -> None:
    """Names and values, one a line; text of several lines stands below its name."""
    for name, value in values.items():
        text = scalar(value)
        if "\n" in text.strip():
            say(f"{indent}{name}:")
            for line in text.rstrip().splitlines():
                say(f"{indent}  {line}")
        else:
            say(f"{indent}{name}: {text.strip()}")


def deployment_tree(view: Json) -> Tree:
    """Nodes under their hosts, with the state of every instance and operation, for Rich."""
    from rich.text import Text
    from rich.tree import Tree

    top = Text.assemble(
        (clean(view["name"]), "bold"), " ", (clean(view["phase"]), style(view["phase"])), clean(_after(view))
    )
    root = Tree(top, guide_style="bright_black")
    branches: dict[str | None, Tree] = {None: root}
    for node, depth in walk(view["nodes"]):
        parent = branches.get(node["host"], root) if depth else root
        kind = node["type"].rpartition(".")[2]
        branch = parent.add(Text.assemble((clean(node["name"]), "bold"), (f"  {clean(kind)}", "bright_black")))
        branches[node["name"]] = branch
        for instance in node["instances"]:
            leaf = branch.add(_instance_text(instance))
            for operation in instance["operations"]:
                leaf.add(_operation_text(operation))
    return root


def _after(view: Json) -> str:
    site = f" on {view['site']}" if view.get("site") else ""
    return site + (f": {view['reason']}" if view.get("reason") else "")


def _instance_text(instance: Json) -> Any:
    from rich.text import Text

    address = instance.get("public_address") or instance.get("private_address") or ""
    reason = f" {instance['reason']}" if instance.get("reason") else ""
    return Text.assemble(
        clean(instance["name"]), " ", (clean(instance["state"]), style(instance["state"])),
        (f"  {clean(address)}" if address else "", "bright_black"), (clean(reason), "red"),
    )  # fmt: skip


def _operation_text(operation: Json) -> Any:
    from rich.text import Text

    colour = "cyan" if operation["state"] == "running" else style(operation["state"])
    mark = _MARKS.get(operation["state"], "?")
    message = f": {operation['message']}" if operation.get("message") else ""
    return Text.assemble((mark, colour), " ", clean(operation["name"]), (clean(message), "bright_black"))


def walk(nodes: Sequence[Json]) -> Iterator[tuple[Json, int]]:
    """Nodes in the template's order, each followed by those that it hosts; with their depth."""
    names = {node["name"] for node in nodes}

    def below(host: str | None, depth: int) -> Iterator[tuple[Json, int]]:
        for node in nodes:
            known = node["host"] if node["host"] in names and node["host"] != node["name"] else None
            if known == host:
                yield node, depth
                yield from below(node["name"], depth + 1)

    return below(None, 0)


def _node_lines(view: Json) -> Iterator[tuple[int, str]]:
    for node, depth in walk(view["nodes"]):
        yield depth, f"{node['name']} {node['type']}"
        for instance in node["instances"]:
            address = instance.get("public_address") or instance.get("private_address") or ""
            words = [instance["name"], instance["state"], address, instance.get("reason") or ""]
            yield depth + 1, " ".join(word for word in words if word)
            for operation in instance["operations"]:
                message = f": {operation['message']}" if operation.get("message") else ""
                yield depth + 2, f"{operation['name']} {operation['state']}{message}"


def show_plan(plan: Json) -> None:
    """Offers that were chosen and why, the actions in order, the price."""
    chosen = [o for o in plan["offers"] if o["chosen"]]
    if chosen:
        table(["NODE", "SITE", "FLAVOUR", "IMAGE", "CPUS", "MEMORY", "PRICE/H", "WHY"], map(_offer_row, chosen))
    for offer in plan["offers"]:
        if offer["refusal"] and not any(o["node"] == offer["node"] for o in chosen):
            say(f"{offer['node']}: {offer['site']} cannot: {offer['refusal']}")
    if not plan["actions"]:
        say("Nothing to do." if chosen or not plan["offers"] else "No site fits.")
        return
    if plan["offers"]:
        say()
    table(["ACTION", "WHAT", "WHY"], [[a["verb"], a["what"], a["why"]] for a in plan["actions"]])
    price = f"; {plan['price']:.2f} {plan['currency']} an hour" if plan["price"] else ""
    say(f"\n{len(plan['actions'])} actions{price}.")


def _offer_row(o: Json) -> list[str]:
    return [o["node"], o["site"], o["flavour"], o["image"], f"{o['cpus']:g}", size(o["memory"]), _price(o), o["reason"]]


def _price(offer: Json) -> str:
    return f"{offer['price']:.3f} {offer['currency']}" if offer["price"] else "free"


def show_template(template: Json) -> None:
    """A template of the catalogue with its form."""
    say(f"{template['name']} {template['version']}: {template['title']}")
    if template["description"].strip():
        say(template["description"].strip())
    if template["inputs"]:
        say("\nInputs:")
        table(
            ["NAME", "TYPE", "DEFAULT", "CONSTRAINTS", "DESCRIPTION"],
            [_input_row(i) for i in template["inputs"]],
        )
    if template["outputs"]:
        say("\nOutputs:")
        show_values(template["outputs"], indent="  ")


def _input_row(i: Json) -> list[str]:
    default = "(required)" if i["required"] and i["default"] is None else scalar(i["default"])
    constraints = ", ".join(f"{k} {scalar(v)}" for clause in i["constraints"] for k, v in clause.items())
    return [i["name"], i["type"], "" if i["default"] is None and not i["required"] else default,
            constraints, i["description"]]  # fmt: skip


def event_line(event: Json) -> str:
    """One event in one line: what an action does stands before its object, how it went after it."""
    import time

    clock = time.strftime("%H:%M:%S", time.localtime(event["time"]))
    happening, _, how = event["kind"].partition(".")
    if happening != "action":
        return f"{clock} {event['message']}"
    verb = (event["action"] or "").partition(":")[0]
    took = f" in {span(event['seconds'])}" if event.get("seconds") is not None else ""
    ended = "" if how == "started" else f" ({how}{took})"
    return f"{clock} {verb} {event['message']}{ended}"


def log_line(line: Json) -> str:
    """One log line in one line."""
    return f"{line['instance']} {line['operation']} | {line['text']}"
