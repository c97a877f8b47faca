"""Logging in and out, and who one is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr

from api.auth import address_of, clear_session_cookie, identity_of, set_session_cookie
from api.dependencies import StoreDep, Viewer
from api.schemas import Body
from pipeline import logins
from pipeline.access import loans_to
from pipeline.people import Identity
from pipeline.store import Store
from tools.errors import AccessError

router = APIRouter(prefix="/session", tags=["people"])

LOGINS_AT_ONCE = 4
"""Logins run in threads of their own: a flood of them must not delay a halt."""
LOGINS_WAITING = 40
Password = Annotated[SecretStr, Field(max_length=256)]


class LoginRequest(Body):
    """Name and password; who is meant is the login's answer, never a payload's."""

    name: Annotated[str, Field(max_length=64)]
    password: Password


class PasswordChange(Body):
    """The password as it is and as it shall be."""

    current: Password
    new: Password


class LoanBody(BaseModel):
    """A role that somebody lends the person; it is good for answering the queue."""

    giver: Annotated[str, Field(serialization_alias="from")]
    role: str
    ends: datetime


class SessionBody(BaseModel):
    """Who is asking. `kind` is `local_operator` for the labelled stand-in of replay, who needs no login."""

    name: str
    role: str
    kind: str
    scopes: list[str]
    session_id: str | None
    idle_lock_minutes: float
    lent: list[LoanBody] = []

    @classmethod
    def of(cls, who: Identity, store: Store) -> SessionBody:
        return cls(
            name=who.name, role=who.role, kind=who.kind, scopes=sorted(who.scopes), session_id=who.session_id,
            idle_lock_minutes=store.settings.idle_lock_minutes,
            lent=[LoanBody(giver=loan.giver, role=loan.role, ends=loan.ends) for loan in loans_to(store, who)],
        )  # fmt: skip


@router.post("", status_code=201)
async def log_in(request: Request, response: Response, store: StoreDep, body: LoginRequest) -> SessionBody:
    """Log in by name and password. Too many failures are refused for a while, with Retry-After."""
    opened = await to_thread.run_sync(
        lambda: logins.login(store, name=body.name, password=body.password, address=address_of(request.scope)),
        limiter=login_threads(request),
    )
    set_session_cookie(response, opened.token.get_secret_value(), secure=store.settings.secure)
    return await to_thread.run_sync(SessionBody.of, opened.identity, store)


@router.get("")
def get_session(store: StoreDep, who: Viewer) -> SessionBody:
    """Say who is asking, and what they may do."""
    return SessionBody.of(who, store)


@router.post("/active")
def stay_active(store: StoreDep, who: Viewer) -> SessionBody:
    """Say that the person is there: typing or reading holds off the lock, what the console reads by itself does not."""
    return SessionBody.of(who, store)


@router.post("/password")
async def change_password(
    request: Request, response: Response, store: StoreDep, who: Viewer, body: PasswordChange
) -> SessionBody:
    """Replace one's own password. Every session of the person ends, this one included."""
    if who.kind != "person":
        raise AccessError("the local operator has no password", code="invalid")
    await to_thread.run_sync(
        lambda: logins.change_password(store, who, current=body.current, new=body.new), limiter=login_threads(request)
    )
    clear_session_cookie(response, secure=store.settings.secure)
    return await to_thread.run_sync(SessionBody.of, who, store)


@router.delete("", status_code=204)
def log_out(request: Request, response: Response, store: StoreDep) -> None:
    """End the login of this browser, if it has one, and forget the cookie."""
    who = identity_of(request)
    if who is not None:
        logins.logout(store, who)
    clear_session_cookie(response, secure=store.settings.secure)


def login_threads(request: Request) -> CapacityLimiter:
    """The threads in which passwords are looked at; AccessError when a crowd waits for them."""
    state = request.app.state
    if not hasattr(state, "login_threads"):
        state.login_threads = CapacityLimiter(LOGINS_AT_ONCE)
    limiter: CapacityLimiter = state.login_threads
    if limiter.statistics().tasks_waiting >= LOGINS_WAITING:
        raise AccessError("too many logins at once: try again", code="too_many_attempts", retry_after=5)
    return limiter
