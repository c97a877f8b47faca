"""Who may speak to the desk: our own host names, no other site's page, and somebody who is known.

The checks run before routing, on HTTP and WebSocket alike, in this order:
1. Host must be a name that we answer to (a rebound DNS name is refused);
2. a request that a browser marks as coming from another site (`Sec-Fetch-Site`, `Origin`) may not touch the API;
3. everything under /api but OPEN needs an identity: an API key, a login session, or in replay the local operator.
What the identity may do is each route's business: `require("approver")`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from fastapi import Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import WebSocketException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import STATUS_BY_CODE, answer_of, error_json, store_unavailable
from api.headers import HSTS, SECURITY_HEADERS
from pipeline import access, logins
from pipeline.access import same as same_token
from pipeline.access import session_value
from pipeline.exposure import host_names
from pipeline.people import Identity, Role
from pipeline.people import Scope as KeyScope
from pipeline.roles import reaches
from pipeline.store import Principal, Store
from tools.errors import AccessError

__all__ = ["COOKIE", "MAX_BODY_BYTES", "Guard", "principal_of", "require", "same_token", "session_value"]

COOKIE = "qd_session"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN = frozenset(
    {
        ("GET", "/api/v1/health"), ("HEAD", "/api/v1/health"), ("POST", "/api/v1/session"),
        ("DELETE", "/api/v1/session"), ("POST", "/api/v1/people/bootstrap"),
    }
)  # fmt: skip
"""What a stranger may call: asking whether the desk lives, logging in and out, making the first admin."""
MAX_BODY_BYTES = 64 * 1024
IDENTITY = "quarterdeck.identity"


class Refusal(NamedTuple):
    """Why a request may not pass."""

    code: str
    message: str


def set_session_cookie(response: Response, value: str, *, secure: bool) -> None:
    """Hand the browser its session; the cookie is of no use to a script or to another site."""
    response.set_cookie(COOKIE, value, httponly=True, samesite="strict", path="/", secure=secure)


def clear_session_cookie(response: Response, *, secure: bool) -> None:
    """Take it back."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/", secure=secure)


def cookie_of(headers: Headers) -> str | None:
    """The session cookie of a request."""
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return jar[COOKIE].value if COOKIE in jar else None


def address_of(scope: Scope) -> str | None:
    """Where a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else None


def is_person_cookie(cookie: str | None) -> bool:
    """True for the cookie of a person's login, open or not."""
    return cookie is not None and cookie.startswith(logins.PREFIX)


def check_host(scope: Scope, headers: Headers, names: frozenset[str] = frozenset()) -> Refusal | None:
    """Refuse a Host header that is neither a loopback name with our port nor among the allowed `names`.

    An allowed name without a port stands for any port, because a proxy may listen on another one.
    """
    given = headers.get("host", "").lower()
    server = scope.get("server")
    port = server[1] if server else None
    allowed = {f"{name}:{port}" for name in LOOPBACK_NAMES}
    if port in {80, 443, None}:
        allowed |= set(LOOPBACK_NAMES)
    bare = given.rpartition(":")[0] if given.rpartition(":")[2].isdigit() else given
    if len(headers.getlist("host")) == 1 and (given in allowed or given in names or bare in names):
        return None
    return Refusal(
        "bad_host", f"the desk does not answer to the host name {given[:80]!r}: open http://127.0.0.1:{port}"
    )


def check_site(scope: Scope, headers: Headers, *, secure: bool = False) -> Refusal | None:
    """Refuse what a browser sends on behalf of another site's page.

    Reads are covered as well as writes: another port on this machine is `same-site`, gets the cookie, and is
    still not us. A missing Origin is a client that is not a browser, which its credential must then let in.
    """
    socket = scope["type"] == "websocket"
    if not (socket or scope["path"].startswith("/api/") or scope["method"] not in SAFE_METHODS):
        return None
    site = headers.get("sec-fetch-site", "none")
    if site not in {"same-origin", "none"}:
        return Refusal("cross_site", f"a {site} page may not reach the desk: use the console that the desk serves")
    origin = headers.get("origin")
    if (socket or scope["method"] not in SAFE_METHODS) and origin is not None:
        own = f"{'https' if secure else 'http'}://{headers.get('host', '')}".lower()
        if origin.lower() != own:
            return Refusal("cross_site", f"the origin {origin[:80]!r} is not the desk's own {own}")
    return None


