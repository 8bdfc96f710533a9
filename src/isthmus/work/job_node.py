"""A job as the properties of a node of a template say it: what they mean, and what is wrong with them.

The language looks for faults when a template is read, the job desk once all values are known. What only the
running deployment knows is passed over until then.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from isthmus.topology import Call, Reference, Secret, quantity
from isthmus.work import notation
from isthmus.work.job import Input, Output

Fault = tuple[tuple[str | int, ...], str]
"""Where in the properties something is wrong, and the words for it."""
_LONGEST = 10**9
"""Seconds."""


def faults(properties: Mapping[str, Any]) -> Iterator[Fault]:
    """All that keeps the properties of a node from being a job."""
    yield from _of_notations(properties)
    yield from _of_container(properties)
    yield from _of_environment(properties)
    yield from _of_files(properties)
    nodes, tasks = properties.get("nodes", 1), properties.get("tasks")
    if isinstance(nodes, int) and isinstance(tasks, int) and tasks < nodes:
        yield ("tasks",), f"{tasks} tasks cannot be spread over {nodes} nodes"


# -- notations --------------------------------------------------------------------------------


def array_of(value: Any) -> tuple[tuple[int, ...], int | None]:
    """Indices and how many may run at once: out of a text such as ``0-9:2%3``, or the first and the last index."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        return notation.array(value)
    if isinstance(value, list) and len(value) == 2 and all(type(bound) is int for bound in value):
        return notation.array(f"{value[0]}-{value[1]}")
    raise ValueError("give a text such as '1-100%10', or the first and the last index such as [ 1, 100 ]")


def seconds_of(value: Any) -> float:
    """How long a job may run."""
    return _positive(quantity(value))


def memory_of(value: Any) -> int:
    """Bytes."""
    return int(_positive(quantity(value)))


def keep_of(value: Any) -> float:
    """Seconds that a sandbox stays."""
    seconds = quantity(value)
    if seconds >= _LONGEST:
        raise ValueError("that is longer than anything is kept")
    return seconds


def _positive(number: float) -> float:
    if not 0 < number < 2**60:
        raise ValueError("it must be more than 0, and not beyond all measure")
    return number


def _image(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4096 or not re.fullmatch(notation.IMAGE, value):
        raise ValueError(f"{str(value)[:80]!r} is no name of an image")
    return value


def _folder(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4000 or not re.fullmatch(notation.FOLDER, value):
        raise ValueError(f"{str(value)[:80]!r} is no absolute path")
    return value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "image": _image, "workdir": _folder, "gpus": notation.gpus, "array": array_of, "memory": memory_of,
    "time": seconds_of, "keep": keep_of,
}  # fmt: skip


def _of_notations(properties: Mapping[str, Any]) -> Iterator[Fault]:
    for name, read in _READERS.items():
        value = properties.get(name)
        if value is not None and value != "" and _is_known(value):
            try:
                read(value)
            except ValueError as error:
                yield (name,), f"{name}: {error}"


def _is_known(value: Any) -> bool:
    """Whether nothing in a value waits for the deployment."""
    match value:
        case Reference() | Secret() | Call():
            return False
        case Mapping():
            return all(map(_is_known, value.values()))
        case list() | tuple():
            return all(map(_is_known, value))
        case _:
            return True


# -- what runs --------------------------------------------------------------------------------


def _of_container(properties: Mapping[str, Any]) -> Iterator[Fault]:
    image, contained = properties.get("image"), properties.get("container", True)
    if not image and contained is True:
        yield (), "it has no image; with container: false it is a plain process of the node"
    if image and contained is False:
        yield ("container",), "container: false is for what has no image"
    if not image and not properties.get("command"):
        yield ("command",), "it has no command, and no image that has one"


def _of_environment(properties: Mapping[str, Any]) -> Iterator[Fault]:
    patterns = {"env": notation.VARIABLE, "secrets": notation.VARIABLE, "options": notation.OPTION}
    maps = {name: _map(properties.get(name)) for name in patterns}
    for name, pattern in patterns.items():
        for key in maps[name]:
            if not re.fullmatch(pattern, str(key)):
                yield (name, key), f"{name}: {str(key)[:80]!r} is no name that is taken"
    for key in maps["env"].keys() & maps["secrets"].keys():
        yield ("secrets", key), f"{key} is in env and in secrets"


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


# -- files ------------------------------------------------------------------------------------


def input_of(item: Mapping[str, Any]) -> Input:
    """What is put into the sandbox: a file by its ``digest`` at ``to``, else what the URL ``from`` leads to."""
    mode = notation.mode(item.get("mode", 0o644))
    if digest := item.get("digest"):
        return Input(str(item["to"]), str(digest), mode=mode)
    link = notation.url(_text(item, "from"))
    return Input(notation.placed(_text(item, "to"), notation.name_in_url(link)), url=link, mode=mode)


def output_of(item: Mapping[str, Any]) -> Output:
    """What is kept of the sandbox, or sent to the URL ``to``."""
    path, target = notation.sandbox_path(_text(item, "from")), _text(item, "to")
    if target and not notation.is_url(target):
        raise ValueError(f"{target[:80]!r} is no URL; what is kept is brought by isthmus fetch")
    return Output(path, notation.url(target) if target else None)


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key!r} is no text")
    return value or ""


def _of_files(properties: Mapping[str, Any]) -> Iterator[Fault]:
    inputs, wrong = _read(properties, "inputs", input_of)
    yield from wrong
    outputs, wrong = _read(properties, "outputs", output_of)
    yield from wrong
    twice = [path for path, count in Counter(i.path for i in inputs.values()).items() if count > 1]
    yield from ((("inputs",), f"two inputs have the path {path}") for path in twice)
    for name, found in (("inputs", inputs), ("outputs", outputs)):
        for index, one in found.items():
            if (one.url or "").startswith("s3://") and not properties.get("s3"):
                yield (name, index), f"{one.url} needs the keys of S3, which the property s3 has"


def _read(properties: Mapping[str, Any], name: str, read: Callable[[Any], Any]) -> tuple[dict[int, Any], list[Fault]]:
    """What the items of a list mean, by index, and what is wrong with the others."""
    items = properties.get(name)
    found: dict[int, Any] = {}
    wrong: list[Fault] = []
    for index, item in enumerate(items if isinstance(items, Sequence) and not isinstance(items, str) else ()):
        if isinstance(item, Mapping) and _is_known(item):
            try:
                found[index] = read(item)
            except ValueError as error:
                wrong.append(((name, index), f"{name}: {error}"))
    return found, wrong
