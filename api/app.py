"""The FastAPI application over one store."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig

from api import docs_page, events, site
from api.auth import Guard
from api.errors import ErrorEnvelope, install_error_handlers
from api.routes import (
    approvals,
    attention,
    book,
    cases,
    changes,
    chat,
    day,
    desk,
    drills,
    evidence,
    explanations,
    findings,
    halts,
    health,
    law,
    ledger,
    lessons,
    memory,
    models,
    notifications,
    parents,
    people,
    reconciliation,
    replays,
    reports,
    risk,
    session,
    sla,
    strategies,
    tickets,
)
from pipeline.store import Store

PREFIX = "/api/v1"
DESCRIPTION = (
    "Oversight desk for algorithmic trading. Everything but /health and logging in needs an API key "
    "(`Authorization: Bearer qdk_...`) or the session cookie of a login; in replay on this machine the home's token "
    "is the local operator. Roles: viewer, operator, approver, risk_officer, admin. Money is a decimal string, "
    "instants are ISO 8601 in UTC, and every refusal has the shape of ErrorEnvelope."
)
_REFUSALS = {
    401: "no login or key, or one that has ended", 403: "another site or host name, or role or scope do not suffice",
    404: "no such thing",
    409: "in conflict with what happened before", 410: "too late", 413: "more than a request may hold",
    415: "not JSON", 422: "invalid; nothing was saved", 429: "too many attempts: Retry-After says when",
    503: "a part of the desk is down",
}  # fmt: skip


SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI exports requests and stack traces when a variable in the shell says so; ours stay on this machine."""


def version() -> str:
    """The installed version of the distribution."""
    return metadata.version("quarterdeck")


def _operation_id(route: APIRoute) -> str:
    return route.name


AREAS = (
    health, session, people, desk, approvals, attention, cases, explanations, evidence, chat, halts, law, changes,
    ledger, book, parents, findings, risk, reconciliation, day, notifications, sla, replays, reports, strategies,
    drills, tickets, models, lessons, memory,
)  # fmt: skip


def create_app(store: Store, *, static: Path = site.STATIC) -> FastAPI:
    """Assemble routes, guard and error shape over `store`. The app opens nothing and starts nothing by itself."""
    app = FastAPI(
        title="Quarterdeck", version=version(), description=DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url="/openapi.json", generate_unique_id_function=_operation_id, telemetry=SILENT,
    )  # fmt: skip
    app.state.store = store
    app.state.static = static
    install_error_handlers(app)
    api = APIRouter(
        prefix=PREFIX,
        responses={status: {"model": ErrorEnvelope, "description": text} for status, text in _REFUSALS.items()},
    )
    for area in AREAS:
        api.include_router(area.router)
    api.include_router(events.router)
    app.include_router(api)
    app.include_router(docs_page.router)
    app.include_router(site.router)
    app.router.default = site.serve_page
    app.add_middleware(Guard, store=store)
    return app
