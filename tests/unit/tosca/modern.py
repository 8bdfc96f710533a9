"""Documents of TOSCA 2.0: a base that is right, and what a case changes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from isthmus.tosca import Bundle, Loaded, load

FILES = {"a.sh": b"", "b.sh": b""}
BASE = yaml.safe_load("""
tosca_definitions_version: tosca_2_0
data_types:
  Size: { derived_from: scalar, data_type: integer, units: { B: 1, kB: 1000, MB: 1000000 } }
artifact_types: { Bash: { file_ext: [ sh ] } }
capability_types:
  Room:
    properties:
      cpus: { type: integer, default: 4 }
      mem: { type: Size, default: 8 MB }
      label: { type: string, default: x }
    attributes: { used: { type: integer } }
  BigRoom: { derived_from: Room }
  Other: {}
relationship_types:
  Link:
    properties: { speed: { type: integer, default: 1 } }
    attributes: { load: { type: float } }
    interfaces: { conf: { type: Conf } }
  LinkFast: { derived_from: Link }
  Unrelated: {}
interface_types:
  Conf: { operations: { go: {} } }
  Life:
    inputs: { mode: { type: string, default: m } }
    operations: { create: { inputs: { a: { type: integer, required: false } } }, start: {} }
    notifications: { changed: { outputs: { v: { type: string } } } }
node_types:
  Server:
    properties: { name: { type: string, default: s } }
    attributes: { address: { type: string } }
    capabilities: { room: { type: Room } }
  BigServer: { derived_from: Server, capabilities: { room: { type: BigRoom } } }
  Thing: {}
  App:
    properties: { v: { type: string, required: false }, n: { type: integer, required: false } }
    attributes: { out: { type: string }, num: { type: integer } }
    interfaces: { life: { type: Life } }
    requirements: [ { base: { capability: Room, relationship: Link, count_range: [ 0, 2 ] } } ]
service_template:
  node_templates:
    server: { type: Server }
    app: { type: App, requirements: [ { base: server } ] }
""")


def changed(change: str) -> Loaded:
    """What comes of the base with a change laid over it: maps are merged, all else is replaced."""
    text = yaml.safe_dump(_merged(BASE, yaml.safe_load(change) or {}), sort_keys=False, width=200)
    return load(Bundle("t.yaml", {"t.yaml": text.encode(), **FILES}))


def verdict(result: Loaded) -> list[tuple[str, str]]:
    """Severity and code of each error and refusal; only the errors where there are some."""
    found = [(d.severity.value, d.code) for d in result.diagnostics if d.severity != "warning"]
    errors = [f for f in found if f[0] == "error"]
    return errors or found


def _merged(one: Any, other: Any) -> Any:
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return other
    return {**one, **{k: _merged(one[k], v) if k in one else v for k, v in other.items()}}