class Guard:
    """ASGI middleware that refuses before anything is routed and adds the security headers to every answer."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self.app = app
        self.store = store
        self.secure = store.settings.secure
        self.names = host_names(store.settings) if store.settings.exposed or self.secure else frozenset[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_secured(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                message["headers"] = _secured(scope["path"], message.get("headers", ()), secure=self.secure)
            await send(message)

        refusal = (
            check_host(scope, headers, self.names)
            or check_site(scope, headers, secure=self.secure)
            or _check_size(headers)
        )
        answer = None if refusal is None else _answer(refusal)
        code = refusal.code if refusal else ""
        if answer is None:
            try:
                await self._identify(scope, headers)
                broken = _check_text(scope)
                answer = None if broken is None else _answer(broken)
            except AccessError as error:
                answer, code = answer_of(error), error.code
            except DBAPIError:
                answer, code = store_unavailable(), "store_unavailable"
        if answer is None:
            await self.app(scope, receive, send_secured)
        else:
            await _refuse(answer, code, scope, receive, send_secured)

    async def _identify(self, scope: Scope, headers: Headers) -> None:
        """Put the identity into the scope; AccessError when there is none and the path is not open."""
        path: str = scope["path"]
        if not path.startswith("/api/"):
            return
        method = scope.get("method", "GET")
        bearer, cookie = _bearer(headers), cookie_of(headers)
        is_open = scope["type"] == "http" and (method, path) in OPEN
        if is_open and bearer is None and cookie is None:
            return
        try:
            scope[IDENTITY] = await run_in_threadpool(
                access.identify, self.store, bearer=bearer, cookie=cookie, address=address_of(scope),
                active=scope["type"] == "http" and method not in SAFE_METHODS,
            )  # fmt: skip
        except AccessError:
            if not is_open:
                raise


def _bearer(headers: Headers) -> str | None:
    """What the Authorization header carries; an empty text for a header that is not a bearer's."""
    given = headers.get("authorization")
    if given is None:
        return None
    scheme, _, credential = given.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _check_size(headers: Headers) -> Refusal | None:
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) <= MAX_BODY_BYTES:
        return None
    return Refusal("too_large", f"a request body may have {MAX_BODY_BYTES} bytes, not {length[:20]}")


def _answer(refusal: Refusal) -> JSONResponse:
    return JSONResponse(error_json(*refusal), STATUS_BY_CODE[refusal.code])


def _check_text(scope: Scope) -> Refusal | None:
    """Refuse the one character that PostgreSQL cannot keep or look for: no id has it, and no filter may."""
    if "\x00" in scope["path"]:
        return Refusal("not_found", "no address of the desk holds the character NUL: see /docs")
    if b"%00" in scope["query_string"]:
        return Refusal("invalid", "a filter may not hold the character NUL: leave it out")
    return None


def _secured(
    path: str, headers: list[tuple[bytes, bytes]] | tuple[()], *, secure: bool
) -> list[tuple[bytes, bytes]]:  # fmt: skip
    present = {name.lower() for name, _ in headers}
    extra = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
    if path.startswith("/api/"):
        extra.append((b"cache-control", b"no-store"))
    if secure:
        extra.append((b"strict-transport-security", HSTS))
    return [*headers, *(pair for pair in extra if pair[0] not in present)]


async def _refuse(answer: JSONResponse, code: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": code})
        return
    await answer(scope, receive, send)


def identity_of(connection: HTTPConnection) -> Identity | None:
    """Whom the guard recognised; None on an open path without a login."""
    found: Identity | None = connection.scope.get(IDENTITY)
    return found


def require(
    role: Role, scope: KeyScope | None = None, *, lent: bool = False
) -> Callable[[HTTPConnection], Awaitable[Identity]]:
    """A dependency that gives the identity and refuses with 401 without one, with 403 below `role`.

    API keys also need `scope`; without one it follows from the role (viewer read, operator operate, approver and
    risk_officer decide, admin admin). With `lent` a role that somebody lends them will do.
    """

    async def identified(connection: HTTPConnection) -> Identity:
        found = identity_of(connection)
        try:
            if found is None:
                raise AccessError("nobody is logged in: log in or send an API key", code="unauthorized")
            if not (lent and await _by_loan(connection, found, role)):
                found.must(role, scope)
        except AccessError as error:
            if connection.scope["type"] == "websocket":
                raise WebSocketException(1008, error.code) from None
            raise
        return found

    return identified


async def _by_loan(connection: HTTPConnection, found: Identity, role: Role) -> bool:
    if reaches(found.role, role):
        return False
    return await run_in_threadpool(access.may_by_loan, connection.app.state.store, found, role)


def principal_of(connection: HTTPConnection) -> Principal:
    """The name that decisions and the ledger carry; AccessError without a login."""
    found = identity_of(connection)
    if found is None:
        raise AccessError("nobody is logged in: log in or send an API key", code="unauthorized")
    return found.principal()
