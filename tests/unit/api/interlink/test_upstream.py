"""Where a plugin is, and what is shown to it: what would say nothing is refused at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.api.dialects.interlink.upstream import Address, Remote
from isthmus.errors import Invalid

FILE = Path("/nowhere")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (Address("ftp://a"), "no http://"),
        (Address("http://"), "no http://"),
        (Address("http://a/b?c=d"), "no http://"),
        (Address("unix://"), "no http://"),
        (Address("unix://relative/plugin.sock"), "no http://"),
        (Address("http://user:swordfish@a"), "no user"),
        (Address("http://a", ca=FILE), "--plugin-ca would say nothing to http"),
        (Address("http://a", cert=FILE, key=FILE), "--plugin-cert, --plugin-key would say nothing"),
        (Address("unix:///a", cert=FILE), "--plugin-cert would say nothing to unix"),
        (Address("https://a", key=FILE), "--plugin-key goes with --plugin-cert"),
        (Address("https://a", ca=FILE), "cannot be read"),
        (Address("http://a", token_file=FILE), "no token"),
    ],
)
def test_addresses_that_are_refused(address: Address, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        Remote(address)
    assert "swordfish" not in refused.value.detail


async def test_a_plugin_without_tls_and_token() -> None:
    await Remote(Address("http://127.0.0.1:1")).close()
