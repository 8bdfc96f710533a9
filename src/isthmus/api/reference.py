"""The API's reference as one page of HTML, made from its own description, with nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse

router = APIRouter(include_in_schema=False)
Json = Mapping[str, Any]

_STYLE = """
:root { color-scheme: light dark; } body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
padding: 0 1rem; } code { font: .9em ui-monospace, monospace; }
details { border-top: 1px solid #8884; padding: .4rem 0; }
summary { cursor: pointer; } summary b { display: inline-block; width: 4.5rem; } td { padding: 0 1rem 0 0;
vertical-align: top; } h2 { margin-top: 2rem; text-transform: capitalize; } .quiet { opacity: .7; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@router.get("/docs")
async def show_reference(request: Request) -> HTMLResponse:
    """The page."""
    app: FastAPI = request.app
    return HTMLResponse("".join(_page(app.openapi())), headers={"Content-Security-Policy": _POLICY})


def _page(api: Json) -> Iterator[str]:
    title = escape(f"{api['info']['title']} {api['info']['version']}")
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}: API</title><style>{_STYLE}</style>"
    yield f"<h1>{title}: API</h1><p>{escape(api['info']['description'])}</p>"
    yield "<p>The same for programs: <a href=openapi.json>openapi.json</a>.</p>"
    groups: dict[str, list[str]] = {}
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append("".join(_operation(method, path, operation)))
    for name, parts in groups.items():
        yield f"<h2>{escape(name)}</h2>" + "".join(parts)
    yield "<h2>Values</h2>"
    for name, schema in api["components"]["schemas"].items():
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        yield f"<p>{escape(schema.get('description', ''))}</p>"
        yield _rows((n, _kind(s), s.get("description", "")) for n, s in schema.get("properties", {}).items())
        yield "</details>"


def _operation(method: str, path: str, operation: Json) -> Iterator[str]:
    summary = escape(operation["summary"])
    yield f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
    yield f"<span class=quiet>{summary}</span></summary><p>{escape(operation.get('description', ''))}</p>"
    yield _rows(
        (p["name"], f"{p['in']}, {_kind(p['schema'])}", p.get("description", ""))
        for p in operation.get("parameters", ())
    )
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body: <code>{escape(kind)}</code>, {_kind(content['schema'])}</p>"
    yield _rows(
        (status, ", ".join(_kind(c.get("schema", {})) for c in r.get("content", {}).values()), r["description"])
        for status, r in operation["responses"].items()
    )
    yield "</details>"


def _rows(rows: Any) -> str:
    """A table; the second column is HTML already."""
    cells = (f"<tr><td><code>{escape(str(a))}</code><td>{b}<td>{escape(c)}" for a, b, c in rows)
    body = "".join(cells)
    return f"<table>{body}</table>" if body else ""


def _kind(schema: Json) -> str:
    """A schema in a few words, as HTML with links to what it names."""
    if reference := schema.get("$ref"):
        name = escape(reference.rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(_kind(s) for s in schema[word])
    if "enum" in schema:
        return " | ".join(escape(str(v)) for v in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("type", "anything")))
