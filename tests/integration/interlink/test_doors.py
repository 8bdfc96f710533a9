"""mTLS, bearer tokens and a Unix socket, for real."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest

from isthmus.api.dialects.interlink.listening import Listening
from isthmus.api.dialects.interlink.plugin import Plugin

from .certificates import Authority, Pair
from .conftest import client, listening

TOKEN, NEXT = "a-token-of-the-cluster-1", "a-token-of-the-cluster-2"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours", "ours")


def trust(authority: Authority, shown: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    if shown is not None:
        context.load_cert_chain(shown.cert, shown.key)
    return context


async def ping(where: httpx.AsyncClient) -> int:
    async with where:
        answer = await where.request("GET", "/status", content=b"[]")
        return answer.status_code


async def test_mutual_tls(plugin: Plugin, authority: Authority, tmp_path: Path) -> None:
    own, known = authority.issue("plugin"), authority.issue("kubelet")
    stranger = Authority(tmp_path / "theirs", "theirs").issue("stranger")
    where = Listening("127.0.0.1:0", tls_cert=own.cert, tls_key=own.key, client_ca=authority.file)
    async with listening(plugin.routes(), where) as url:
        assert await ping(client(url, trust(authority, known))) == 200
        for shown in (None, stranger, authority.issue("former", days=-1)):
            with pytest.raises(httpx.TransportError):
                await ping(client(url, trust(authority, shown)))
        with pytest.raises(httpx.TransportError):
            await ping(client(url.replace("https", "http")))
        assert await ping(client(url, trust(authority, known))) == 200


async def test_tls_older_than_1_2_is_not_spoken(plugin: Plugin, authority: Authority) -> None:
    own = authority.issue("plugin")
    context = Listening("127.0.0.1:0", tls_cert=own.cert, tls_key=own.key).tls()
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_bearer_tokens_change_without_a_restart(plugin: Plugin, authority: Authority, tmp_path: Path) -> None:
    own, file = authority.issue("plugin"), tmp_path / "tokens"
    file.write_text(TOKEN)
    where = Listening("0.0.0.0:0", tls_cert=own.cert, tls_key=own.key, token_file=file)
    async with listening(plugin.routes(), where) as url:
        tls = trust(authority)
        assert await ping(client(url, tls, TOKEN)) == 200
        assert [await ping(client(url, tls, wrong)) for wrong in ("", NEXT, TOKEN[:-1])] == [401, 401, 401]
        file.write_text(f"{NEXT}\n")
        assert [await ping(client(url, tls, one)) for one in (TOKEN, NEXT)] == [401, 200]


async def test_a_body_is_not_even_read_without_a_token(plugin: Plugin, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    where = Listening("127.0.0.1:0", token_file=tmp_path / "tokens")
    async with listening(plugin.routes(), where) as url, client(url) as stranger:
        answer = await stranger.post("/create", content=b"{")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_unix_socket(plugin: Plugin, tmp_path: Path) -> None:
    async with listening(plugin.routes(), Listening(path=tmp_path / "plugin.sock")) as url:
        assert await ping(client(url)) == 200
