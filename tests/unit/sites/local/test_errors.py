"""What an engine says becomes one of our errors, whose type says what to do."""

from __future__ import annotations

import pytest
import requests
from docker.errors import APIError, DockerException

from isthmus.sites.errors import Permanent, QuotaExceeded, Temporary, Unreachable
from isthmus.sites.local.connection import as_ours, connect, errors_as_ours


def refusal(words: str, status: int) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError("refused", response=response, explanation=words)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal("write /x: no space left on device", 500), QuotaExceeded),
        (refusal("fork/exec: cannot allocate memory", 500), QuotaExceeded),
        (refusal("removal of container x is already in progress", 409), Temporary),
        (refusal("network x has active endpoints", 403), Temporary),
        (refusal("remove x: volume is in use - [y]", 409), Temporary),
        (refusal("the daemon is going away", 503), Unreachable),
        (refusal("invalid reference format", 400), Permanent),
        (requests.ConnectionError("connection refused"), Unreachable),
        (requests.ReadTimeout("read timed out"), Unreachable),
        (DockerException("what is this"), Unreachable),
    ],
)
def test_an_engines_words_say_what_to_do(error, kind):
    ours = as_ours(error, "unix:///x")

    assert type(ours) is kind
    assert getattr(error, "explanation", str(error)) in str(ours)


def test_a_bug_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError), errors_as_ours("unix:///x"):
        _ = 1 / 0


def test_a_missing_socket_is_unreachable(tmp_path):
    with pytest.raises(Unreachable, match="no container engine answers"):
        connect(f"unix://{tmp_path}/none.sock", timeout=1)
