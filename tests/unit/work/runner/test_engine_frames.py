"""The two outputs of a container in one stream of its engine."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from isthmus.work.runner.runtimes.engine_socket import Frames

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=20)


@given(frames=FRAMES, cuts=st.lists(st.integers(1, 30)))
def test_it_is_taken_apart_wherever_it_is_cut(frames, cuts):
    data = b"".join(struct.pack("!BxxxI", kind, len(text)) + text for kind, text in frames)
    demultiplexer = Frames()
    got = {1: b"", 2: b""}
    while data:
        cut = cuts.pop() if cuts else len(data)
        for kind, text in demultiplexer.take(data[:cut]):
            got[kind] += text
        data = data[cut:]

    assert got == {kind: b"".join(text for k, text in frames if k == kind) for kind in got}
