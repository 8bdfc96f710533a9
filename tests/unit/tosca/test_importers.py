"""Imports by URL: what is allowed, what is refused before a byte is sent, and what a template gets of it."""

import ipaddress
import socket
import threading

import pytest

from isthmus.tosca import Bundle, BundleError, load
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.reading.compose import compose
from isthmus.tosca.reading.documents import Map
from isthmus.tosca.reading.import_targets import import_targets
from isthmus.tosca.reading.importers import ImportRefused
from isthmus.tosca.reading.importers import collect as collect_module
from isthmus.tosca.reading.importers.addresses import check_public, is_public, resolve
from isthmus.tosca.reading.importers.allowing import check_allowed, parse_allowed, parse_place
from isthmus.tosca.reading.importers.web import WebImporter

HOST = "types.example"


# ---------------------------------------------------------------------------------------------
# addresses


@pytest.mark.parametrize("text", ["8.8.8.8", "193.0.6.139", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"])
def test_public_addresses_may_be_asked(text):
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
        "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1",
        "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "3fff::1",
    ],
)  # fmt: skip
def test_other_addresses_may_not(text):
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("addresses", [[], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::1"], ["nonsense"], ["8.8.8.8"] * 17])
def test_a_name_with_any_address_that_is_not_public_is_refused(addresses):
    with pytest.raises(ImportRefused) as caught:
        check_public(HOST, addresses)
    assert caught.value.code == "import-refused"
    assert "10.0.0.1" not in caught.value.summary


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "::1"])
def test_whatever_way_the_loopback_is_written_it_is_refused(host):
    with pytest.raises(ImportRefused):
        check_public(host, resolve(host, 443, 5))


def test_a_name_that_is_not_resolved_in_time_is_given_up(monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: gate.wait(20) and [])
    with pytest.raises(ImportRefused, match="in time"):
        resolve("slow.example", 443, 0.01)
    gate.set()


# ---------------------------------------------------------------------------------------------
# URLs and the allow list


@pytest.mark.parametrize(
    "url",
    [
        "http://h/x", "ftp://h/x", "file:///etc/passwd", "https:///x", "https://", "//h/x", "h/x", "HTTP://h/x",
        "https://user@h/x", "https://user:sesame@h/x", "https://h:99999/x", "https://h:x/x", "https://h/../x",
        "https://h/a/%2e%2e/x", "https://h/a%2fb", "https://h/%252e%252e/x", "https://h/a\\b", "https://h/a b",
        "https://h/\n", "https://hé/x", "https://h..h/x", "https://h_h/x", "https://-h/x", "https://[::1/x",
        "https://h/" + "x" * 2_000,
    ],
)  # fmt: skip
def test_a_url_that_is_not_plain_https_is_refused(url):
    with pytest.raises(ImportRefused) as caught:
        parse_place(url)
    assert caught.value.code == "import-refused"
    assert "sesame" not in caught.value.summary


@pytest.mark.parametrize(
    ("allow", "url", "covered"),
    [
        ("h", "https://h/any", True),
        ("h", "https://H/any?ref=x", True),
        ("https://h/", "https://h/any", True),
        ("h", "https://sub.h/any", False),
        ("h", "https://h.evil/any", False),
        ("h", "https://h:8443/any", False),
        ("h:8443", "https://h:8443/any", True),
        ("h:443", "https://h/any", True),
        ("h/a/b", "https://h/a/b", True),
        ("h/a/b", "https://h/a/b/c.yaml", True),
        ("h/a/b/", "https://h/a/b/c.yaml", True),
        ("h/a/b", "https://h/a/bc", False),
        ("h/a/b", "https://h/a/B/c", False),
        ("h/a/b", "https://h/", False),
    ],
)
def test_the_allow_list_covers_hosts_and_paths_below(allow, url, covered):
    allowed = parse_allowed([allow])
    if covered:
        check_allowed(parse_place(url), allowed)
    else:
        with pytest.raises(ImportRefused, match="not on the list") as caught:
            check_allowed(parse_place(url), allowed)
        assert parse_place(url).host in caught.value.suggestion


@pytest.mark.parametrize("entry", ["", "*", "*.h", "http://h", "h/../x", "h?x", "user@h", "h h"])
def test_what_is_no_entry_of_an_allow_list_is_refused(entry):
    with pytest.raises(ValueError, match="cannot be allowed"):
        WebImporter([entry])


def test_nothing_is_allowed_unless_it_is_told_and_no_name_is_resolved():
    with pytest.raises(ImportRefused, match="not on the list"):
        WebImporter(resolver=no_network).fetch("https://types.example/t.yaml")


