"""What is accepted beyond the specification, by name, and only in documents that show the mark.

The catalogues of the Infrastructure Manager and of INDIGO use types of their own and stretch the
grammar here and there; thousands of templates rely on it. A document is marked when it names one of
those types, imports them, or tells the tabs of a form. Each leniency that was used is listed in
:attr:`isthmus.tosca.Loaded.leniencies`.
"""

from __future__ import annotations

import re

from isthmus.tosca.diagnostics import Located, Near, Problems

OWN = r"tosca\.[a-z_]+\.(?:indigo|ec3|im|eosc|grycap|aisprint|oscar|dodas|DODAS|deep|AnsibleGalaxy)\."
"""How the names of the catalogues' own types begin."""
CALLED = r"(?:indigo|grycap)_custom_types\b"
"""What imports of the catalogues' types are called."""
FETCHED = r"/(?:grycap/tosca|indigo-dc/tosca-types)/"
"""Where such imports lead."""
TABS = r"\nmetadata:[ \t]*\r?\n(?:[ \t].*\n)*?[ \t]+tabs:"
"""How a document says in its metadata in which tabs of a form its inputs stand."""

_MARKS = tuple(
    (hint, re.compile(mark.encode()))
    for hint, mark in ((b"tosca.", OWN), (b"_custom_types", CALLED), (b"/tosca", FETCHED), (b" tabs:", TABS))
)
"""Each with a text that is quick to look for, and that is there where the mark is."""
_OWN = re.compile(OWN)
_GENERATED = re.compile(r"access_token\(\)|random\([0-9]{1,4}\)")

LENIENCIES = {
    "catalogue-types": "Types may have names below `tosca.`, which the specification keeps for its own.",
    "generated-defaults": "`access_token()` and `random(N)` as default ask whoever deploys for a value.",
    "ansible-galaxy": "An artifact of Ansible Galaxy names a role or collection; nobody need define its type.",
    "removal-list": "`removal_list` of a scalable capability names the instances to remove first.",
    "structured-metadata": "The metadata of a document may hold lists and maps, such as the `tabs` of a form.",
    "unknown-constraints": "A constraint that the grammar does not know is passed over.",
    "normative-types-redefined": "A document may define again a type of the Simple Profile; its own definition stands.",
    "free-refinement": "A derived type may change the type of an inherited definition.",
    "repeated-keys": "A key may stand twice in a map; the last one counts.",
    "unknown-data-types": "A property may be of a data type that nobody defines; any value will do.",
    "unknown-valid-types": "A list of the types that are valid somewhere may name types that nobody defines.",
    "late-version": "`tosca_definitions_version` may come after other keys.",
    "bare-quantities": "A number without unit may stand where a scalar-unit is declared: bytes, seconds or hertz.",
    "quoted-values": "A number, true or false may stand in quotes.",
    "index-of-single": "An index may follow an attribute that is no list: 0 means the attribute itself.",
    "loose-defaults": "A default may break its own constraints.",
    "count": "`count` of a scalable capability is the number of instances at first, and may be 0.",
    "unchecked-targets": "A requirement may point at a node of another type than is declared.",
    "loose-occurrences": "A requirement or capability may take part in more relationships than its type allows.",
    "unmet-requirements": "A requirement may be left without a node that meets it.",
    "stray-keys": "Keys that the grammar does not know are passed over.",
    "undeclared-names": "Properties, capabilities and attributes that no type declares are taken as they are.",
}


def is_marked(data: bytes) -> bool:
    """Whether a document shows one of the marks of the field's catalogues."""
    return any(hint in data and mark.search(data) for hint, mark in _MARKS)


def is_own(name: str) -> bool:
    """Whether a type has a name that only the catalogues give."""
    return _OWN.match(name) is not None


def is_galaxy(name: str) -> bool:
    """Whether a type is one of the artifacts of Ansible Galaxy: roles and collections."""
    return name.startswith("tosca.artifacts.AnsibleGalaxy.")


def is_generated(default: str) -> bool:
    """Whether a default stands for a value that whoever deploys the template comes by."""
    return _GENERATED.fullmatch(default.strip()) is not None


def allows(name: str, at: Located, problems: Problems) -> bool:
    """Whether a leniency applies where a node stands; it is noted as used when it does."""
    if at.position.file not in problems.marked:
        return False
    problems.leniencies[name] = LENIENCIES[name]
    return True


def complain(name: str, code: str, summary: str, at: Located, problems: Problems, suggestion: str | Near = "") -> bool:
    """Report an error, or a warning where a leniency applies; says whether it does."""
    lenient = allows(name, at, problems)
    report = problems.warn if lenient else problems.error
    report(code, summary, at, suggestion=suggestion)
    return lenient
