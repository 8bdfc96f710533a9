"""What is accepted beyond the specification, by name, and only in documents that show the mark.

The catalogues of the Infrastructure Manager and of INDIGO use types of their own and stretch the
grammar here and there; thousands of templates rely on it. A document is marked when it names one of
those types. Each leniency that was used is listed in :attr:`isthmus.tosca.Loaded.leniencies`.
"""

from __future__ import annotations

import re

from isthmus.tosca.diagnostics import Located, Near, Problems

_MARK = re.compile(rb"\btosca\.[a-z_]+\.(?:indigo|ec3|im|eosc|grycap|aisprint|oscar)\.")

LENIENCIES = {
    "normative-types-redefined": "A document may define again a type of the Simple Profile; its own definition stands.",
    "free-refinement": "A derived type may change the type of an inherited definition.",
    "repeated-keys": "A key may stand twice in a map; the last one counts.",
    "unknown-data-types": "A property may be of a data type that nobody defines; any value will do.",
    "unknown-valid-types": "A list of the types that are valid somewhere may name types that nobody defines.",
    "late-version": "`tosca_definitions_version` may come after other keys.",
    "bare-quantities": "A number without unit may stand where a scalar-unit is declared: bytes, seconds or hertz.",
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
    """Whether a document names a type of the field's catalogues."""
    return _MARK.search(data) is not None


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