def no_network(host, port, timeout):
    raise AssertionError(f"{host} was asked for")


# ---------------------------------------------------------------------------------------------
# a template with imports by URL

TYPES = b"node_types: { Mine: { derived_from: tosca.nodes.Compute } }\n"


class Shelf:
    """An importer of what it was given; remembers what it was asked for."""

    def __init__(self, **files):
        self.files = {f"https://h/{k.replace('_', '/')}.yaml": v for k, v in files.items()}
        self.asked = []

    def fetch(self, url):
        self.asked.append(url)
        if url not in self.files:
            raise ImportRefused("import-refused", f"{url!r} is not on the shelf", "put it there")
        return self.files[url]


@pytest.fixture
def collected(tmp_path):
    def run(text, importer=None, version="simple_yaml_1_3"):
        (tmp_path / "t.yaml").write_text(f"tosca_definitions_version: tosca_{version}\n{text}\n")
        return Bundle.from_path(tmp_path / "t.yaml", importer=importer)

    return run


def test_without_an_importer_nothing_is_fetched_and_the_import_says_how_to_allow_it(collected):
    found = load(collected("imports: [ https://h/a.yaml ]")).diagnostics
    assert [(d.code, d.position.line, d.position.column) for d in found][:1] == [("import", 2, 12)]


def test_an_imported_url_becomes_a_file_of_the_bundle(collected):
    bundle = collected("imports: [ https://h/a.yaml ]\n", Shelf(a=TYPES))
    assert bundle.files["https://h/a.yaml"] == TYPES
    assert load(bundle).topology is not None


def test_imports_of_a_fetched_document_are_relative_to_its_url(collected):
    shelf = Shelf(x_a=b"imports: [ b.yaml, ../y/c.yaml, /d.yaml ]\n", x_b=b"a: b\n", y_c=b"a: b\n", d=b"a: b\n")
    assert set(collected("imports: [ https://h/x/a.yaml ]", shelf).files) == {"t.yaml", *shelf.files}


def test_a_fetched_document_reads_no_file_of_this_machine(collected, tmp_path):
    (tmp_path / "secret.yaml").write_text("a: b\n")
    for target in ("secret.yaml", "file:secret.yaml", f"file://{tmp_path}/secret.yaml", f"{tmp_path}/secret.yaml"):
        shelf = Shelf(a=f"imports: [ '{target}' ]\n".encode())
        try:
            files = collected("imports: [ https://h/a.yaml ]", shelf).files
        except BundleError:
            continue
        assert set(files) == {"t.yaml", "https://h/a.yaml"}


def test_scripts_that_a_fetched_document_names_come_with_it(collected):
    shelf = Shelf(x_a=b"node_types: { M: { artifacts: { one: s/i.sh, image: 'org/x:1', none: gone.sh } } }\n")
    shelf.files["https://h/x/s/i.sh"] = b"#!/bin/sh\n"
    bundle = collected("imports: [ https://h/x/a.yaml ]", shelf)
    assert set(bundle.files) == {"t.yaml", "https://h/x/a.yaml", "https://h/x/s/i.sh"}


def test_each_url_is_asked_for_once(collected):
    shelf = Shelf(a=b"imports: [ b.yaml, a.yaml ]\n", b=b"imports: [ a.yaml ]\n")
    collected("imports: [ https://h/a.yaml, https://h/b.yaml, 'https://h/a.yaml#x' ]", shelf)
    assert sorted(shelf.asked) == ["https://h/a.yaml", "https://h/b.yaml"]


def test_what_is_refused_is_told_at_every_import_at_once(collected):
    with pytest.raises(BundleError) as caught:
        collected("imports:\n  - https://h/a.yaml\n  - file: https://h/b.yaml\n", Shelf())
    found = [(d.code, str(d.position), d.suggestion) for d in caught.value.diagnostics]
    assert found == [
        ("import-refused", "t.yaml:3:5", "put it there"),
        ("import-refused", "t.yaml:4:11", "put it there"),
    ]


def test_many_failures_are_not_waited_for(collected):
    shelf = Shelf()
    with pytest.raises(BundleError):
        collected("imports:\n" + "".join(f"  - https://h/{i}.yaml\n" for i in range(50)), shelf)
    assert len(shelf.asked) == collect_module.MAX_FAILURES


