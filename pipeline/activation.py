"""Limits and policy in force: a file is a candidate, a row activates its hash.

The first start activates the files it writes. Afterwards only rows say what is in force. At a start a file that is no
longer the activated one, or cannot be read, is trouble: with open positions the desk runs reduce-only on the activated
text; without, a desk that people can reach does so for a sound file, which becomes a case, and anything else stops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel
from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import ActivationRow, PositionRow
from pipeline.policy import Policy, default_policy_text, load_policy
from pipeline.store import Principal, Store, active_run, now
from tools.canonical import sha256_hex
from tools.errors import ConfigError
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import Limits

Kind = Literal["limits", "policy"]
_LOADERS: dict[Kind, Callable[[str], Any]] = {"limits": load_limits, "policy": load_policy}
_DEFAULTS: dict[Kind, Callable[[], str]] = {"limits": default_limits_text, "policy": default_policy_text}
KINDS: tuple[Kind, ...] = tuple(_LOADERS)


@dataclass(frozen=True)
class InForce:
    """The limits and policy that decisions name by hash."""

    limits: Limits
    limits_sha256: str
    policy: Policy
    policy_sha256: str


class Candidate(NamedTuple):
    text: str
    sha256: str


@lru_cache(maxsize=16)
def parse(kind: Kind, text: str) -> Limits | Policy:
    """Parse a limits or policy text and run the tests it carries; ConfigError says what is wrong."""
    parsed: Limits | Policy = _LOADERS[kind](text)
    return parsed


def latest(session: Session, kind: Kind) -> ActivationRow | None:
    """The row that is in force; None before the first start."""
    query = select(ActivationRow).where(ActivationRow.kind == kind).order_by(col(ActivationRow.id).desc())
    return session.exec(query.limit(1)).first()


def candidate(store: Store, kind: Kind) -> Candidate:
    """Read a file of the home; written from the default when it is not there yet and nothing is activated."""
    path = store.home.config / f"{kind}.yaml"
    if not path.exists():
        with store.db.read() as session:
            known = latest(session, kind)
        if known is not None:
            raise ConfigError(
                f"{path} is gone: put it back, its activated hash is {known.sha256[:12]}", code=f"no_{kind}"
            )
        path.write_text(_DEFAULTS[kind](), encoding="utf-8")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", code=f"unreadable_{kind}") from None
    return Candidate(text, sha256_hex(text.encode()))


def activate(store: Store, kind: Kind, *, principal: Principal, reason: str, shipped: bool = False) -> ActivationRow:
    """Put the file of the home in force at once, after checking that it parses. For a desk that is stopped.

    `shipped` puts the file that comes with this version in its place first; the old one stays as `<kind>.yaml.before`.
    """
    if not reason.strip():
        raise ConfigError("a reason is needed to put a file in force", code="no_reason")
    if shipped:
        path = store.home.config / f"{kind}.yaml"
        if path.exists():
            path.replace(path.with_suffix(".yaml.before"))
        path.write_text(_DEFAULTS[kind](), encoding="utf-8")
    found = candidate(store, kind)
    parse(kind, found.text)
    with store.db.write() as session:
        return put_in_force(session, kind, found.text, principal=principal, content={"reason": reason})


def put_in_force(
    session: Session, kind: Kind, text: str, *, principal: Principal, content: Mapping[str, Any]
) -> ActivationRow:
    """Activate a text in the caller's transaction and record it."""
    row = ActivationRow(
        kind=kind, version=parse(kind, text).version, sha256=sha256_hex(text.encode()), body=text,
        principal=principal.name, activated_wall=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    run = active_run(session)
    append(
        session,
        Entry(
            kind=f"{kind}.activated", step="activate", desk_time=now(), stage=Stage.SYSTEM,
            content={"sha256": row.sha256, "version": row.version, "principal": principal.name, **content},
            envelope={"address": principal.address, "run": run.id if run else None},
        ),
    )  # fmt: skip
    return row


def in_force(store: Store) -> InForce:
    """The activated limits and policy; the first call in a home activates its files."""
    for kind in KINDS:
        with store.db.read() as session:
            known = latest(session, kind)
        if known is None:
            activate(store, kind, principal=Principal("setup", "control"), reason="first start")
    with store.db.read() as session:
        return read_law(session)


def read_law(session: Session) -> InForce:
    """The activated limits and policy as this transaction sees them; ConfigError(no_law) before the first start."""
    limits, policy = latest(session, "limits"), latest(session, "policy")
    if limits is None or policy is None:
        raise ConfigError("no limits and policy are in force yet: start the desk once", code="no_law")
    return InForce(_limits(limits.body), limits.sha256, _policy(policy.body), policy.sha256)


def newest(session: Session, law: InForce) -> InForce:
    """The law given, or what replaced it by now."""
    limits, policy = latest(session, "limits"), latest(session, "policy")
    stands = (limits and limits.sha256, policy and policy.sha256) == (law.limits_sha256, law.policy_sha256)
    return law if stands or limits is None or policy is None else read_law(session)


def _in_force(kind: Kind, text: str) -> BaseModel:
    """What an activated text says; ConfigError(law_outdated) when this version of the desk wants more of it."""
    try:
        return parse(kind, text)
    except ConfigError as error:
        raise ConfigError(
            f"the {kind} in force were written for another version of the desk ({error.message}): stop the desk and "
            f"run `quarterdeck activate {kind} --shipped --reason ...`, or complete {kind}.yaml and activate it",
            code="law_outdated",
        ) from None


def _limits(text: str) -> Limits:
    parsed = _in_force("limits", text)
    assert isinstance(parsed, Limits)
    return parsed


def _policy(text: str) -> Policy:
    parsed = _in_force("policy", text)
    assert isinstance(parsed, Policy)
    return parsed


def trouble_with(store: Store, kind: Kind) -> ConfigError | None:
    """Why the file of the home is not the law in force; None when it is. A sound one has `{kind}_not_activated`."""
    with store.db.read() as session:
        row = latest(session, kind)
    try:
        found = candidate(store, kind)
        parse(kind, found.text)
    except ConfigError as error:
        return error
    if row is not None and found.sha256 != row.sha256:
        return ConfigError(
            f"{kind}.yaml differs from the activated version {row.version}: run "
            f"`quarterdeck activate {kind} --reason ...`, approve its case or restore it",
            code=f"{kind}_not_activated",
        )
    return None


def at_start(store: Store, *, attended: bool = False, started: bool = False) -> InForce:
    """The law in force, after holding the files of the home against it.

    `attended` says that people can reach this desk and decide the case that a changed file becomes. A desk that was
    `started` already, or is in safe mode, stays there when its last position closes: to end then, and to be started
    again and again, would leave nobody to watch. ConfigError when the desk must not start; else every trouble is a
    reason in `store.reduce_only`.
    """
    law = in_force(store)
    with store.db.read() as session:
        run = active_run(session)
        exposed = run is not None and bool(
            session.exec(select(PositionRow).where(PositionRow.run_id == run.id, PositionRow.quantity != 0)).first()
        )
    for kind in KINDS:
        error = trouble_with(store, kind)
        if error is None:
            continue
        if not (exposed or started or store.reduce_only or (attended and error.code == f"{kind}_not_activated")):
            raise error
        if error.message not in store.reduce_only:
            store.reduce_only.append(error.message)
            store.law_trouble.append(error.message)
    return law


def look_again(store: Store) -> bool:
    """Drop the reasons of the start that no longer hold; True when some went. A file changed later gives no reason."""
    if not store.law_trouble:
        return False
    still = {error.message for kind in KINDS if (error := trouble_with(store, kind)) is not None}
    gone = {reason for reason in store.law_trouble if reason not in still}
    store.law_trouble[:] = [reason for reason in store.law_trouble if reason not in gone]
    store.reduce_only[:] = [reason for reason in store.reduce_only if reason not in gone]
    return bool(gone)
