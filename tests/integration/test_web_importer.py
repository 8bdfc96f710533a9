"""The importer of URLs against a real https server, which hangs, drips, lies and leads astray."""

import datetime
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from isthmus.tosca.reading.importers import ImportRefused
from isthmus.tosca.reading.importers import cache as cache_module
from isthmus.tosca.reading.importers.addresses import check_public
from isthmus.tosca.reading.importers.web import WebImporter

HOST, OTHER = "types.example", "other.example"


def no_network(host, port, timeout):
    raise AssertionError(f"{host} was asked for")


# ---------------------------------------------------------------------------------------------
# a real server on the loopback, which the importer is told to accept


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for both names that signs itself: contexts for the server and for who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName(OTHER)])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    made = made.not_valid_after(now + datetime.timedelta(days=1)).add_extension(names, critical=False)
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return SimpleNamespace(server=server, client=ssl.create_default_context(cadata=pem.decode()))


@pytest.fixture
def site(authority):
    """A server that answers as ``pages`` says by path: status, headers, chunks; ``seen`` is what it was asked."""
    pages, seen, over = {}, [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.headers["host"].partition(":")[0], self.path, dict(self.headers)))
            status, headers, chunks = pages.get(self.path, (404, {}, [b"no"]))
            etag = headers.get("ETag")
            if etag is not None and self.headers.get("if-none-match") == etag:
                status, chunks = 304, []
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            for chunk in chunks:
                if chunk is None:
                    over.wait(20)
                else:
                    self.wfile.write(chunk)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self):
            sock, address = super().get_request()
            sock.settimeout(60)
            return authority.server.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, request, client_address):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        port = server.server_address[1]
        yield SimpleNamespace(pages=pages, seen=seen, port=port, tls=authority.client, url=f"https://{HOST}:{port}")
        over.set()
        server.shutdown()
        thread.join()


def loopback(host, port, timeout):
    return ["127.0.0.1"]


def anywhere(host, addresses):
    """In place of the check: the test's own server is not at a public address."""


def importer(site, *allow, **options):
    options = {"resolver": loopback, "check": anywhere, "tls": site.tls, "timeout": 60.0} | options
    return WebImporter(allow or (f"{HOST}:{site.port}",), **options)


def refused(web, url):
    with pytest.raises(ImportRefused) as caught:
        web.fetch(url)
    return caught.value.code


def test_an_allowed_file_is_fetched_with_nothing_but_the_request(site):
    site.pages["/t.yaml?v=1"] = (200, {"Set-Cookie": "a=b"}, [b"one", b"two"])
    web = importer(site)
    assert web.fetch(f"{site.url}/t.yaml?v=1#part") == b"onetwo"
    assert web.fetch(f"{site.url}/t.yaml?v=1") == b"onetwo"
    host, path, headers = site.seen[-1]
    assert (host, path) == (HOST, "/t.yaml?v=1")
    assert {k.lower() for k in headers} == {"host", "accept-encoding", "user-agent"}


