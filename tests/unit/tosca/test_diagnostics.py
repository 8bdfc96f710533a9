"""Diagnostics as values: how they read, and that their codes are documented."""

import re
from pathlib import Path

from isthmus.topology import Position
from isthmus.tosca import CODES, Diagnostic, Severity
from isthmus.tosca.diagnostics import Problems

ROOT = Path(__file__).parents[3]


def test_a_diagnostic_reads_with_place_excerpt_caret_and_suggestion(loaded):
    result = loaded(
        """
        topology_template:
          node_templates:
            m: { type: tosca.nodes.Compte }
        """
    )
    (found,) = result.diagnostics
    assert found.position == Position("template.yaml", 4, 16)
    assert found.render() == (
        "template.yaml:4:16: error: there is no node type 'tosca.nodes.Compte' [type-unknown]\n"
        "    4 |     m: { type: tosca.nodes.Compte }\n"
        "      |                ^\n"
        "  did you mean 'tosca.nodes.Compute'?"
    )


def test_a_diagnostic_without_a_place_reads_in_one_line():
    assert Diagnostic(Severity.WARNING, "ignored", "nothing").render() == "warning: nothing [ignored]"


def test_long_lines_are_cut_around_the_caret(loaded):
    filler = "x" * 500
    result = loaded(f"topology_template: {{ description: {filler}, nodes: {{}} }}\n")
    line, caret = result.diagnostics[0].excerpt.split("\n")
    assert len(line) < 200
    assert line[caret.index("^") :].startswith("nodes")


def test_the_page_of_codes_shows_the_table_of_the_code():
    page = (ROOT / "docs" / "tosca-diagnostics.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", page, re.MULTILINE)
    assert dict(rows) == CODES
    assert len(rows) == len(CODES)


def test_every_code_is_used_and_every_code_used_is_in_the_table():
    sources = "".join(p.read_text() for p in (ROOT / "src/isthmus/tosca").rglob("*.py") if p.name != "diagnostics.py")
    strings = set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', sources))
    assert CODES.keys() <= strings
    reported = set(re.findall(r'(?:\.error|\.warn|_refusal|\.refuse)\(\s*"([a-z-]+)"', sources))
    reported |= set(re.findall(r'complain\(\s*"[a-z-]+",\s*"([a-z-]+)"', sources))
    assert reported <= CODES.keys()


def test_what_was_a_warning_and_is_an_error_too_is_told_as_the_error():
    problems = Problems()
    problems.warn("shape", "the same")
    problems.error("shape", "the same")
    problems.warn("shape", "the same")
    assert [d.severity for d in problems.list()] == ["error"]
