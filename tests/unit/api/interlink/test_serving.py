"""What an endpoint does with connections that are kept."""

from __future__ import annotations

from isthmus.api.dialects.interlink.door import Door
from isthmus.api.dialects.interlink.listening import Listening
from isthmus.api.dialects.interlink.serving import make_server

GO_KEEPS = 90
"""Seconds after which the stock programs end a connection that is idle."""


def test_a_silent_connection_is_ended_by_the_other_side() -> None:
    """Ended here, it could be just as a pod is handed over on it; the stock programs send no POST twice."""
    assert make_server(Door({}), Listening("127.0.0.1:0")).config.timeout_keep_alive > GO_KEEPS