def test_the_environment_names_no_proxy(site, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    site.pages["/t"] = (200, {}, [b"x"])
    assert importer(site).fetch(f"{site.url}/t") == b"x"


def test_the_loopback_is_refused_unless_one_says_otherwise(site):
    site.pages["/t"] = (200, {}, [b"x"])
    assert refused(importer(site, check=check_public), f"{site.url}/t") == "import-refused"
    assert site.seen == []


def test_redirects_are_followed_and_each_must_be_allowed(site):
    site.pages["/a"] = (302, {"Location": "/b"}, [])
    site.pages["/b"] = (307, {"Location": f"https://{OTHER}:{site.port}/c"}, [])
    site.pages["/c"] = (200, {}, [b"x"])
    assert refused(importer(site), f"{site.url}/a") == "import-refused"
    assert [p for _, p, _ in site.seen] == ["/a", "/b"]
    both = importer(site, f"{HOST}:{site.port}", f"{OTHER}:{site.port}")
    assert both.fetch(f"{site.url}/a") == b"x"
    assert site.seen[-1][0] == OTHER


@pytest.mark.parametrize("location", ["http://{h}/c", "file:///etc/passwd", "//user@{h}/c", "https://[", "/a/../c"])
def test_a_redirect_to_what_is_no_plain_https_url_is_refused(site, location):
    site.pages["/a"] = (302, {"Location": location.format(h=HOST)}, [])
    assert refused(importer(site), f"{site.url}/a") in ("import-refused", "import-failed")
    assert len(site.seen) == 1 or location.startswith("/")


def test_a_redirect_into_a_private_network_is_refused_even_when_allowed(site):
    site.pages["/a"] = (302, {"Location": f"https://{OTHER}:{site.port}/c"}, [])
    site.pages["/c"] = (200, {}, [b"secret"])

    def check(host, addresses):
        if host == OTHER:
            check_public(host, addresses)

    web = importer(site, f"{HOST}:{site.port}", f"{OTHER}:{site.port}", check=check)
    assert refused(web, f"{site.url}/a") == "import-refused"
    assert [p for _, p, _ in site.seen] == ["/a"]


def test_redirects_in_a_circle_come_to_an_end(site):
    site.pages["/a"] = (302, {"Location": "/a"}, [])
    assert refused(importer(site), f"{site.url}/a") == "import-failed"
    assert len(site.seen) == 6


def test_the_address_that_was_checked_is_the_one_that_is_asked(site, monkeypatch):
    """A name that means another address a moment later leads nowhere else (DNS rebinding)."""
    site.pages["/t"] = (200, {}, [b"x"])
    asked, checked = [], []

    def once(host, port, timeout):
        asked.append(host)
        assert len(asked) == 1, "the name was resolved again after the check"
        return ["127.0.0.1"]

    def system(*args, **kwargs):
        host = args[0]
        assert host == "127.0.0.1", f"the system was asked for {host}"
        return real(*args, **kwargs)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", system)
    web = importer(site, resolver=once, check=lambda host, found: checked.append((host, found)))
    assert web.fetch(f"{site.url}/t") == b"x"
    assert checked == [(HOST, ["127.0.0.1"])]


def test_the_next_address_is_tried_when_one_does_not_answer(site):
    site.pages["/t"] = (200, {}, [b"x"])
    web = importer(site, resolver=lambda *a: ["127.255.255.254", "127.0.0.1"])
    assert web.fetch(f"{site.url}/t") == b"x"


def test_a_certificate_of_another_name_is_refused(site):
    web = importer(site, f"third.example:{site.port}")
    assert refused(web, f"https://third.example:{site.port}/t") == "import-failed"
    assert site.seen == []


def test_a_certificate_that_nobody_vouches_for_is_refused(site):
    assert refused(importer(site, tls=ssl.create_default_context()), f"{site.url}/t") == "import-failed"


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "99999999"}, {"Content-Length": "9" * 30}])
def test_what_is_too_large_is_cut_off(site, headers):
    site.pages["/t"] = (200, headers, [b"x" * 1_000] * 100)
    assert refused(importer(site, max_bytes=5_000), f"{site.url}/t") in ("too-large", "import-failed")


def test_exactly_as_much_as_is_allowed_is_taken(site):
    site.pages["/t"] = (200, {}, [b"x" * 5_000])
    assert len(importer(site, max_bytes=5_000).fetch(f"{site.url}/t")) == 5_000


@pytest.mark.parametrize("chunks", [[None], [b"x", None]])
def test_a_server_that_hangs_is_left(site, chunks):
    site.pages["/t"] = (200, {}, chunks)
    assert refused(importer(site, timeout=0.2), f"{site.url}/t") == "import-failed"


def test_a_server_that_drips_is_left_when_the_whole_time_is_over(site):
    """Each byte comes in time; a clock that jumps a second at every look shows that the sum counts."""
    site.pages["/t"] = (200, {}, [b"x"] * 1_000)
    ticks = iter(range(10_000))
    web = importer(site, clock=lambda: float(next(ticks)), timeout=30.0, max_bytes=10_000)
    with pytest.raises(ImportRefused, match="in time"):
        web.fetch(f"{site.url}/t")


@pytest.mark.parametrize("status", [204, 206, 400, 401, 404, 500, 503])
def test_any_other_answer_is_a_failure_that_names_the_status(site, status):
    site.pages["/t"] = (status, {}, [])
    with pytest.raises(ImportRefused, match=str(status)):
        importer(site).fetch(f"{site.url}/t")


