"""Bundles: a folder, an archive, and everything that must not get in."""

import io
import os
import stat
import zipfile

import pytest

from isthmus.tosca import Bundle, BundleError, load
from isthmus.tosca import bundle as bundle_module

TEMPLATE = b"""tosca_definitions_version: tosca_simple_yaml_1_3
imports: [ types/types.yaml ]
topology_template:
  node_templates:
    m: { type: Mine, interfaces: { Standard: { configure: { implementation: run/a.sh } } } }
"""
TYPES = b"""node_types:
  Mine:
    derived_from: tosca.nodes.Compute
    artifacts: { data: ../data/d.txt }
    interfaces: { Standard: { create: { implementation: { primary: play.yml, dependencies: [ ../data/e.txt ] } } } }
"""
FILES = {
    "template.yaml": TEMPLATE,
    "types/types.yaml": TYPES,
    "types/play.yml": b"- hosts: all\n",
    "run/a.sh": b"#!/bin/sh\n",
    "data/d.txt": b"d",
    "data/e.txt": b"e",
}


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def archive(entries, **info):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in entries:
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = info.get("mode", 0o644) << 16
            z.writestr(member, content)
    return buffer.getvalue()


def refusal(call, *args):
    with pytest.raises(BundleError) as caught:
        call(*args)
    return caught.value.diagnostics[0].code


def test_a_folder_gives_what_the_template_reaches_and_nothing_else(folder):
    (folder / "secret.txt").write_bytes(b"not named")
    (folder / "other.yaml").write_bytes(b"not named")
    bundle = Bundle.from_path(folder / "template.yaml")
    assert dict(bundle.files) == FILES
    assert load(bundle).topology is not None


@pytest.mark.parametrize("escape", ["../outside.yaml", "/etc/passwd", "file:///etc/passwd", "types/../../outside.yaml"])
def test_nothing_outside_the_folder_is_read(folder, escape):
    (folder.parent / "outside.yaml").write_bytes(b"node_types: {}\n")
    text = TEMPLATE.replace(b"types/types.yaml", escape.encode())
    (folder / "template.yaml").write_bytes(text)
    bundle = Bundle.from_path(folder / "template.yaml")
    assert bundle.files.keys() <= FILES.keys()
    found = load(bundle).diagnostics[0]
    assert (found.code, found.position.line) == ("import", 2)
    assert escape in found.summary
    assert "beside the template" in found.suggestion


def test_a_link_that_leads_out_is_refused(folder):
    (folder.parent / "outside.sh").write_bytes(b"x")
    (folder / "run/a.sh").unlink()
    (folder / "run/a.sh").symlink_to(folder.parent / "outside.sh")
    assert refusal(Bundle.from_path, folder / "template.yaml") == "path-escape"


def test_a_link_to_a_folder_outside_is_refused(folder):
    (folder / "run/a.sh").unlink()
    (folder / "run").rmdir()
    (folder.parent / "outside").mkdir()
    (folder.parent / "outside/a.sh").write_bytes(b"x")
    (folder / "run").symlink_to(folder.parent / "outside")
    assert refusal(Bundle.from_path, folder / "template.yaml") == "path-escape"


def test_a_link_inside_the_folder_is_followed(folder):
    (folder / "run/b.sh").write_bytes(b"b")
    (folder / "run/a.sh").unlink()
    (folder / "run/a.sh").symlink_to("b.sh")
    assert Bundle.from_path(folder / "template.yaml").files["run/a.sh"] == b"b"


@pytest.mark.parametrize("name", ["nothing.yaml", ".", "pipe.yaml"])
def test_what_is_no_file_is_refused(folder, name):
    os.mkfifo(folder / "pipe.yaml")
    assert refusal(Bundle.from_path, folder / name) == "file-missing"


def test_a_document_that_is_too_large_is_refused(folder, monkeypatch):
    monkeypatch.setattr(bundle_module, "MAX_DOCUMENT", 10)
    assert refusal(Bundle.from_path, folder / "template.yaml") == "too-large"


def test_an_archive_and_back_is_the_same_bundle(folder, tmp_path):
    bundle = Bundle.from_path(folder / "template.yaml")
    packed = bundle.to_zip()
    assert Bundle.from_zip(packed) == bundle
    assert packed == Bundle("template.yaml", dict(reversed(FILES.items()))).to_zip()
    (tmp_path / "t.csar").write_bytes(packed)
    assert Bundle.from_path(tmp_path / "t.csar").digest == bundle.digest


def test_the_digest_depends_on_every_path_and_byte():
    digests = {
        Bundle("a", {"a": b"x", "b": b"y"}).digest,
        Bundle("b", {"a": b"x", "b": b"y"}).digest,
        Bundle("a", {"a": b"x", "b": b"z"}).digest,
        Bundle("a", {"a": b"x", "c": b"y"}).digest,
        Bundle("a", {"a": b"xb", "": b"y"}).digest,
    }
    assert len(digests) == 5


def test_the_entry_is_told_by_the_metadata_or_by_being_alone():
    meta = b"TOSCA-Meta-File-Version: 1.1\nEntry-Definitions: deep/t.yaml\n"
    told = archive([("TOSCA-Metadata/TOSCA.meta", meta), ("deep/t.yaml", b"x")])
    assert Bundle.from_zip(told).main == "deep/t.yaml"
    assert Bundle.from_zip(archive([("t.yml", b"x"), ("deep/u.yaml", b"y")])).main == "t.yml"
    assert refusal(Bundle.from_zip, archive([("a.yaml", b"x"), ("b.yaml", b"y")])) == "archive"
    assert refusal(Bundle.from_zip, archive([("TOSCA-Metadata/TOSCA.meta", meta)])) == "archive"
    assert refusal(Bundle.from_zip, archive([("TOSCA-Metadata/TOSCA.meta", b"")])) == "archive"


@pytest.mark.parametrize(
    "name", ["../t.yaml", "/t.yaml", "a/../../t.yaml", "a/./t.yaml", "C:\\t.yaml", "a\\..\\t.yaml"]
)
def test_names_that_lead_out_of_an_archive_are_refused(name):
    assert refusal(Bundle.from_zip, archive([("t.yaml", b"x"), (name, b"y")])) == "path-escape"


def test_links_in_an_archive_are_refused():
    assert refusal(Bundle.from_zip, archive([("t.yaml", b"/etc/passwd")], mode=stat.S_IFLNK | 0o777)) == "archive"


def test_too_many_files_and_too_many_bytes_are_refused(monkeypatch):
    many = archive([(f"f{i}", b"") for i in range(2001)])
    assert refusal(Bundle.from_zip, many) == "too-large"
    bomb = archive([("t.yaml", b"\0" * (65 * 2**20))])
    assert len(bomb) < 100_000
    assert refusal(Bundle.from_zip, bomb) == "too-large"


def test_an_archive_that_lies_about_its_size_is_refused():
    data = bytearray(archive([("t.yaml", b"\0" * 100_000)]))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert refusal(Bundle.from_zip, bytes(data)) == "archive"


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip at all", archive([("t.yaml", b"x" * 999)])[:-40]])
def test_what_is_no_archive_is_refused(data):
    assert refusal(Bundle.from_zip, data) == "archive"
