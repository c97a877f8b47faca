"""The one place that knows HTTP status codes: every refusal leaves as `{"error": {code, message, detail}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, JsonValue
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from api.headers import SECURITY_HEADERS
from tools.errors import (
    AccessError,
    ApprovalError,
    ConfigError,
    DataError,
    ExecutionError,
    HomeError,
    LedgerError,
    QuarterdeckError,
    RetryableToolError,
    ToolRejected,
)

STATUS_BY_CODE: Final[Mapping[str, int]] = {
    "unknown": 404,
    "not_found": 404,
    "unknown_target": 404,
    "decided": 409,
    "stale_digest": 409,
    "tampered": 409,
    "expired": 410,
    "invalid": 422,
    "bad_cursor": 422,
    "forbidden": 403,
    "cross_site": 403,
    "bad_host": 403,
    "unauthorized": 401,
    "session_locked": 401,
    "role": 403,
    "scope": 403,
    "exists": 409,
    "last_admin": 409,
    "separation": 403,
    "own_limit": 403,
    "evidence_unopened": 403,
    "unsigned": 409,
    "mixed_bulk": 422,
    "too_many_attempts": 429,
    "too_large": 413,
    "home_locked": 409,
}
"""Codes that decide the status whatever class raised them."""

STATUS_BY_CLASS: Final[Mapping[type[QuarterdeckError], int]] = {
    AccessError: 401,
    ApprovalError: 409,
    DataError: 422,
    ToolRejected: 422,
    ExecutionError: 409,
    HomeError: 503,
    ConfigError: 503,
    LedgerError: 503,
    RetryableToolError: 503,
}
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


class RequestError(QuarterdeckError):
    """A request that cannot be served as asked; `code` names why and decides the status."""


class ErrorBody(BaseModel):
    """What went wrong. `code` is stable; `message` is for people; `detail` depends on the code."""

    code: str
    message: str
    detail: JsonValue = None


class ErrorEnvelope(BaseModel):
    """The shape of every answer that is not a success."""

    error: ErrorBody


def error_json(code: str, message: str, detail: JsonValue = None) -> dict[str, Any]:
    """The body of a refusal, as plain JSON."""
    return {"error": {"code": code, "message": message, "detail": detail}}


def status_of(error: QuarterdeckError) -> int:
    """HTTP status of an error of ours: by its code, else by its class, else 500."""
    if error.code in STATUS_BY_CODE:
        return STATUS_BY_CODE[error.code]
    return next((status for kind, status in STATUS_BY_CLASS.items() if isinstance(error, kind)), 500)


def not_found(what: str, key: str) -> RequestError:
    """The refusal for an id that names nothing, e.g. `not_found("case", "case_1")`."""
    return RequestError(f"no {what} has the id {key!r}: list them to see the ids", code="not_found")


def _answer(status: int, code: str, message: str, detail: JsonValue = None, **headers: str) -> JSONResponse:
    return JSONResponse(error_json(code, message, detail), status_code=status, headers=headers or None)


def answer_of(error: QuarterdeckError) -> JSONResponse:
    """An error of ours as an answer, with the headers that its status asks for."""
    status = status_of(error)
    headers: dict[str, str] = {"www-authenticate": "Bearer"} if status == 401 else {}
    detail: JsonValue = dict(error.detail) if error.detail else None
    if isinstance(error, AccessError) and error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return _answer(status, error.code, error.message, detail, **headers)


async def _on_ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, QuarterdeckError)
    return answer_of(error)


async def _on_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    detail: list[JsonValue] = [
        {"field": ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]), "message": item["msg"]}
        for item in error.errors()
    ]
    fields = ", ".join(sorted({str(item["field"]) for item in detail if isinstance(item, dict)}))
    return _answer(422, "invalid", f"the request is not valid: see {fields}; nothing was saved", detail)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # FastAPI's word for a body that breaks the JSON reader
        return _answer(422, "invalid", "the request body cannot be read as JSON; nothing was saved")
    code = _HTTP_CODES.get(error.status_code, "http_error")
    message = {
        "not_found": f"{request.url.path} is not part of this API: see /docs",
        "method_not_allowed": f"{request.method} is not possible on {request.url.path}: see /docs",
    }.get(code, str(error.detail))
    return _answer(error.status_code, code, message, None, **(dict(error.headers) if error.headers else {}))


def store_unavailable() -> JSONResponse:
    """The answer while the database gives none; it shows no SQL."""
    return _answer(503, "store_unavailable", "the database did not answer: try again; `quarterdeck doctor` says more")


async def _on_database(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DBAPIError)
    return store_unavailable()


async def _on_anything(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(
        500, "internal", "the desk failed on this request: see its log; nothing was saved", None, **SECURITY_HEADERS
    )


def install_error_handlers(app: FastAPI) -> None:
    """Give every failure of `app` the one shape."""
    app.add_exception_handler(QuarterdeckError, _on_ours)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(Exception, _on_anything)
