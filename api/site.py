"""The pages outside /api: the console that `make setup` built, and the start page that signs a browser in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from api.auth import address_of, cookie_of, is_person_cookie, same_token, session_value, set_session_cookie
from api.dependencies import StoreDep
from api.errors import RequestError, not_found
from pipeline.access import why_no_local_operator
from pipeline.store import Store

STATIC = Path(__file__).parent / "static"
NO_CONSOLE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Quarterdeck</title></head><body>
<h1>Quarterdeck</h1><p>The desk is running, but its console has not been built: <code>make setup</code> builds it.</p>
<p>Until then: <a href="/docs">the API</a>, or <code>quarterdeck approvals list</code> in a terminal.</p></body></html>
"""

router = APIRouter(include_in_schema=False)


@router.get("/start")
def get_start(request: Request, store: StoreDep, token: Annotated[str, Query(max_length=200)]) -> Response:
    """Sign a browser in with the home's token and send it on, so that the token leaves the address bar."""
    if not same_token(token, store.home.token()):
        raise RequestError(
            "this is not the desk's token: `quarterdeck token` prints the right link", code="unauthorized"
        )
    why = why_no_local_operator(store, address_of(request.scope))
    if why is not None:
        raise RequestError(f"{why}: log in with your name and password", code="unauthorized")
    answer = RedirectResponse("/", status_code=303)
    set_session_cookie(answer, session_value(store.home.token()), secure=store.settings.secure)
    return answer


async def serve_page(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI fallback for what no route knows: a built file, else the console's index, whose routes live in the browser.

    It is the router's default and not a route, so that an unknown API path stays unknown for every method.
    """
    path = str(scope["path"]).strip("/")
    if scope["type"] != "http" or path == "api" or path.startswith("api/"):
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return
        raise HTTPException(404)
    if scope["method"] not in {"GET", "HEAD"}:
        raise HTTPException(405, headers={"allow": "GET, HEAD"})
    state = scope["app"].state
    answer = await run_in_threadpool(_page, state.static, state.store, path, scope)
    await answer(scope, receive, send)


def _page(static: Path, store: Store, path: str, scope: Scope) -> Response:
    if "\0" in path:
        raise not_found("file", "/" + path.replace("\0", ""))
    file = (static / path).resolve()
    if path and file.is_file() and file.is_relative_to(static.resolve()):
        cache = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        return FileResponse(file, headers={"cache-control": cache})
    if path.startswith("assets/") or "." in path.rpartition("/")[2]:
        raise not_found("file", "/" + path)
    return _index(static, store, scope)


def _index(static: Path, store: Store, scope: Scope) -> Response:
    """The console. Where there is a local operator the browser becomes it, unless a person has logged in there:
    a login that locked or ended must not turn into somebody else."""
    index = static / "index.html"
    answer: Response = FileResponse(index) if index.is_file() else HTMLResponse(NO_CONSOLE)
    answer.headers["cache-control"] = "no-store"
    person = is_person_cookie(cookie_of(Headers(scope=scope)))
    if not person and why_no_local_operator(store, address_of(scope)) is None:
        set_session_cookie(answer, session_value(store.home.token()), secure=store.settings.secure)
    return answer
