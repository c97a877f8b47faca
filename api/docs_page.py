"""GET /docs: the OpenAPI description as one page, rendered here.

FastAPI's own page loads Swagger UI from a CDN and starts it by an inline script. The desk must work with no
network, and its content security policy allows neither, so this page is plain HTML with a stylesheet of ours; the
machine-readable description stays at /openapi.json for any client.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)

STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 62rem; padding: 1rem 1.25rem 4rem }
h2 { border-bottom: 1px solid #8886; margin-top: 2.5rem; padding-bottom: .25rem }
details { border: 1px solid #8886; border-radius: 6px; margin: .5rem 0; padding: .4rem .75rem }
summary { cursor: pointer } code, pre { font: 13px/1.45 ui-monospace, monospace }
pre { background: #8881; border-radius: 6px; overflow: auto; padding: .6rem }
.verb { display: inline-block; font-weight: 700; min-width: 4rem } .post { color: #b3541e } .get { color: #2a7a4b }
table { border-collapse: collapse; width: 100% } td { padding: .2rem .6rem .2rem 0; vertical-align: top }
"""


@router.get("/docs", response_class=HTMLResponse)
def get_docs(request: Request) -> HTMLResponse:
    """Serve the page for people."""
    return HTMLResponse(render(request.app.openapi()))


@router.get("/docs/style.css")
def get_style() -> Response:
    """Serve its stylesheet, which the content security policy wants as a file."""
    return Response(STYLE, media_type="text/css")


def render(spec: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI 3.1 description: operations by tag, then the schemas they refer to."""
    info = spec["info"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escape(info['title'])} API</title><link rel='stylesheet' href='/docs/style.css'></head><body>",
        f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>",
        f"<p>{escape(info.get('description', ''))}</p>",
        "<p>Machine-readable: <a href='/openapi.json'>/openapi.json</a>.</p>",
    ]
    by_tag: dict[str, list[str]] = {}
    for path, verbs in spec["paths"].items():
        for verb, operation in verbs.items():
            by_tag.setdefault(operation.get("tags", ["other"])[0], []).append(_operation(path, verb, operation))
    for tag in sorted(by_tag):
        parts += [f"<h2>{escape(tag)}</h2>", *by_tag[tag]]
    parts.append("<h2>schemas</h2>")
    for name, schema in sorted(spec.get("components", {}).get("schemas", {}).items()):
        text = escape(json.dumps(schema, indent=2))
        parts.append(
            f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary><pre>{text}</pre></details>"
        )
    return "".join([*parts, "</body></html>"])


def _operation(path: str, verb: str, operation: Mapping[str, Any]) -> str:
    summary = escape(str(operation.get("description") or operation.get("summary", "")))
    rows = "".join(_parameters(operation)) + "".join(_body(operation)) + "".join(_answers(operation))
    return (
        f"<details id='{escape(operation['operationId'])}'><summary><span class='verb {verb}'>{verb.upper()}</span> "
        f"<code>{escape(path)}</code> {summary}</summary><table>{rows}</table></details>"
    )


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    for item in operation.get("parameters", ()):
        note = item.get("description", item["schema"].get("description", ""))
        yield _row(
            f"<code>{escape(item['name'])}</code>", escape(item["in"]), escape(_type(item["schema"])), escape(note)
        )


def _body(operation: Mapping[str, Any]) -> Iterator[str]:
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield _row("body", escape(media), _link(content.get("schema", {})), "")


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        shapes = " ".join(_link(content.get("schema", {})) for content in answer.get("content", {}).values())
        yield _row(escape(status), "answer", shapes, escape(answer["description"]))


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _link(schema: Mapping[str, Any]) -> str:
    if "$ref" not in schema:
        return escape(_type(schema)) if schema else ""
    name = escape(schema["$ref"].rpartition("/")[2])
    return f"<a href='#{name}'>{name}</a>"


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("const", schema.get("type", "any")))
