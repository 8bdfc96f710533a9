"""Archives: zip and tar, what is hostile in them, and what a CSAR says of itself."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from isthmus.tosca import Bundle, BundleError, load

SIMPLE = b"tosca_definitions_version: tosca_simple_yaml_1_3\n"
MODERN = b"tosca_definitions_version: tosca_2_0\n"
NAMED = SIMPLE + b"metadata: { template_name: t, template_version: 1.0 }\n"
META = "TOSCA-Metadata/TOSCA.meta"
HEAD = "TOSCA-Meta-File-Version: 1.0\nCSAR-Version: 1.1\nCreated-By: me\n"


def zipped(entries, mode=0o644, **info):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in entries:
            member = zipfile.ZipInfo(name)
            member.compress_type = info.get("method", zipfile.ZIP_DEFLATED)
            member.external_attr = mode << 16
            z.writestr(member, content)
    return buffer.getvalue()


def tarred(entries, pack=bytes, format=tarfile.USTAR_FORMAT, **info):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as t:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in info.items():
                setattr(member, key, value)
            t.addfile(member, io.BytesIO(content))
    return pack(buffer.getvalue())


def refusals(data):
    with pytest.raises(BundleError) as caught:
        Bundle.from_archive(data)
    return caught.value.diagnostics


def code(data):
    return refusals(data)[0].code


def csar(meta, *files, at=META):
    return zipped([(at, meta), ("d/t.yaml", SIMPLE), *files])


# ---------------------------------------------------------------------------------------------
# what a CSAR says of itself


@pytest.mark.parametrize(
    "meta",
    [
        f"{HEAD}Entry-Definitions: d/t.yaml\n",
        f"{HEAD.replace('1.1', '1.0')}Entry-Definitions: d/t.yaml",
        f"{HEAD}Entry-Definitions: d/t.yaml\n\nName: d/t.yaml\nContent-Type: text/yaml\n",
        f"\n{HEAD}Entry-Definitions:\n  d/t.yaml \n".replace("\n", "\r\n"),
        f"\ufeff{HEAD}Entry-Definitions: d/t.yaml\n",
        f"{HEAD}ETSI-Entry-Manifest: m.mf\nEntry-Definitions: d/t.yaml\n",
        "CSAR-Version: 2.0\nCreated-By: me\nEntry-Definitions: d/t.yaml\n",
        "CSAR-Version: 2.0\nEntry-Definitions: d/t.yaml\n",
    ],
)
def test_the_metadata_of_every_version_name_the_entry(meta):
    bundle = Bundle.from_archive(csar(meta))
    assert (bundle.main, set(bundle.files), bundle.others) == ("d/t.yaml", {"d/t.yaml"}, ())


def test_the_metadata_may_lie_at_the_root():
    meta = "CSAR-Version: 2.0\nEntry-Definitions: d/t.yaml\n"
    assert Bundle.from_archive(csar(meta, at="TOSCA.meta")).main == "d/t.yaml"
    (found,) = refusals(csar(meta, ("TOSCA.meta", meta)))
    assert found.code == "archive"
    assert "only one" in found.summary


def test_other_definitions_are_kept_and_may_be_quoted():
    meta = f'{HEAD}Entry-Definitions: d/t.yaml\nOther-Definitions: a.yaml\n  "b c.yaml" a.yaml\n'
    bundle = Bundle.from_archive(csar(meta, ("a.yaml", SIMPLE), ("b c.yaml", SIMPLE)))
    assert bundle.others == ("a.yaml", "b c.yaml")
    again = Bundle.from_zip(bundle.to_zip())
    assert (again, again.digest) == (bundle, bundle.digest)
    assert bundle.digest != Bundle(bundle.main, bundle.files).digest


@pytest.mark.parametrize(
    ("meta", "found", "line", "column"),
    [
        ("CSAR-Version: 3.0\nEntry-Definitions: d/t.yaml\n", "version", 1, 15),
        (HEAD.replace(": 1.0", ": 7") + "Entry-Definitions: d/t.yaml\n", "version", 1, 26),
        ("Created-By: me\nEntry-Definitions: d/t.yaml\n", "key-missing", 1, 1),
        ("CSAR-Version: 1.1\nCreated-By: me\nEntry-Definitions: d/t.yaml\n", "key-missing", 1, 1),
        (HEAD.replace("Created-By: me\n", "") + "Entry-Definitions: d/t.yaml\n", "key-missing", 1, 1),
        (HEAD, "key-missing", 1, 1),
        (HEAD + "Entry-Definitions:\n", "key-missing", 4, 19),
        (HEAD + "\nEntry-Definitions: d/t.yaml\n", "key-missing", 1, 1),
        (HEAD + "Entry-Definitions: d/u.yaml\n", "file-missing", 4, 20),
        (HEAD + "Entry-Definitions: ../../etc/passwd\n", "file-missing", 4, 20),
        (HEAD + "Entry-Definitions: d/t.yaml\nOther-Definitions: x.yaml\n", "file-missing", 5, 20),
        (HEAD + "Entry-Definitions: old.tosca\n", "unsupported", 4, 20),
        (HEAD + "nonsense\n", "archive", 4, 1),
        (HEAD + "Created-By: you\n", "archive", 4, 1),
        ("\n\n", "archive", 1, 1),
    ],
)
def test_what_is_wrong_with_the_metadata_is_told_in_its_line(meta, found, line, column):
    first = refusals(csar(meta, ("old.tosca", b"<Definitions/>")))[0]
    assert (first.code, str(first.position)) == (found, f"{META}:{line}:{column}")


def test_a_near_name_is_suggested():
    assert "d/t.yaml" in refusals(csar(f"{HEAD}Entry-Definitions: d/tt.yaml\n"))[0].suggestion


@pytest.mark.parametrize("meta", [b"\xff\xfe", b"a: b\n" * 300_000])
def test_metadata_that_are_no_text_or_too_long_are_refused(meta):
    assert code(csar(meta)) in ("yaml-encoding", "too-large")


def test_without_metadata_the_only_yaml_file_at_the_root_is_the_entry():
    files = [("t.yml", MODERN), ("deep/u.yaml", SIMPLE), ("README.md", b"")]
    assert Bundle.from_archive(zipped(files)).main == "t.yml"
    assert code(zipped([("a.yaml", SIMPLE), ("b.yaml", SIMPLE)])) == "archive"
    assert code(zipped([("d/a.yaml", SIMPLE)])) == "archive"


def test_metadata_of_2_0_that_name_no_entry_leave_it_to_the_only_yaml_file_at_the_root():
    meta = "CSAR-Version: 2.0\nCreated-By: me\n"
    assert Bundle.from_archive(zipped([(META, meta), ("t.yaml", SIMPLE), ("d/o.yaml", SIMPLE)])).main == "t.yaml"
    for roots in ((), ("t.yaml", "u.yml")):
        assert code(zipped([(META, meta), *((r, SIMPLE) for r in roots)])) == "key-missing"
    assert (
        code(zipped([(META, "TOSCA-Meta-File-Version: 1.1\nCSAR-Version: 1.1\n"), ("t.yaml", SIMPLE)])) == "key-missing"
    )


def test_without_metadata_a_template_of_1_x_should_name_itself():
    assert Bundle.from_archive(zipped([("t.yaml", NAMED)])).remarks == ()
    remarks = Bundle.from_archive(zipped([("t.yaml", SIMPLE)])).remarks
    assert [(r.severity, r.code) for r in remarks] == [("warning", "key-missing")] * 2
    assert Bundle.from_archive(zipped([("t.yaml", MODERN)])).remarks == ()
    assert set(remarks) <= set(load(Bundle.from_archive(zipped([("t.yaml", SIMPLE)]))).diagnostics)


def test_a_signed_package_says_where_the_csar_is():
    found = refusals(zipped([("vnf.csar", b"PK"), ("vnf.cert", b"x")]))[0]
    assert "vnf.csar" in found.suggestion


@pytest.mark.parametrize(("document", "version"), [(SIMPLE, b"CSAR-Version: 1.1"), (MODERN, b"CSAR-Version: 2.0")])
def test_what_is_packed_has_the_version_of_its_template(document, version):
    data = Bundle("t.yaml", {"t.yaml": document}).to_zip()
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert version in z.read(META)
    assert Bundle.from_archive(data).files == {"t.yaml": document}


def test_fetched_files_keep_their_url_in_an_archive():
    url = "https://example.org/types.yaml?v=1"
    bundle = Bundle("t.yaml", {"t.yaml": SIMPLE, url: b"x", "a b.sh": b"y"})
    again = Bundle.from_zip(bundle.to_zip())
    assert (again, again.digest) == (bundle, bundle.digest)
    assert again.to_zip() == bundle.to_zip()


@pytest.mark.parametrize("block", ["Name: nope\nIsthmus-Source: https://h/x\n", "Name: d/t.yaml\nIsthmus-Source: /x\n"])
def test_a_source_that_makes_no_sense_is_refused(block):
    assert code(csar(f"{HEAD}Entry-Definitions: d/t.yaml\n\n{block}")) == "archive"


# ---------------------------------------------------------------------------------------------
# tar


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_of_every_kind_is_read(format, pack):
    long = "d/" * 60 + "é" * 60 + ".sh"
    files = {"t.yaml": MODERN, "d/empty": b"", "d/full": b"x" * 512, long: b"y" * 513}
    entries = list(files.items()) if format != tarfile.USTAR_FORMAT else list(files.items())[:3]
    assert Bundle.from_archive(tarred(entries, pack, format)).files == dict(entries)


def test_a_tar_of_a_whole_folder_is_read(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "t.yaml").write_bytes(MODERN)
    (tmp_path / "d/a.sh").write_bytes(b"a")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as t:
        t.add(tmp_path, arcname=".")
    (tmp_path / "x.tgz").write_bytes(buffer.getvalue())
    assert set(Bundle.from_path(tmp_path / "x.tgz").files) == {"t.yaml", "d/a.sh"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_and_devices_in_a_tar_are_refused(kind):
    assert code(tarred([("t.yaml", b"")], type=kind, linkname="/etc/passwd")) == "archive"


def test_a_tar_that_is_broken_is_refused():
    whole = tarred([("t.yaml", MODERN)])
    assert code(whole[:530]) == "archive"
    assert code(whole[:124] + b"77777777777\0" + whole[136:]) == "archive"
    assert code(gzip.compress(whole)[:-20]) == "archive"
    assert code(gzip.compress(whole) + b"more") == "archive"
    assert (
        code(tarred([("t.yaml", MODERN)], format=tarfile.PAX_FORMAT, pax_headers={"GNU.sparse.major": "1"}))
        == "archive"
    )


def test_a_gzip_bomb_is_refused():
    bomb = gzip.compress(b"\0" * (80 * 2**20), 9)
    assert len(bomb) < 100_000
    assert code(bomb) == "too-large"


# ---------------------------------------------------------------------------------------------
# hostile archives of either format


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    "name",
    ["../t.sh", "/t.sh", "a/../../t.sh", "a/./t.sh", "C:\\t.sh", "a\\..\\t.sh", "a\nb", " a", "https://h/x", "a//b"],
)
def test_names_that_lead_out_are_refused(pack, name):
    assert code(pack([("t.yaml", MODERN), (name, b"y")])) == "path-escape"


def test_folders_that_lead_out_are_refused():
    assert code(zipped([("t.yaml", MODERN), ("../x/", b"")])) == "path-escape"
    assert code(tarred([("../x", b"")], type=tarfile.DIRTYPE)) == "path-escape"


def test_a_name_that_goes_on_after_a_nul_is_refused():
    data = zipped([("t.yaml", MODERN), ("a.shXexe", b"y")]).replace(b"a.shXexe", b"a.sh\0exe")
    assert code(data) == "path-escape"


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(("one", "two"), [("a/b", "A/b"), ("e\u0301", "é"), ("a", "a/b")])
def test_names_that_collide_are_refused(pack, one, two):
    assert code(pack([("t.yaml", MODERN), (one, b"x"), (two, b"y")])) == "archive"


def test_a_file_that_is_there_twice_is_refused():
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped([("t.yaml", MODERN), ("t.yaml", SIMPLE)])
    assert code(data) == "archive"
    assert code(tarred([("t.yaml", MODERN), ("t.yaml", SIMPLE)])) == "archive"


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(mode):
    assert code(zipped([("t.yaml", b"/etc/passwd")], mode=mode | 0o777)) == "archive"


def test_encrypted_members_are_refused_by_name():
    data = bytearray(zipped([("t.yaml", MODERN)]))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (found,) = refusals(bytes(data))
    assert "encrypted" in found.summary
    assert "t.yaml" in found.summary


def test_other_methods_are_refused_by_name():
    (found,) = refusals(zipped([("t.yaml", MODERN)], method=zipfile.ZIP_BZIP2))
    assert "deflate" in found.summary


@pytest.mark.parametrize("name", ["META-INF/ME.SF", "META-INF/ME.RSA", "t.yaml.p7s", "d/T.CMS"])
def test_signatures_are_refused_by_name(name):
    (found,) = refusals(zipped([("t.yaml", MODERN), (name, b"y")]))
    assert name in found.summary
    assert "signature" in found.summary


def test_an_archive_that_is_signed_as_a_whole_is_refused():
    data = zipped([("t.yaml", MODERN)])
    end = data.rindex(b"PK\x05\x06")
    (found,) = refusals(data[:end] + b"PK\x05\x05\x02\x00xx" + data[end:])
    assert "signed" in found.summary


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_too_many_files_are_refused(pack):
    assert code(pack([(f"f{i}", b"") for i in range(2001)])) == "too-large"


def test_zip_bombs_are_refused():
    assert code(zipped([("t.yaml", b"\0" * (65 * 2**20))])) == "too-large"
    half = b"\0" * (33 * 2**20)
    assert code(zipped([("t.yaml", half), ("u.yaml", half)])) == "too-large"


def test_a_size_that_is_a_lie_is_refused():
    data = bytearray(zipped([("t.yaml", b"\0" * 100_000)]))
    at = data.rindex(b"PK\x01\x02")
    for size in (10, 2**31):
        data[at + 24 : at + 28] = size.to_bytes(4, "little")
        assert code(bytes(data)) in ("archive", "too-large")


def test_a_directory_of_a_million_entries_is_not_read():
    entry = b"PK\x01\x02" + b"\0" * 42
    assert code(b"PK\x03\x04" + entry * 50_000 + b"PK\x05\x06" + b"\0" * 18) == "too-large"


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"\x1f\x8b", b"\x1f\x8b" + b"\0" * 600, b"x" * 257 + b"ustar" + b"x" * 900]
)
def test_what_is_no_archive_is_refused(data):
    assert code(data) == "archive"


def test_files_that_could_not_be_packed_are_not_taken_one_by_one():
    for name in ("A.yaml", "a.yaml/b", "x\n", "META-INF/a.sf"):
        with pytest.raises(BundleError):
            Bundle.from_files("a.yaml", {"a.yaml": SIMPLE, name: b""})
