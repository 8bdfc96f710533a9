"""Where the files of a job come from and go to: URLs that its site can use without knowing a secret.

``s3://BUCKET/KEY`` becomes an https URL that is signed for one object, one verb and a limited time, so that
neither the site nor what runs there ever has the keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from isthmus.errors import Invalid, Unsupported
from isthmus.sites.errors import Permanent
from isthmus.sites.jobs import SandboxFile
from isthmus.work.job import JobSpec, Output, S3Access

SIGNED_SECONDS = 12 * 3600
"""How long a signed URL may be used."""
SCHEMES = ("https", "s3")


def check_urls(spec: JobSpec) -> None:
    """Raise :class:`Invalid` for URLs that no site can use."""
    for url in [*(given.url for given in spec.inputs), *(kept.url for kept in spec.outputs)]:
        if url is None:
            continue
        scheme = _scheme(url)
        if scheme not in SCHEMES:
            raise Invalid(f"{url[:200]!r} is no URL of the kinds {', '.join(SCHEMES)}")
        if scheme == "s3" and not _object(url)[1]:
            raise Invalid(f"{url[:200]!r} names no object: write s3://BUCKET/KEY")
        if scheme == "s3" and spec.s3 is None:
            raise Invalid(f"{url[:200]!r} needs the keys of S3", hint="Set AWS_ACCESS_KEY_ID and the like.")
        try:
            _signed(spec.s3, "get_object", url)
        except Permanent as error:
            raise Invalid(str(error)) from error


def _scheme(url: str) -> str:
    """The scheme of a URL as it is written; empty when nobody could reach it."""
    try:
        split = urlsplit(url)
        return url.partition(":")[0] if split.hostname and split.port != 0 else ""
    except ValueError:
        return ""


def signed_inputs(spec: JobSpec) -> JobSpec:
    """The spec with inputs that its site can fetch, and without the keys of S3."""
    inputs = tuple(replace(i, url=_signed(spec.s3, "get_object", i.url)) if i.url else i for i in spec.inputs)
    return replace(spec, inputs=inputs, s3=None)


def targets(spec: JobSpec, files: Sequence[SandboxFile]) -> Mapping[str, str]:
    """For each file that shall be sent somewhere: its path in the sandbox, and the URL to put it to."""
    found: dict[str, str] = {}
    for output in spec.outputs:
        if output.url is not None:
            named = [file.path for file in files if _names(output, file.path)]
            alone = named == [output.path] and not output.url.endswith("/")
            for path in named:
                # A key is what it is; a name need not be text.
                below = path if output.url.startswith("s3:") else quote(path.encode("utf-8", "surrogateescape"))
                url = output.url if alone else f"{output.url.rstrip('/')}/{below}"
                found[path] = _signed(spec.s3, "put_object", url)
    return found


def _names(output: Output, path: str) -> bool:
    """Whether an output means a file: by its path, by a folder above it, or by a pattern."""
    one = PurePosixPath(path)
    wanted = output.path.rstrip("/")
    return path == wanted or path.startswith(f"{wanted}/") or any(p.match(wanted) for p in (one, *one.parents))


def _signed(access: S3Access | None, verb: str, url: str) -> str:
    """A URL that says by itself who may use it; raises :class:`Permanent` for what S3 could not be asked."""
    if not url.startswith("s3:"):
        return url
    if access is None:
        raise Permanent(f"{url} needs the keys of S3")
    bucket, key = _object(url)
    errors = (ValueError, _library().exceptions.BotoCoreError)
    try:
        values: dict[str, Any] = {"Bucket": bucket, "Key": key}
        return str(_client(access).generate_presigned_url(verb, values, ExpiresIn=SIGNED_SECONDS))
    except errors as error:
        raise Permanent(f"{url[:200]!r} is nothing that S3 could be asked for: {error}") from error


def _object(url: str) -> tuple[str, str]:
    """The bucket and the key of an s3:// URL."""
    bucket, _, key = url.partition("://")[2].partition("/")
    return bucket, key.lstrip("/")


@lru_cache(maxsize=16)
def _client(access: S3Access) -> Any:
    """Signs for one account; nothing is sent anywhere."""
    config = _library().config.Config(signature_version="s3v4", s3={"addressing_style": "path"})
    return _library().session.Session().create_client(
        "s3", region_name=access.region, endpoint_url=access.endpoint, aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key, aws_session_token=access.session_token, config=config,
    )  # fmt: skip


def _library() -> Any:
    try:
        import botocore.config
        import botocore.exceptions
        import botocore.session
    except ModuleNotFoundError:
        raise Unsupported("s3:// needs the Python package botocore", hint="pip install 'isthmus[s3]'") from None
    return botocore
