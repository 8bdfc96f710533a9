"""What clients send: request bodies as Pydantic models, and templates out of them."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from isthmus.api.json_route import parse_json, refuse_unknown
from isthmus.errors import Invalid, Unsupported
from isthmus.library import Source, views
from isthmus.tosca import Bundle, BundleError

Inputs = Annotated[dict[str, Any], Field(default_factory=dict, description="Values of the template's inputs.")]
Name = Annotated[str, Field(min_length=1, max_length=63)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Binary(_Body):
    """A file that is not text."""

    base64: str


class TemplateBody(_Body):
    """A template: one of the catalogue by name, or files with the main one named, or a CSAR."""

    catalogue: str | None = Field(None, description="Name of a template of the catalogue.")
    main: str | None = Field(None, description="Path of the TOSCA document among `files`.")
    files: dict[str, str | Binary] | None = Field(None, description="Content by path relative to the template.")
    archive: str | None = Field(None, description="A CSAR (zip), in base64.")

    @model_validator(mode="after")
    def _is_one_of_three(self) -> TemplateBody:
        given = [self.catalogue is not None, self.files is not None, self.archive is not None]
        if sum(given) != 1:
            raise ValueError("give exactly one of catalogue, files (with main) and archive")
        if (self.main is None) != (self.files is None):
            raise ValueError("files and main go together")
        return self

    def source(self) -> Source:
        """The template for the service layer; :class:`~isthmus.errors.Invalid` when it cannot be read."""
        if self.catalogue is not None:
            return Source(catalogue=self.catalogue)
        if self.archive is not None:
            return Source(bundle=_unpack(_decode(self.archive, "template.archive")))
        files = {p: _content(p, c) for p, c in (self.files or {}).items()}
        return Source(bundle=_bundle(lambda: Bundle.from_files(self.main or "", files)))


class ValidateBody(_Body):
    template: TemplateBody
    inputs: Inputs


class DeploymentBody(_Body):
    """A deployment to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "template": {"catalogue": "slurm-cluster"},
                    "name": "my-cluster",
                    "inputs": {"workers": 2},
                }
            ]
        }
    )
    template: TemplateBody
    name: Name | None = Field(None, description="Unique among yours; made up from the template's when missing.")
    inputs: Inputs
    site: str | None = Field(None, description="Name of a site; chosen when missing.")


class UpdateBody(_Body):
    """What should change; what is missing stays."""

    template: TemplateBody | None = None
    inputs: dict[str, Any] | None = Field(None, description="Inputs to change; the others keep their values.")


class ChangeBody(UpdateBody):
    """A change to plan, without doing it."""

    counts: dict[str, Annotated[int, Field(ge=0)]] | None = Field(None, description="Instances by node.")


class ScaleBody(_Body):
    """How many instances a node should have, and which go first when there are too many."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"node": "worker", "count": 4}]})
    node: str
    count: int = Field(ge=0)
    remove: list[Annotated[int, Field(ge=0)]] = Field([], description="Indices of instances that should go.")


class PruneBody(_Body):
    """Which baked images should go: those not used for a time (seconds), or only those with these keys."""

    unused_for: float = Field(0, ge=0)
    keys: list[str] = []


async def read_deployment(request: Request) -> tuple[Source, DeploymentBody | ZipQuery]:
    """The body of a create request: JSON, or a CSAR with the rest in the query."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    content = await request.body()
    if kind in ("application/zip", "application/x-zip-compressed"):
        query = _parse_query(request)
        return Source(bundle=await asyncio.to_thread(_unpack, content)), query
    if kind != "application/json":
        raise Unsupported(f"A template of type {kind} is not understood.", hint="Send JSON or application/zip.")
    refuse_unknown(request, ())  # what goes with a CSAR stands in the body here
    try:
        body = DeploymentBody.model_validate(parse_json(content))
    except ValidationError as error:
        raise _at_body(error, "body") from None
    if body.template.catalogue is not None:
        return body.template.source(), body
    return await asyncio.to_thread(body.template.source), body


class ZipQuery(_Body):
    """What stands in the query when the body is a CSAR."""

    name: Name | None = None
    inputs: Inputs
    site: str | None = None


def _parse_query(request: Request) -> ZipQuery:
    given: dict[str, Any] = dict(request.query_params)
    given["inputs"] = parse_json(given.get("inputs", "{}").encode())
    try:
        return ZipQuery.model_validate(given)
    except ValidationError as error:
        raise _at_body(error, "query") from None


def _at_body(error: ValidationError, place: str) -> RequestValidationError:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return RequestValidationError([{**e, "loc": (place, *e["loc"])} for e in found])


def _unpack(content: bytes) -> Bundle:
    return _bundle(lambda: Bundle.from_zip(content))


def _bundle(make: Callable[[], Bundle]) -> Bundle:
    try:
        return make()
    except BundleError as error:
        raise Invalid(
            "What was sent cannot be read as a template.", diagnostics=views(error.diagnostics), code="template"
        ) from None


def _content(path: str, content: str | Binary) -> bytes:
    return content.encode() if isinstance(content, str) else _decode(content.base64, f"template.files[{path}]")


def _decode(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"{where} is not base64.", code="invalid-request") from None
