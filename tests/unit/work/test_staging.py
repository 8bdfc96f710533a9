"""Where files come from and go to: URLs are checked, signed for one object, and never tell a key."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from isthmus.errors import Invalid
from isthmus.sites.jobs import SandboxFile
from isthmus.work.job import Container, Input, JobSpec, Output, S3Access
from isthmus.work.staging import check_urls, signed_inputs, targets

ACCESS = S3Access("AKIDEXAMPLE", "wJalrXUtnFEMI", endpoint="https://s3.example.org:9000", region="eu-1")
MAIN = (Container("main", command=("true",)),)


def files(*paths: str) -> list[SandboxFile]:
    return [SandboxFile(path, 1, 0o644, "0" * 64) for path in paths]


@pytest.mark.parametrize(
    "url",
    ["http://x/y", "file:///etc/passwd", "s3://bucket", "s3:///key", "https:///x", "x", "ftp://a/b", "https://[::1",
     "https://[x]/y", "https://x:a/y", "https://x:99999/y", "s3://a b/k", "s3://b!/k", "S3://b/k", "s3://b/\udcff"],
)  # fmt: skip
def test_what_no_site_can_use_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check_urls(JobSpec(MAIN, inputs=(Input("a", url=url),), s3=ACCESS))
    with pytest.raises(Invalid):
        check_urls(JobSpec(MAIN, outputs=(Output("a", url),), s3=ACCESS))


@pytest.mark.parametrize(
    "access", [S3Access("a", "hunter2", endpoint="https://[x"), S3Access("a", "hunter2", region="../x")]
)
def test_an_s3_that_nobody_could_ask_is_refused_and_no_key_is_told(access: S3Access) -> None:
    with pytest.raises(Invalid) as told:
        check_urls(JobSpec(MAIN, inputs=(Input("a", url="s3://b/k"),), s3=access))
    assert "hunter2" not in str(told.value)


def test_a_name_that_is_no_text_has_a_url_too() -> None:
    spec = JobSpec(MAIN, outputs=(Output("d", "https://x/y"),))
    assert targets(spec, files("d/\udcff")) == {"d/\udcff": "https://x/y/d/%FF"}


def test_s3_needs_keys() -> None:
    spec = JobSpec(MAIN, inputs=(Input("a", url="s3://b/k"),))
    with pytest.raises(Invalid, match="keys"):
        check_urls(spec)


def test_a_site_gets_signed_urls_and_no_key() -> None:
    spec = JobSpec(MAIN, inputs=(Input("a", url="s3://data/r/1 2.fq"), Input("b", url="https://x.org/y")), s3=ACCESS)
    signed = signed_inputs(spec)
    assert signed.s3 is None
    assert "wJalrXUtnFEMI" not in str(signed)
    first = urlsplit(signed.inputs[0].url or "")
    assert (first.scheme, first.netloc, first.path) == ("https", "s3.example.org:9000", "/data/r/1%202.fq")
    assert parse_qs(first.query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert signed.inputs[1].url == "https://x.org/y"


@pytest.mark.parametrize("name", ["l c", "50%", "a?b", "a#b", "\u00e4"])
def test_a_key_is_the_path_as_it_is(name: str) -> None:
    """Quoted once, for the URL; a question mark is no query."""
    spec = JobSpec(MAIN, outputs=(Output("out", "s3://data/r"),), s3=ACCESS)
    (url,) = targets(spec, files(f"out/{name}")).values()
    assert unquote(urlsplit(url).path) == f"/data/r/out/{name}"


@pytest.mark.parametrize(
    ("output", "found", "expected"),
    [
        (Output("out.txt", "https://x/o.txt"), ["out.txt"], {"out.txt": "https://x/o.txt"}),
        (Output("out.txt", "https://x/"), ["out.txt"], {"out.txt": "https://x/out.txt"}),
        (
            Output("d", "https://x/y"),
            ["d/a", "d/b/c d"],
            {"d/a": "https://x/y/d/a", "d/b/c d": "https://x/y/d/b/c%20d"},
        ),
        (Output("*.csv", "https://x/y"), ["a.csv", "b.txt"], {"a.csv": "https://x/y/a.csv"}),
        (Output("kept"), ["kept"], {}),
    ],
)
def test_each_file_has_its_url(output: Output, found: list[str], expected: dict[str, str]) -> None:
    assert targets(JobSpec(MAIN, outputs=(output,)), files(*found)) == expected
