"""What is named on the command line becomes what the API wants."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from isthmus.cli.failures import Failure
from isthmus.cli.templates import is_path, parse_pairs, read_bundle, read_inputs, template_body
from isthmus.tosca import Bundle

TEMPLATE = "tosca_definitions_version: tosca_simple_yaml_1_3\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("2.5", 2.5), ("true", True), ("two", "two"), ("'2'", "2"), ("", None), ("[a, 1]", ["a", 1]),
     ("{a: 1}", {"a": 1}), ("2026-01-02", "2026-01-02"), ("a=b", "a=b"), ("4 GB", "4 GB")],
)  # fmt: skip
def test_values_are_read_as_yaml_and_dates_stay_text(text: str, value: object) -> None:
    assert parse_pairs([f"key={text}"]) == {"key": value}


@pytest.mark.parametrize("pair", ["key", "=1", "key=[", "key=.nan", "key=!!python/name:os.system", "k=" + "[" * 1000])
def test_what_is_no_pair_or_no_json_is_refused(pair: str) -> None:
    with pytest.raises(Failure) as caught:
        parse_pairs([pair])
    assert caught.value.code == 2


def test_set_stands_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "inputs.yaml"
    file.write_text("a: 1\nb: 2\n")
    assert read_inputs(file, ["b=3"]) == {"a": 1, "b": 3}


def test_an_inputs_file_must_be_a_mapping(tmp_path: Path) -> None:
    file = tmp_path / "inputs.yaml"
    file.write_text("- a\n")
    with pytest.raises(Failure, match="inputs by name"):
        read_inputs(file, None)
    with pytest.raises(Failure, match="cannot be read"):
        read_inputs(tmp_path / "none.yaml", None)


def test_a_plain_word_is_of_the_catalogue_and_the_rest_a_path() -> None:
    assert template_body("slurm-cluster") == {"catalogue": "slurm-cluster"}
    assert [is_path(t) for t in ("a", "./a", "a.yaml", "a.CSAR", "a/b")] == [False, True, True, True, True]


def test_a_folder_goes_without_hidden_files_and_links(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    (folder / "scripts").mkdir(parents=True)
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "scripts" / "a.sh").write_bytes(b"\xff\n")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "passwd").symlink_to("/etc/passwd")
    bundle = Bundle.from_zip(base64.b64decode(template_body(str(folder))["archive"]))
    assert bundle.main == "template.yaml"
    assert dict(bundle.files) == {"template.yaml": TEMPLATE.encode(), "scripts/a.sh": b"\xff\n"}


def test_a_path_that_is_not_there_is_named() -> None:
    with pytest.raises(Failure, match="no file nothing"):
        template_body("nothing/here.yaml")


def test_an_archive_that_is_none_shows_diagnostics(tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(b"no archive")
    with pytest.raises(Failure) as caught:
        template_body(str(file))
    assert caught.value.diagnostics[0]["code"] == "archive"


def test_a_root_lets_imports_lead_up_to_it(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.yaml").write_text(f"{TEMPLATE}imports: [ ../types.yaml ]\n")
    (tmp_path / "types.yaml").write_text(TEMPLATE)
    bundle = read_bundle(str(tmp_path / "templates" / "a.yaml"), root=tmp_path)
    assert set(bundle.files) == {"templates/a.yaml", "types.yaml"}
    with pytest.raises(Failure, match="root of its own"):
        read_bundle(str(tmp_path), root=tmp_path)


def test_what_may_be_imported_is_a_host(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{TEMPLATE}imports: [ https://other.example/t.yaml ]\n")
    assert set(read_bundle(str(tmp_path / "a.yaml")).files) == {"a.yaml"}
    with pytest.raises(Failure, match="--allow-import"):
        read_bundle(str(tmp_path / "a.yaml"), allow_import=["http://types.example"])
    for text in (tmp_path / "a.yaml", tmp_path):
        with pytest.raises(Failure) as caught:
            read_bundle(str(text), allow_import=["types.example"])
        assert [d["code"] for d in caught.value.diagnostics] == ["import-refused"]
