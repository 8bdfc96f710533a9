"""Jobs as nodes, in TOSCA 1.x and 2.0: what they may say, what is refused and where, what counts as a change."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import yaml

from isthmus.engine.job_nodes import job_files, job_spec
from isthmus.placement.jobs import NEEDS
from isthmus.topology import Secret
from isthmus.tosca import Bundle, BundleError, Loaded, load

FILES = {"run.sh": b"#!/bin/sh\n", "data/a": b"1", "data/sub/b": b"2", "deep/one": b"3"}
OLD, NEW = "tosca_simple_yaml_1_3", "tosca_2_0"


def read(version: str, properties: str, *more: str, files: dict[str, bytes] = FILES, **inputs: Any) -> Loaded:
    """A template with the job `w`, whose properties stand from its line 8 on, and one for each further text."""
    head, type_ = ("topology_template:\n\n", "isthmus.nodes.Job")
    if version == NEW:
        head, type_ = ("imports: [ profile: org.oasis-open.simple:2.0 ]\nservice_template:\n", "Job")
    dollar = "$" if version == NEW else ""
    secret = "Secret" if version == NEW else "isthmus.datatypes.Secret"
    inner = f"  inputs: {{ token: {{ type: {secret}, required: false }}, n: {{ type: integer, default: 2 }} }}\n"
    text = f"tosca_definitions_version: {version}\n{head}{inner}  node_templates:\n"
    text += f"    w:\n      type: {type_}\n      properties: {properties}\n" + "".join(more)
    text = text.replace("{get_", f"{{{dollar}get_")
    return load(Bundle("t.yaml", {"t.yaml": text.encode(), **files}), inputs)


def told(loaded: Loaded) -> list[tuple[str, int]]:
    return [(d.code, d.position.line) for d in loaded.diagnostics if d.severity != "warning" and d.position]


def words(loaded: Loaded) -> str:
    return "\n".join(d.summary for d in loaded.diagnostics if d.severity != "warning")


def properties(loaded: Loaded) -> dict[str, Any]:
    assert loaded.topology is not None, words(loaded)
    assert loaded.deployable, words(loaded)
    return dict(loaded.topology.nodes["w"].properties)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


both = pytest.mark.parametrize("version", [OLD, NEW])


@both
@pytest.mark.parametrize(
    "text",
    [
        "{ image: i }",
        "{ image: i, command: [ x ], args: [ y ], env: { A: b }, workdir: /tmp }",
        "{ command: [ x ], container: false }",
        "{ image: i, container: true }",
        "{ image: i, gpus: 2 }",
        "{ image: i, gpus: 'a100:2' }",
        "{ image: i, gpus: {get_input: n} }",
        "{ image: i, array: [ 1, 4 ] }",
        "{ image: i, array: '0-99:2%10' }",
        "{ image: i, array: 7 }",
        "{ image: i, retry: 3, keep: 2 d, time: 5 m, memory: 1 GiB, nodes: 2, tasks: 4, each: true }",
        "{ image: i, needs: [ gpu, mpi ], site: lab }",
        "{ image: i, options: { partition: short } }",
        "{ image: i, outputs: [ { from: out }, { from: 'r/*.txt', to: 'https://h/up/' } ] }",
        "{ image: i, secrets: { A: {get_secret: s}, B: {get_input: token} }, env: { C: {get_secret: s} } }",
        "{ image: i, inputs: [ { from: 's3://b/k', to: in/ } ], "
        "s3: { access_key: {get_secret: a}, secret_key: {get_secret: b}, endpoint: 'https://s3.example' } }",
    ],
)
def test_what_a_job_may_say(version: str, text: str) -> None:
    assert properties(read(version, text))


@both
@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("{ command: [ x ] }", 6, "'w': it has no image; with container: false"),
        ("{ command: [ x ], container: true }", 6, "no image"),
        ("{ container: false }", 6, "no command"),
        ("\n        image: i\n        container: false\n        command: [ x ]", 10, "is for what has no image"),
        ("\n        image: i\n        gpus: 'a100:x'", 10, "gpus: 'a100:x' is no number of GPUs"),
        ("\n        image: i\n        array: 5-1", 10, "ends before it begins"),
        ("\n        image: i\n        array: [ 1, 4, 7 ]", 10, "the first and the last index"),
        ("\n        image: i\n        array: [ 0, 100000 ]", 10, "10000 tasks at most"),
        ("\n        image: i\n        workdir: here", 10, "no absolute path"),
        ("\n        image: '-i'", 9, "no name of an image"),
        ("\n        image: i\n        time: 0 s", 10, "more than 0"),
        ("\n        image: i\n        nodes: 2\n        tasks: 1", 11, "cannot be spread over 2 nodes"),
        ("\n        image: i\n        env: { 'A B': x }", 10, "no name that is taken"),
        ("\n        image: i\n        inputs:\n          - { from: run.sh }\n          - { from: 'http://h/x' }", 12, "https://"),
        ("\n        image: i\n        inputs:\n          - { from: run.sh, to: ../x }", 11, "must not have '.', '..'"),
        ("\n        image: i\n        inputs:\n          - { from: run.sh, mode: rwx }", 11, "file mode"),
        ("\n        image: i\n        inputs:\n          - { from: data }\n          - { from: data/a, to: data/a }",
         11, "two inputs have the path data/a"),
        ("\n        image: i\n        inputs:\n          - { from: 's3://b/k' }", 11, "needs the keys of S3"),
        ("\n        image: i\n        outputs:\n          - { from: out, to: ./here }", 11, "isthmus fetch"),
        ("\n        image: i\n        outputs:\n          - { from: /etc }", 11, "must be relative"),
        ("\n        image: i\n        args: [ {get_secret: s} ]", 10, "holds a secret"),
        ("\n        image: i\n        env: { A: x }\n        secrets: { A: {get_secret: s} }", 11, "in env and in"),
    ],
)  # fmt: skip
def test_what_no_job_could_be_is_refused_where_it_stands(version: str, text: str, line: int, why: str) -> None:
    found = read(version, text)
    assert not found.deployable
    assert ("job", line) in told(found)
    assert why in words(found)


@both
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{ image: i, inputs: [ { from: nowhere } ] }", "file-missing"),
        ("{ image: i, inputs: [ { from: ../outside } ] }", "path-escape"),
        ("{ image: i, inputs: [ { from: /etc/passwd } ] }", "path-escape"),
        ("{ image: i, inputs: [ { form: run.sh } ] }", "property-unknown"),
        ("{ image: i, inputs: [ { to: run.sh } ] }", "property-missing"),
        ("{ image: i, secrets: { A: plain } }", "secret-literal"),
        ("{ image: i, s3: { access_key: a, secret_key: {get_secret: b} } }", "secret-literal"),
        ("{ image: i, needs: [ quiet ] }", "constraint"),
        ("{ image: i, retry: 101 }", "constraint"),
    ],
)
def test_what_the_language_itself_refuses(version: str, text: str, code: str) -> None:
    found = read(version, text)
    assert not found.deployable
    assert code in [d.code for d in found.diagnostics]


@both
def test_an_input_that_only_the_deployment_would_know_is_refused_and_not_passed_over(version: str) -> None:
    type_ = "Job" if version == NEW else "isthmus.nodes.Job"
    other = f"    o:\n      type: {type_}\n      properties: {{ image: i }}\n"
    found = read(version, "{ image: i, inputs: [ {from: run.sh}, {get_attribute: [ o, job ]} ] }", other)
    assert not found.deployable
    if version == OLD:  # in 2.0 an attribute has a type, which is none of an input
        assert told(found) == [("job", 8)]
        assert "'w': inputs: which one it is must be known before anything runs" in words(found)
    else:
        assert told(found) == [("value-type", 8)]


@both
@pytest.mark.parametrize(
    ("name", "instead"),
    [("after", "a requirement such as dependency"), ("vo", "that of its deployment"), ("containers", "one container"),
     ("script", "inputs"), ("made_up", "no job of a template has it")],
)  # fmt: skip
def test_what_a_job_of_a_template_cannot_say_is_refused_by_name(version: str, name: str, instead: str) -> None:
    found = read(version, f"\n        image: i\n        {name}: [ x ]")
    assert ("job", 10) in told(found)
    assert instead in words(found)


@both
def test_a_site_beside_a_batch_system_is_refused(version: str) -> None:
    capability = "capability_types: { C: {} }\n"
    more = "      requirements: [ batch: s ]\n    s: { type: Master }\n"
    batch = "BatchSystem" if version == NEW else "isthmus.capabilities.BatchSystem"
    root = "Root" if version == NEW else "tosca.nodes.Root"
    more += f"node_types: {{ Master: {{ derived_from: {root}, capabilities: {{ jobs: {{ type: {batch} }} }} }} }}\n"
    found = read(version, "{ image: i, site: lab }", more + capability)
    assert "that site means nothing" in words(found)


@both
def test_files_of_the_bundle_are_found_and_told_by_their_content(version: str) -> None:
    text = (
        "{ image: i, inputs: [ { from: run.sh }, { from: data }, { from: data, to: in/ }, { from: data/, to: . }, "
        "{ from: data/a, to: z/ }, { from: data/a, to: q, mode: '0600' }, { from: 'https://h/x.txt?q=1' } ] }"
    )
    inputs = properties(read(version, text))["inputs"]
    assert [(i.get("to"), i["from"], i.get("mode")) for i in inputs] == [
        ("run.sh", "run.sh", "0755"),
        ("data/a", "data/a", "0644"),
        ("data/sub/b", "data/sub/b", "0644"),
        ("in/data/a", "data/a", "0644"),
        ("in/data/sub/b", "data/sub/b", "0644"),
        ("a", "data/a", "0644"),
        ("sub/b", "data/sub/b", "0644"),
        ("z/a", "data/a", "0644"),
        ("q", "data/a", "0600"),
        (None, "https://h/x.txt?q=1", None),
    ]
    assert job_files({"inputs": inputs}, FILES) == {sha(FILES[p]): FILES[p] for p in ("run.sh", "data/a", "data/sub/b")}


@both
def test_an_input_may_be_an_artifact_of_its_node(version: str) -> None:
    type_ = "File" if version == NEW else "tosca.artifacts.File"
    more = f"      artifacts: {{ table: {{ type: {type_}, file: data/a }} }}\n"
    found = read(version, "{ image: i, inputs: [ { from: {get_artifact: [ SELF, table ]}, to: t.csv } ] }", more)
    (only,) = properties(found)["inputs"]
    assert only == {"from": "data/a", "to": "t.csv", "mode": "0644", "digest": sha(b"1")}


def test_a_file_is_beside_the_document_that_names_it() -> None:
    types = b"tosca_definitions_version: tosca_simple_yaml_1_3\nnode_types:\n  my.Job:\n"
    types += b"    derived_from: isthmus.nodes.Job\n    properties:\n"
    types += b"      inputs:\n        type: list\n        entry_schema: { type: isthmus.datatypes.JobInput }\n"
    types += b"        default: [ { from: one } ]\n"
    text = b"tosca_definitions_version: tosca_simple_yaml_1_3\nimports: [ deep/types.yaml ]\n"
    text += b"topology_template: { node_templates: { w: { type: my.Job, properties: { image: i } } } }\n"
    found = load(Bundle("t.yaml", {"t.yaml": text, "deep/types.yaml": types, **FILES}))
    assert [i["from"] for i in properties(found)["inputs"]] == ["deep/one"]


@both
def test_secrets_stay_names(version: str) -> None:
    found = properties(read(version, "{ image: i, secrets: { A: {get_input: token} } }", token="hidden"))
    assert found["secrets"] == {"A": Secret("input:token")}


def test_the_profiles_know_the_needs_that_there_are() -> None:
    for version in (OLD, NEW):
        assert properties(
            read(version, f"{{ image: i, needs: {yaml.safe_dump(list(NEEDS), default_flow_style=True)} }}")
        )


# -- what counts as a change ------------------------------------------------------------------


def digest(text: str, files: dict[str, bytes] = FILES) -> str:
    loaded = read(OLD, text, files=files)
    assert loaded.topology is not None
    return str(job_spec(loaded.topology, loaded.topology.nodes["w"])["digest"])


BEFORE = "{ image: i, inputs: [ { from: data } ] }"


@pytest.mark.parametrize(
    "after",
    [
        "{ image: j, inputs: [ { from: data } ] }",
        "{ image: i, inputs: [ { from: data, to: in/ } ] }",
        "{ image: i, inputs: [ { from: data, mode: '0600' } ] }",
        "{ image: i, inputs: [ { from: data } ], outputs: [ { from: out } ] }",
        "{ image: i, inputs: [ { from: data } ], secrets: { A: {get_secret: s} } }",
        "{ image: i, inputs: [ { from: data } ], workdir: /tmp }",
        "{ image: i, inputs: [ { from: data } ], needs: [ gpu ] }",
        "{ image: i, inputs: [ { from: data } ], gpus: a100 }",
        "{ image: i, inputs: [ { from: data } ], array: 1-3%1 }",
    ],
)
def test_what_is_said_anew_is_another_job(after: str) -> None:
    assert digest(after) != digest(BEFORE)


def test_another_content_of_a_file_is_another_job() -> None:
    assert digest(BEFORE, {**FILES, "data/sub/b": b"other"}) != digest(BEFORE)
    assert digest(BEFORE, {**FILES, "data/more": b""}) != digest(BEFORE)
    assert digest(BEFORE, {**FILES, "run.sh": b"not among its inputs"}) == digest(BEFORE)


def test_what_had_a_default_counts_as_before() -> None:
    assert digest("{ image: i }") == digest("{ image: i, gpus: 0, retry: 0 }")


# -- what is taken from a folder --------------------------------------------------------------

TEMPLATE = """\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  node_templates:
    w:
      type: isthmus.nodes.Job
      properties: { image: i, inputs: [ { from: run.sh }, { from: data }, { from: nowhere } ] }
"""


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    for path, content in {**FILES, "t.yaml": TEMPLATE.encode()}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def test_a_template_of_a_folder_brings_the_inputs_of_its_jobs(folder) -> None:
    bundle = Bundle.from_path(folder / "t.yaml")
    assert bundle.files.keys() == {"t.yaml", "run.sh", "data/a", "data/sub/b"}


@pytest.mark.parametrize(
    ("name", "target"), [("data/up", ".."), ("data/out", "../../elsewhere"), ("data/f", "/etc/hostname")]
)
def test_links_of_an_input_folder_are_never_followed_out_of_it(folder, name: str, target: str) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder / name).symlink_to(target)
    with pytest.raises(BundleError) as caught:
        Bundle.from_path(folder / "t.yaml")
    assert caught.value.diagnostics[0].code in ("unsupported", "path-escape")
    assert caught.value.diagnostics[0].position.line == 6


def test_an_input_folder_that_leads_out_is_not_read(folder) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere" / "x").write_bytes(b"x")
    (folder / "nowhere").symlink_to(folder.parent / "elsewhere")
    with pytest.raises(BundleError) as caught:
        Bundle.from_path(folder / "t.yaml")
    assert caught.value.diagnostics[0].code == "path-escape"
