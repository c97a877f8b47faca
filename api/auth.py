"""Who may speak to the desk: one local token, our own host name, and no other site's page.

The checks run before routing, on HTTP and WebSocket alike, in this order:
1. Host must be a loopback name with the port we listen on (a rebound DNS name is refused);
2. a request that a browser marks as coming from another site (`Sec-Fetch-Site`, `Origin`) may not touch the API;
3. everything under /api except /api/v1/health needs the token: `Authorization: Bearer`, or the session cookie.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from fastapi import Response
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import STATUS_BY_CODE, error_json
from api.headers import SECURITY_HEADERS
from pipeline.store import Principal

COOKIE = "qd_session"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/api/v1/health"})
MAX_BODY_BYTES = 64 * 1024


class Refusal(NamedTuple):
    """Why a request may not pass."""

    code: str
    message: str


def session_value(token: str) -> str:
    """What the cookie carries: derived from the token, so that the token itself never enters a browser."""
    return hmac.new(token.encode(), b"quarterdeck browser session v1", hashlib.sha256).hexdigest()


def set_session_cookie(response: Response, token: str) -> None:
    """Hand the browser its session; the cookie is of no use to a script or to another site."""
    response.set_cookie(COOKIE, session_value(token), httponly=True, samesite="strict", path="/")


def same_token(given: str, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())


def _cookie(headers: Headers) -> str:
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def check_host(scope: Scope, headers: Headers) -> Refusal | None:
    """Refuse a Host header that is not a loopback name with our port."""
    given = headers.get("host", "")
    server = scope.get("server")
    port = server[1] if server else None
    allowed = {f"{name}:{port}" for name in LOOPBACK_NAMES}
    if port in {80, None}:
        allowed |= set(LOOPBACK_NAMES)
    if len(headers.getlist("host")) == 1 and given.lower() in allowed:
        return None
    return Refusal(
        "bad_host", f"the desk does not answer to the host name {given[:80]!r}: open http://127.0.0.1:{port}"
    )


def check_site(scope: Scope, headers: Headers) -> Refusal | None:
    """Refuse what a browser sends on behalf of another site's page.

    Reads are covered as well as writes: another port on this machine is `same-site`, gets the cookie, and is
    still not us. A missing Origin is a client that is not a browser, which the token must then let in.
    """
    socket = scope["type"] == "websocket"
    if not (socket or scope["path"].startswith("/api/") or scope["method"] not in SAFE_METHODS):
        return None
    site = headers.get("sec-fetch-site", "none")
    if site not in {"same-origin", "none"}:
        return Refusal("cross_site", f"a {site} page may not reach the desk: use the console that the desk serves")
    origin = headers.get("origin")
    if (socket or scope["method"] not in SAFE_METHODS) and origin is not None:
        own = f"http://{headers.get('host', '')}".lower()
        if origin.lower() != own:
            return Refusal("cross_site", f"the origin {origin[:80]!r} is not the desk's own {own}")
    return None


def check_token(scope: Scope, headers: Headers, token: str) -> Refusal | None:
    """Refuse an API request that carries neither the token nor the session cookie."""
    if not scope["path"].startswith("/api/") or scope["path"] in OPEN_PATHS:
        return None
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if given:
        if scheme.lower() == "bearer" and same_token(given.strip(), token):
            return None
        return Refusal("unauthorized", "the Authorization header does not carry this desk's token: `quarterdeck token`")
    cookie = _cookie(headers)
    if cookie and same_token(cookie, session_value(token)):
        return None
    return Refusal(
        "unauthorized", "open the desk's start page first, or send its token: `quarterdeck token` shows both"
    )


class Guard:
    """ASGI middleware that refuses before anything is routed and adds the security headers to every answer."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = (
            check_host(scope, headers)
            or check_site(scope, headers)
            or check_token(scope, headers, self.token)
            or _check_size(headers)
        )

        async def send_secured(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                message["headers"] = _secured(scope["path"], message.get("headers", ()))
            await send(message)

        if refusal is None:
            await self.app(scope, receive, send_secured)
        else:
            await _refuse(refusal, scope, receive, send_secured)


def _check_size(headers: Headers) -> Refusal | None:
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) <= MAX_BODY_BYTES:
        return None
    return Refusal("too_large", f"a request body may have {MAX_BODY_BYTES} bytes, not {length[:20]}")


def _secured(path: str, headers: list[tuple[bytes, bytes]] | tuple[()]) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    extra = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
    if path.startswith("/api/"):
        extra.append((b"cache-control", b"no-store"))
    return [*headers, *(pair for pair in extra if pair[0] not in present)]


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
        return
    response = JSONResponse(error_json(*refusal), status_code=STATUS_BY_CODE[refusal.code])
    if refusal.code == "unauthorized":
        response.headers["www-authenticate"] = "Bearer"
    await response(scope, receive, send)


def principal_of(connection: HTTPConnection) -> Principal:
    """The person behind a request: whoever holds the home's token is its local operator."""
    address = connection.client.host if connection.client else None
    return Principal(name="local operator", kind="person", address=address)
