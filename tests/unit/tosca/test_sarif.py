"""Diagnostics as SARIF: rules, levels, places."""

from __future__ import annotations

import json

from isthmus.topology import Position
from isthmus.tosca import CODES, Diagnostic, Severity
from isthmus.tosca.tools.sarif import Checked, sarif

ERROR = Diagnostic(
    Severity.ERROR,
    "type-unknown",
    "no type 'X'",
    "all of it",
    Position("a b.yaml", 3, 7),
    "",
    "did you mean 'Y'?",
)
REFUSAL = Diagnostic(Severity.REFUSAL, "file-missing", "no x.sh", "", Position("t/x.yaml", 1, 1))
WARNING = Diagnostic(Severity.WARNING, "input-unused", "nothing uses 'a'")
NOTE = Diagnostic(Severity.ERROR, "input-missing", "no value", "", Position("a b.yaml", 4, 1))


def test_a_log_is_of_version_2_1_0_and_each_code_is_a_rule() -> None:
    log = json.loads(json.dumps(sarif([], "0.1.0")))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["results"] == []
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["semanticVersion"]) == ("isthmus", "0.1.0")
    assert [r["id"] for r in driver["rules"]] == list(CODES)
    assert all(r["help"]["text"] == CODES[r["id"]] for r in driver["rules"])


def test_a_result_tells_rule_level_words_and_place() -> None:
    run = sarif([Checked([ERROR, REFUSAL, WARNING], "sub", notes=[NOTE])], "0.1.0")["runs"][0]
    first, second, third, fourth = run["results"]
    assert (first["ruleId"], first["level"]) == ("type-unknown", "error")
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == "type-unknown"
    assert first["message"]["text"] == "no type 'X'\nall of it\ndid you mean 'Y'?"
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "sub/a%20b.yaml", "index": 0}
    assert place["region"] == {"startLine": 3, "startColumn": 7}
    assert (second["level"], second["properties"]["severity"]) == ("error", "refusal")
    assert third["level"] == "warning"
    assert "locations" not in third
    assert fourth["level"] == "note"
    assert [a["location"]["uri"] for a in run["artifacts"]] == ["sub/a%20b.yaml", "sub/t/x.yaml"]


def test_a_file_in_an_archive_names_the_archive_as_its_parent() -> None:
    run = sarif([Checked([REFUSAL, WARNING], archive="x.csar")], "0.1.0")["runs"][0]
    inner, whole = (r["locations"][0]["physicalLocation"]["artifactLocation"] for r in run["results"])
    assert run["artifacts"][inner["index"]] == {"location": {"uri": "/t/x.yaml"}, "parentIndex": 0}
    assert run["artifacts"][whole["index"]] == {"location": {"uri": "x.csar"}}


def test_a_fetched_file_keeps_its_url() -> None:
    found = Diagnostic(Severity.ERROR, "version", "no", "", Position("https://example.org/a.yaml", 1, 1))
    run = sarif([Checked([found], "sub")], "0.1.0")["runs"][0]
    assert run["artifacts"] == [{"location": {"uri": "https://example.org/a.yaml"}}]


def test_a_code_that_is_no_rule_has_no_index() -> None:
    run = sarif([Checked([Diagnostic(Severity.ERROR, "new", "x")])], "0.1.0")["runs"][0]
    assert "ruleIndex" not in run["results"][0]