def test_packed_content_is_refused(site):
    site.pages["/t"] = (200, {"Content-Encoding": "gzip"}, [b"\x1f\x8b"])
    assert refused(importer(site), f"{site.url}/t") == "import-failed"


# ---------------------------------------------------------------------------------------------
# the cache


def test_a_fresh_file_is_taken_from_the_cache_without_any_network(site, tmp_path):
    site.pages["/t"] = (200, {"ETag": '"1"'}, [b"x"])
    now = [1_000.0]
    options = {"cache": tmp_path / "c", "fresh": 60.0, "now": lambda: now[0]}
    assert importer(site, **options).fetch(f"{site.url}/t") == b"x"
    offline = importer(site, resolver=no_network, **options)
    assert offline.fetch(f"{site.url}/t") == b"x"
    now[0] += 59
    assert offline.fetch(f"{site.url}/t") == b"x"
    assert len(site.seen) == 1


def test_a_stale_file_is_asked_for_again_by_its_tag(site, tmp_path):
    site.pages["/t"] = (200, {"ETag": '"1"'}, [b"x"])
    now = [1_000.0]
    web = importer(site, cache=tmp_path, fresh=60.0, now=lambda: now[0])
    web.fetch(f"{site.url}/t")
    now[0] += 61
    assert web.fetch(f"{site.url}/t") == b"x"
    assert site.seen[-1][2]["if-none-match"] == '"1"'
    assert web.fetch(f"{site.url}/t") == b"x"
    assert len(site.seen) == 2
    site.pages["/t"] = (200, {"ETag": '"2"'}, [b"y"])
    now[0] += 61
    assert web.fetch(f"{site.url}/t") == b"y"


@pytest.mark.parametrize("tag", ["é", '"a b"', "plain", '"' + "x" * 5_000 + '"'])
def test_a_tag_that_is_none_is_not_sent_back(site, tmp_path, tag):
    site.pages["/t"] = (200, {"ETag": tag}, [b"x"])
    web = importer(site, cache=tmp_path, fresh=0.0)
    web.fetch(f"{site.url}/t")
    assert web.fetch(f"{site.url}/t") == b"x"
    assert "if-none-match" not in site.seen[-1][2]


def test_the_cache_opens_nothing_that_is_not_allowed(site, tmp_path):
    site.pages["/a"] = (302, {"Location": f"https://{OTHER}:{site.port}/c"}, [])
    site.pages["/c"] = (200, {}, [b"x"])
    here, there = f"{HOST}:{site.port}", f"{OTHER}:{site.port}"
    importer(site, here, there, cache=tmp_path).fetch(f"{site.url}/a")
    assert importer(site, here, there, cache=tmp_path, resolver=no_network).fetch(f"{site.url}/a") == b"x"
    assert refused(importer(site, there, cache=tmp_path), f"{site.url}/a") == "import-refused"
    assert refused(importer(site, here, cache=tmp_path), f"{site.url}/a") == "import-refused"


@pytest.mark.parametrize("damage", [b"", b"{}\nx", b"\xff\n", b"[" * 60_000, b'{"hops": 1}\n', None])
def test_a_damaged_file_of_the_cache_is_fetched_again(site, tmp_path, damage):
    site.pages["/t"] = (200, {}, [b"x"])
    web = importer(site, cache=tmp_path)
    web.fetch(f"{site.url}/t")
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(damage if damage is not None else kept.read_bytes()[:-1] + b"z")
    assert web.fetch(f"{site.url}/t") == b"x"
    assert len(site.seen) == 2


def test_the_cache_is_bounded(site, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "MAX_ENTRIES", 3)
    web = importer(site, cache=tmp_path)
    for i in range(6):
        site.pages[f"/{i}"] = (200, {}, [b"x"])
        web.fetch(f"{site.url}/{i}")
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(cache_module, "MAX_BYTES", 1)
    web.fetch(f"{site.url}/0")
    assert len(list(tmp_path.iterdir())) <= 1


def test_a_cache_that_cannot_be_written_does_no_harm(site, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    site.pages["/t"] = (200, {}, [b"x"])
    assert importer(site, cache=tmp_path / "file" / "c").fetch(f"{site.url}/t") == b"x"
