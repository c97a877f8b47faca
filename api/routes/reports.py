"""GET /cases/{id}/report: one case for an operator or a regulator, as JSON, Markdown or a page to print."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from api.dependencies import READ, StoreDep
from api.reports import render
from api.reports.content import case_report
from api.reports.types import Audience, CaseReport

router = APIRouter(prefix="/cases", tags=["cases"], dependencies=READ)
Format = Literal["html", "markdown", "json"]


@router.get(
    "/{case_id}/report",
    response_model=CaseReport,
    responses={200: {"content": {"text/html": {}, "text/markdown": {}}, "description": "the report"}},
)
def get_report(
    store: StoreDep,
    case_id: str,
    form: Annotated[Format, Query(alias="format")] = "html",
    audience: Annotated[Audience, Query()] = "operator",
) -> Response | CaseReport:
    """Who, what, when, why, on what evidence, and what would have changed it. JSON always holds everything."""
    report = case_report(store, case_id)
    match form:
        case "html":
            headers = {"content-security-policy": render.POLICY}
            return HTMLResponse(render.html(report, audience), headers=headers)
        case "markdown":
            return PlainTextResponse(render.markdown(report, audience), media_type="text/markdown")
        case "json":
            return report
