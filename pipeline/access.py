"""Who is asking: an API key, a person's session, or in replay on this machine the local operator.

The local operator is whoever holds the home's token. They exist only in replay, only while no other machine can
reach the desk, and under the policy profile `desk` only until there is an admin who can let people in.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from functools import lru_cache

from sqlmodel import Session, col, select

from memory.tables import ActivationRow
from pipeline import api_keys, authority, logins
from pipeline.policy import default_policy_text, load_policy
from pipeline.roles import SCOPES_OF, Identity, Role, local_operator, reaches
from pipeline.standing import confirm, has_admin
from pipeline.store import Store, now
from tools.errors import AccessError, ConfigError

HELP = "log in, or send an API key as `Authorization: Bearer qdk_...`"


def identify(
    store: Store, *, bearer: str | None, cookie: str | None, address: str | None, active: bool = False
) -> Identity:
    """Whom a request speaks for; AccessError unauthorized or session_locked.

    A header that is there decides alone: a wrong one is not rescued by a good cookie.
    """
    if bearer is not None:
        return _by_bearer(store, bearer, address)
    if cookie and cookie.startswith(logins.PREFIX):
        return logins.resume(store, cookie, address, active=active)
    if cookie and same(cookie, session_value(store.home.token())):
        return _as_local_operator(store, address)
    raise AccessError(f"nobody is logged in: open the desk's start page, {HELP}", code="unauthorized")


def recheck(store: Store, identity: Identity, cookie: str | None) -> None:
    """Look again at a connection that stays open; AccessError when it may not go on."""
    if identity.kind == "local_operator":
        _as_local_operator(store, identity.address)
    elif cookie and cookie.startswith(logins.PREFIX):
        logins.resume(store, cookie, identity.address, active=False)
    else:
        with store.db.read() as session:
            confirm(session, identity.principal(), "viewer")


def may_by_loan(store: Store, identity: Identity, role: Role) -> bool:
    """True when somebody lends this person at least `role` now; a key that was narrowed is good for none of it."""
    if identity.kind != "person" or not identity.scopes >= SCOPES_OF[identity.role]:
        return False
    with store.db.read() as session:
        return any(reaches(loan.role, role) for loan in authority.loans(session, identity.name, now()))


def loans_to(store: Store, identity: Identity) -> tuple[authority.Loan, ...]:
    """Whose role this person may use just now, the highest first."""
    if identity.kind != "person":
        return ()
    with store.db.read() as session:
        return authority.loans(session, identity.name, now())


def why_no_local_operator(store: Store, address: str | None) -> str | None:
    """Why the home's token opens nothing here; None when it does."""
    settings = store.settings
    if settings.mode != "replay":
        return f"a {settings.mode} desk knows no local operator"
    if settings.exposed or not _is_here(address):
        return "the local operator exists only where no other machine can reach the desk"
    with store.db.read() as session:
        if _profile(session) != "single_operator" and has_admin(session):
            return "under the policy profile desk there is no local operator"
    return None


def session_value(token: str) -> str:
    """What the local operator's cookie carries: derived, so that the home's token itself never enters a browser."""
    return hmac.new(token.encode(), b"quarterdeck browser session v1", hashlib.sha256).hexdigest()


def same(given: str, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())


def _by_bearer(store: Store, bearer: str, address: str | None) -> Identity:
    if bearer.startswith(api_keys.PREFIX):
        with store.db.read() as session:
            found = api_keys.identify(session, bearer, address)
        if found is None:
            raise AccessError("this API key is wrong or revoked, or its person is disabled", code="unauthorized")
        return found
    if not same(bearer, store.home.token()):
        raise AccessError(
            "the Authorization header carries neither an API key nor this desk's token: `quarterdeck token`",
            code="unauthorized",
        )
    return _as_local_operator(store, address)


def _as_local_operator(store: Store, address: str | None) -> Identity:
    why = why_no_local_operator(store, address)
    if why is not None:
        raise AccessError(f"{why}: {HELP}; the command line takes QUARTERDECK_API_KEY", code="unauthorized")
    return local_operator(address)


def _is_here(address: str | None) -> bool:
    """False when the address is another machine's. A transport without addresses is in this process."""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return True


def _profile(session: Session) -> str:
    query = select(ActivationRow.body).where(ActivationRow.kind == "policy").order_by(col(ActivationRow.id).desc())
    body = session.exec(query.limit(1)).first()
    return _profile_in(default_policy_text() if body is None else body)


@lru_cache(maxsize=8)
def _profile_in(text: str) -> str:
    """The profile of a policy; one that cannot be read gives the strict one."""
    try:
        return load_policy(text).profile
    except ConfigError:
        return "desk"
