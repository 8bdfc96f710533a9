"""Changes that make a document wrong in the ways in which people and attackers do, by lines and by tokens of YAML."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

from isthmus.tosca.tools.key_order import ORDER

_EXTRA = """
SELF HOST SOURCE TARGET ORCHESTRATOR TOSCA _target _source <<
get_input get_property get_attribute get_operation_output get_nodes_of_type get_artifact concat join token random
access_token $get_input $get_property $get_attribute $get_artifact $concat $join $token $node_index $value $equal
$greater_than $in_range $valid_values $and $or $not $xor $has_suffix $contains $matches $length $sum $difference
$union $intersection $$escaped $relationship_index $available_allocation $custom
equal greater_than greater_or_equal less_than less_or_equal in_range valid_values length min_length max_length pattern
schema and or not assert
string integer float boolean timestamp range version list map scalar bytes nil null scalar-unit.size scalar-unit.time
tosca_definitions_version tosca_simple_yaml_1_0 tosca_simple_yaml_1_3 tosca_2_0 tosca_3_0 template_name
node_templates node_types service_template topology_template substitution_mappings substitution_filter node_type
derived_from occurrences count count_range UNBOUNDED node_filter relationship capability target target_relationship
activities delegate set_state call_operation inline on_success on_failure steps preconditions precondition workflows
triggers event event_type action condition period evaluations method schedule target_filter constraint
implementation primary dependencies timeout operation_host ansible removal_list scalable min_instances max_instances
default_instances tabs select substitute allocation optional units prefixes canonical_unit data_type signatures
arguments optional_arguments variadic result Compute SoftwareComponent tosca.nodes.Root tosca.nodes.Compute
tosca.relationships.HostedOn tosca.capabilities.Root tosca.interfaces.node.lifecycle.Standard Standard Interfaces
org.oasis-open.simple:2.0 tosca.datatypes.Credential Mine create configure start stop delete
"""
WORDS = tuple(dict.fromkeys([*_EXTRA.split(), *(key for keys in ORDER.values() for key in keys)]))
"""Keys, functions and names of TOSCA 1.x and 2.0."""

VALUES = (
    "", "~", "null", "true", "yes", "0", "-1", "1e999", ".nan", "-.inf", "0x1F", "99999999999999999999999999", "1.10",
    "16.04", "2026-11-21", "'", '"', "''", '"\\x00"', '"\\u2028"', '"\\uD800"', "[]", "{}", "[ [ [ [ ] ] ] ]", "[ ~ ]",
    "{ a: { b: c } }", "{ get_input: n }", "{ $get_input: n }", "{ $get_property: [ SELF, level ] }", "&a [ *a ]", "*a",
    "!!python/object:os.system x", "!!binary AA==", "!x y", "|", ">", "? a", "- - - a", "<<: *a", "4 GiB", "-3 kB",
    "../../etc/passwd", "/etc/passwd", "https://localhost/x.yaml", "file:///etc/passwd", "a.sh", "a\\b", "x" * 300,
    "(a|a)*b", "{ $concat: [ { $concat: [ a ] } ] }", "{ concat: [ { token: [ a, b, 0 ] } ] }", "[ SELF, x, y ]",
    "{ get_attribute: [ SELF, HOST, x ] }", "[ SELF, CAPABILITY, host, num_cpus ]", "{ $node_index: [] }",
    "{ select: [ { $equal: [ 1, 1 ] } ] }", "{ in_range: [ 1, UNBOUNDED ] }", "{ pattern: '[' }", "{ equal: ~ }",
)  # fmt: skip

_ENTRY = re.compile(r"^(\s*(?:- +)*)([^\s:#][^:#]*)(:(?:\s|$))(.*)$", re.DOTALL)
_TOKEN = re.compile(r"[$\w.-]+")
_INDENT = re.compile(r"[ -]*")

Lines = list[str]


def mutate(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """The document with one change or a few; ``others`` are documents that parts are taken from."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        if random.random() < 0.12:
            data = random.choice(_BYTES)(data, random)
        else:
            lines = data.decode("utf-8", "surrogateescape").split("\n")
            if others and random.random() < 0.15:
                other = random.choice(others).decode("utf-8", "surrogateescape").split("\n")
                lines = _splice(lines, other, random)
            else:
                lines = random.choice(_LINES)(lines, random)
            data = "\n".join(lines).encode("utf-8", "surrogateescape")
    return data


# ---------------------------------------------------------------------------------------------
# by lines


def _depth(line: str) -> int:
    found = _INDENT.match(line)
    return found.end() if found else 0


def _block(lines: Lines, start: int) -> int:
    """Where the subtree ends that begins with a line."""
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or _depth(lines[end]) > _depth(lines[start])):
        end += 1
    return end


def _pick(lines: Lines, random: Random) -> tuple[int, int]:
    start = random.randrange(len(lines))
    return start, _block(lines, start)


def _delete(lines: Lines, random: Random) -> Lines:
    start, end = _pick(lines, random)
    return lines[:start] + lines[end if random.random() < 0.6 else start + 1 :]


def _duplicate(lines: Lines, random: Random) -> Lines:
    start, end = _pick(lines, random)
    return lines[:end] + lines[start:end] + lines[end:]