def test_a_chain_of_urls_is_bounded(collected):
    class Endless:
        count = 0

        def fetch(self, url):
            self.count += 1
            return f"imports: [ x{self.count}.yaml ]\n".encode()

    endless = Endless()
    with pytest.raises(BundleError) as caught:
        collected("imports: [ https://h/x.yaml ]", endless)
    assert caught.value.diagnostics[0].code == "too-large"
    assert endless.count == collect_module.MAX_FETCHED


def test_a_repository_is_a_url_that_imports_are_below(collected):
    text = "repositories: { r: { url: https://h/base } }\nimports: [ { n: { file: x/a.yaml, repository: r } } ]"
    shelf = Shelf(base_x_a=TYPES)
    assert "https://h/base/x/a.yaml" in collected(text, shelf).files
    modern = "repositories: { r: https://h/base/ }\nimports: [ { url: /x/a.yaml, repository: r } ]"
    assert "https://h/base/x/a.yaml" in collected(modern, shelf, "2_0").files


def test_credentials_of_a_repository_are_not_sent(collected):
    text = "repositories: { r: { url: https://h/base, credential: { token: x } } }\n"
    shelf = Shelf(base_a=TYPES)
    with pytest.raises(BundleError) as caught:
        collected(f"{text}imports: [ {{ file: a.yaml, repository: r }} ]", shelf)
    assert shelf.asked == []
    assert "credentials" in caught.value.diagnostics[0].summary


# ---------------------------------------------------------------------------------------------
# where imports lead


def targets(text, file="d/t.yaml"):
    problems = Problems()
    root = compose(file, text.encode(), problems)
    assert isinstance(root, Map)
    root.source.version = 2 if "tosca_2_0" in text else 1
    found = [t.profile or t.path for t in import_targets(root, file, problems)]
    return found, [(d.code, d.position.line, d.position.column) for d in problems.list()]


@pytest.mark.parametrize(
    "entry",
    [
        "~",
        "[ a ]",
        "{ namespace: n }",
        "{ repository: r }",
        "{ file: [ a ] }",
        "{ url: a.yaml, profile: p }",
        "{ profile: p, repository: r }",
        "{ file: a.yaml, repository: unknown }",
        "{ file: a.yaml, repository: empty }",
        "{ file: a.yaml, repository: git }",
        "{ file: a.yaml, repository: absolute }",
        "{ file: ../a.yaml, repository: r }",
        "{ file: ../a.yaml, repository: web }",
        "{ file: ../../a.yaml }",
        "../../a.yaml",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "file:../../a.yaml",
        "'c:\\a.yaml'",
        "{ n: { m: a.yaml } }",
    ],
)
def test_an_import_that_can_lead_nowhere_is_told_in_its_line(entry):
    repositories = (
        "repositories: { r: { url: lib }, web: https://h/x, empty: { description: d }, git: 'git+ssh://h/x',"
        " absolute: 'file:///etc' }\n"
    )
    found, problems = targets(f"{repositories}imports:\n  - {entry}\n")
    assert found == []
    assert problems
    assert all(line in (1, 3) for _, line, _ in problems)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("imports: [ { profile: a.b }, x.yaml ]", ["a.b", "d/x.yaml"]),
        (
            "imports: [ ../x.yaml, /y.yaml, 'https://h/z.yaml#f', 'file:w.yaml' ]",
            ["x.yaml", "y.yaml", "https://h/z.yaml", "d/w.yaml"],
        ),
        ("repositories: { r: 'file:../l/' }\nimports: [ { url: x.yaml, repository: r } ]", ["l/x.yaml"]),
        ("repositories: { r: / }\nimports: [ { url: x.yaml, repository: r } ]", ["x.yaml"]),
    ],
)
def test_imports_of_2_0_lead_where_the_specification_says(text, found):
    assert targets(f"tosca_definitions_version: tosca_2_0\n{text}\n") == (found, [])


def test_in_2_0_a_whole_url_cannot_be_in_a_repository():
    text = "repositories: { r: lib }\nimports: [ { %s: https://h/x.yaml, repository: r } ]\n"
    assert targets("tosca_definitions_version: tosca_2_0\n" + text % "url")[1] == [("import", 3, 49)]
    found, _ = targets(text % "file")
    assert found == ["https://h/x.yaml"]


def test_a_key_that_no_import_has_is_told():
    assert targets("imports: [ { file: a.yaml, namespace_prefx: p } ]")[1] == [("key-unknown", 1, 28)]
    assert targets("tosca_definitions_version: tosca_2_0\nimports: [ { file: a.yaml } ]")[1][0][0] == "key-unknown"
