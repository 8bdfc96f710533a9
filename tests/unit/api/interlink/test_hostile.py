"""Whatever a pod is called and whatever it says: none of it gets out of its argument."""

from __future__ import annotations

from posixpath import normpath
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from isthmus.api.dialects.interlink.pod import translate
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.errors import Unsupported
from isthmus.work.job import JobSpec

from .pods import container, pod, retrieved

NASTY = st.text(alphabet="ab/.:,'\"\n $()`;|&\\=-%\u202e\0", max_size=20) | st.sampled_from(
    [
        "..",
        "../..",
        "/",
        "//",
        "/etc/passwd",
        "$(id)",
        "`id`",
        "a\nb",
        "'; rm -rf / #",
        '"',
        "--bind=/:/x",
        "\udcff",
        "",
    ]
)
PLAIN = st.sampled_from(["a", "b/c", "/data", "/data/x", "sub"])
TEXT = NASTY | PLAIN


def outcome(made: dict[str, Any], *contents: dict[str, Any]) -> JobSpec | None:
    """The job, or None for a pod that is refused; nothing else may happen."""
    try:
        return translate(retrieved(made, *contents), Policy(host_paths=("/data",))).spec
    except Unsupported as refused:
        told = refused.detail
    assert told.isprintable()
    assert len(told) < 20_000
    return None


@given(TEXT, TEXT, st.lists(TEXT, max_size=3))
def test_words_of_commands_arrive_as_they_are(name: str, value: str, words: list[str]) -> None:
    made = pod(container(command=words, env=[{"name": name, "value": value}]))
    spec = outcome(made)
    if spec is None:
        return
    assert spec.containers[0].secrets == {name: value}
    assert len(spec.containers[0].command) == len(words)
    for word, was in zip(spec.containers[0].command, words, strict=True):
        assert "\0" not in word
        if "$" not in was:
            assert word == was


def stays_below(path: str) -> bool:
    """Whether a relative path leads nowhere else; `..a` is a name as any other."""
    return not path.startswith("/") and normpath(path).split("/")[0] != ".."


@given(TEXT, TEXT, TEXT)
@example("a", "..a", "/v")
@settings(max_examples=300)
def test_paths_stay_below_where_they_belong(key: str, path: str, target: str) -> None:
    made = pod(
        container(volumeMounts=[{"name": "v", "mountPath": target, "subPath": path}]),
        volumes=[{"name": "v", "configMap": {"name": "cm", "items": [{"key": key, "path": path}]}}],
    )
    spec = outcome(made, {"configMaps": [{"metadata": {"name": "cm"}, "data": {key: "x"}}]})
    if spec is None:
        return
    for volume in spec.volumes:
        for file in volume.files or ():
            assert stays_below(file.path)
    for mount in spec.containers[0].mounts:
        assert mount.path.startswith("/")
        assert normpath("/" + mount.path.lstrip("/")) != "/"
        assert ":" not in mount.path
        assert stays_below(mount.sub_path or "x")


@given(TEXT)
@settings(max_examples=300)
def test_folders_of_the_node_stay_among_those_allowed(path: str) -> None:
    made = pod(
        container(volumeMounts=[{"name": "v", "mountPath": "/v"}]), volumes=[{"name": "v", "hostPath": {"path": path}}]
    )
    spec = outcome(made)
    if spec is not None:
        assert (normpath(spec.volumes[0].host_path or "") + "/").startswith("/data/")


@given(
    st.sampled_from(["flags", "mpi-flags", "singularity-mounts", "singularity-options", "image-root", "pre-exec", "x"]),
    TEXT | st.lists(TEXT, max_size=4).map(" ".join),
)
@settings(max_examples=500)
def test_annotations_steer_only_what_they_may(key: str, text: str) -> None:
    spec = outcome(pod(container(), annotations={f"slurm-job.vk.io/{key}": text}))
    if spec is None:
        return
    assert all(set(o) <= set("abcdefghijklmnopqrstuvwxyz-") for one in spec.containers for o in one.runtime_options)
    assert all((normpath(v.host_path or "") + "/").startswith("/data/") for v in spec.volumes)
    assert all(one.name != "pre-exec" for one in spec.init)
    assert ".." not in (spec.containers[0].image or "").split("/")


@given(TEXT, TEXT, TEXT, TEXT)
def test_names_are_names(uid: str, name: str, called: str, image: str) -> None:
    made = pod(container(called, image=image), uid=uid, name=name)
    if (spec := outcome(made)) is not None:
        taken = spec.containers[0].image or ""
        assert all(c.isalnum() or c == "-" for c in uid + called)
        assert ".." not in taken.split("/")
        assert not taken.startswith("/") or (normpath(taken) + "/").startswith("/cvmfs/")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "command",
    "env",
    "volumeMounts",
    "resources",
    "livenessProbe",
    "lifecycle",
    "securityContext",
    "ports",
    "image",
]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3), JSON, JSON)
@settings(max_examples=300)
def test_any_shape_is_taken_or_refused(fields: dict[str, Any], volumes: Any, contents: Any) -> None:
    made = pod({**container(), **fields}, volumes=volumes)
    outcome(made, {"configMaps": contents})