def _swap(lines: Lines, random: Random) -> Lines:
    (a, b), (c, d) = sorted((_pick(lines, random), _pick(lines, random)))
    if c < b:  # one inside the other: the inner one takes the outer one's place
        return lines[:a] + _reindent(lines[c:d], _depth(lines[a])) + lines[b:]
    left, right = _reindent(lines[c:d], _depth(lines[a])), _reindent(lines[a:b], _depth(lines[c]))
    return lines[:a] + left + lines[b:c] + right + lines[d:]


def _move(lines: Lines, random: Random) -> Lines:
    start, end = _pick(lines, random)
    rest = lines[:start] + lines[end:]
    at = random.randrange(len(rest) + 1)
    depth = _depth(rest[at - 1]) + random.choice((0, 2)) if at else 0
    return rest[:at] + _reindent(lines[start:end], depth) + rest[at:]


def _splice(lines: Lines, other: Lines, random: Random) -> Lines:
    start, end = _pick(other, random)
    at = random.randrange(len(lines))
    stop = _block(lines, at) if random.random() < 0.5 else at
    return lines[:at] + _reindent(other[start:end], _depth(lines[at])) + lines[stop:]


def _reindent(block: Lines, depth: int) -> Lines:
    shift = depth - _depth(block[0]) if block else 0
    return [" " * shift + line if shift > 0 else line[min(-shift, _depth(line)) :] for line in block]


def _indent(lines: Lines, random: Random) -> Lines:
    start, end = _pick(lines, random)
    block = _reindent(lines[start:end], max(0, _depth(lines[start]) + random.choice((-4, -2, -1, 1, 2, 4))))
    return lines[:start] + block + lines[end:]


def _cut(lines: Lines, random: Random) -> Lines:
    text = "\n".join(lines)
    return text[: random.randrange(len(text) + 1)].split("\n")


# ---------------------------------------------------------------------------------------------
# by entries and tokens


def _rename_key(lines: Lines, random: Random) -> Lines:
    return _change_entry(lines, random, lambda head, key, sep, value: f"{head}{random.choice(WORDS)}{sep}{value}")


def _misspell_key(lines: Lines, random: Random) -> Lines:
    def change(head: str, key: str, sep: str, value: str) -> str:
        at = random.randrange(len(key))
        return f"{head}{key[:at]}{random.choice(('', key[at] * 2, 'x', ' ', 'é'))}{key[at + 1 :]}{sep}{value}"

    return _change_entry(lines, random, change)


def _replace_value(lines: Lines, random: Random) -> Lines:
    new = random.choice(VALUES) if random.random() < 0.7 else random.choice(WORDS)
    return _change_entry(lines, random, lambda head, key, sep, value: f"{head}{key}: {new}")


def _wrap_value(lines: Lines, random: Random) -> Lines:
    form = random.choice(("[ {} ]", "{{ {} }}", "{{ {key}: {} }}", "'{}'", "&a {}", "[ {}, {} ]", "{{ ${key}: {} }}"))

    def change(head: str, key: str, sep: str, value: str) -> str:
        return f"{head}{key}: " + form.format(value, value, key=random.choice(WORDS))

    return _change_entry(lines, random, change)


def _change_entry(lines: Lines, random: Random, change: Callable[[str, str, str, str], str]) -> Lines:
    for _ in range(8):
        at = random.randrange(len(lines))
        found = _ENTRY.match(lines[at])
        if found:
            whole = random.random() < 0.3  # together with what stands below
            changed = change(*found.groups())
            return [*lines[:at], changed, *lines[_block(lines, at) if whole else at + 1 :]]
    return lines


def _insert_entry(lines: Lines, random: Random) -> Lines:
    at = random.randrange(len(lines))
    depth = _depth(lines[at]) + random.choice((0, 0, 2))
    dash = random.choice(("", "", "- "))
    return [*lines[: at + 1], f"{' ' * depth}{dash}{random.choice(WORDS)}: {random.choice(VALUES)}", *lines[at + 1 :]]


def _replace_token(lines: Lines, random: Random) -> Lines:
    for _ in range(8):
        at = random.randrange(len(lines))
        found = list(_TOKEN.finditer(lines[at]))
        if found:
            token = random.choice(found)
            new = _token(lines, random)
            return [*lines[:at], lines[at][: token.start()] + new + lines[at][token.end() :], *lines[at + 1 :]]
    return lines


def _token(lines: Lines, random: Random) -> str:
    """A word of the language, a value, or a name that the document has elsewhere: that makes circles."""
    kind = random.random()
    if kind < 0.4:
        return random.choice(WORDS)
    if kind < 0.6:
        return random.choice(VALUES)
    tokens = _TOKEN.findall(random.choice(lines))
    return random.choice(tokens) if tokens else ""


_LINES: tuple[Callable[[Lines, Random], Lines], ...] = (
    _delete, _duplicate, _swap, _move, _indent, _cut, _rename_key, _misspell_key, _replace_value, _replace_value,
    _wrap_value, _insert_entry, _insert_entry, _replace_token, _replace_token, _replace_token,
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# by bytes


def _flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8)) if data else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _insert_bytes(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    odd = (b"\0", b"\r", b"\t", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xff\xfe", b"---\n", b"...\n",
           b"%YAML 1.2\n", b"\x7f", b"\xf0\x9f\x98\x80", b"[" * 70, b"{a: " * 70, b"? ", b"#%% x.yaml\n")  # fmt: skip
    return data[:at] + random.choice(odd) + data[at:]


def _drop_bytes(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at + random.randrange(40) :]


_BYTES: tuple[Callable[[bytes, Random], bytes], ...] = (_flip, _insert_bytes, _drop_bytes)
