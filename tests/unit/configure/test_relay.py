"""What comes out of a playbook's process is checked: requests, events, frames."""

import asyncio

import pytest

from isthmus.configure.playbook import frames
from isthmus.configure.playbook.request import Host, Request, load_request
from isthmus.configure.playbooks import _Events
from isthmus.configure.relay import check_request
from isthmus.sites.contract import Result
from isthmus.sites.errors import Permanent


def test_a_request_carries_nothing_but_what_its_operation_takes() -> None:
    assert check_request({"op": "put", "path": "/a", "append": False, "id": 7, "evil": 1}) == {
        "op": "put",
        "path": "/a",
        "append": False,
    }


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"op": "serve"},
        {"op": None},
        {"op": "command"},
        {"op": "command", "command": ["id"]},
        {"op": "get", "path": "/a", "offset": True, "size": 1},
    ],
)
def test_a_request_that_agents_do_not_know_is_refused(header: frames.Header) -> None:
    assert check_request(header) is None


async def test_a_frame_comes_back_as_it_was() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(frames.pack({"op": "é"}, b"\0body"))
    assert await frames.receive(reader) == ({"op": "é"}, b"\0body")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff\0\0\0\0",
        b"\0\0\0\1\xff\xff\xff\xff{",
        b"\0\0\0\2\0\0\0\0[]",
        b"\0\0\0\1\0\0\0\0{",
    ],
)
async def test_a_bad_frame_is_refused(data: bytes) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    with pytest.raises(frames.BadFrame):
        await frames.receive(reader)


def test_a_request_to_a_process_comes_back_as_it_was() -> None:
    request = Request("/run", "play.yml", (Host("a", "/usr/bin/python3", {"x": [1, None, "é"]}),))
    assert load_request(request.dump()) == request


def test_events_give_lines_and_the_first_result_of_each_known_machine() -> None:
    lines: list[tuple[str, str]] = []
    events = _Events(["a", "b"], lambda host, text: lines.append((host, text)))
    events.take(b'{"host": "a", "text": "one\\n\\u001b[31mtwo"}')
    events.take(b'{"host": "z", "text": "who?"}')
    events.take(b'{"end": "a", "code": 0, "message": "", "outputs": {"x": 1}}')
    events.take(b'{"end": "a", "code": 5, "message": "later", "outputs": {}}')
    assert lines == [("a", "one"), ("a", "two")]
    assert events.finish() == {"a": Result(0, {"x": 1}), "b": Result(1, {}, "the playbook's process died")}


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"end": "a"}', b'{"end": "a", "code": "x", "message": "", "outputs": {}}',
             b'{"end": "a", "code": 0, "message": "", "outputs": 3}'],
)  # fmt: skip
def test_an_event_against_the_protocol_ends_the_run(text: bytes) -> None:
    with pytest.raises(Permanent, match="protocol"):
        _Events(["a"], lambda host, text: None).take(text)
