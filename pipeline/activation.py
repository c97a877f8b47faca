"""Limits and policy in force: a file is a candidate, a row activates its hash.

The first start activates the files it writes. Afterwards a file that differs from its activated hash, or cannot
be read, changes nothing: with open positions the desk starts in safe mode on the activated text, without
positions the start-up stops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

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


def _latest(session: Session, kind: Kind) -> ActivationRow | None:
    query = select(ActivationRow).where(ActivationRow.kind == kind).order_by(col(ActivationRow.id).desc())
    return session.exec(query.limit(1)).first()


def candidate(store: Store, kind: Kind) -> Candidate:
    """Read a file of the home; written from the default when it is not there yet and nothing is activated."""
    path = store.home.config / f"{kind}.yaml"
    if not path.exists():
        with store.db.read() as session:
            known = _latest(session, kind)
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


def activate(store: Store, kind: Kind, *, principal: Principal, reason: str) -> ActivationRow:
    """Put the file of the home in force, after checking that it parses."""
    if not reason.strip():
        raise ConfigError("a reason is needed to put a file in force", code="no_reason")
    found = candidate(store, kind)
    version = _LOADERS[kind](found.text).version
    with store.db.write() as session:
        run = active_run(session)
        row = ActivationRow(
            kind=kind, version=version, sha256=found.sha256, body=found.text, principal=principal.name,
            activated_wall=now(),
        )  # fmt: skip
        session.add(row)
        append(
            session,
            Entry(
                kind=f"{kind}.activated", step="activate", desk_time=now(), stage=Stage.SYSTEM,
                content={"sha256": found.sha256, "version": version, "reason": reason, "principal": principal.name},
                envelope={"address": principal.address, "run": run.id if run else None},
            ),
        )  # fmt: skip
    return row


def in_force(store: Store, *, started: bool = False) -> InForce:
    """The activated limits and policy; ConfigError unless the files agree or positions are open (safe mode).

    A desk that was `started` already, or is in safe mode, stays there when its last position closes: to end then,
    and to be started again and again, would leave nobody to watch.
    """
    parsed: dict[Kind, tuple[Any, str]] = {}
    for kind, load in _LOADERS.items():
        with store.db.read() as session:
            row = _latest(session, kind)
            run = active_run(session)
            exposed = run is not None and bool(
                session.exec(select(PositionRow).where(PositionRow.run_id == run.id, PositionRow.quantity != 0)).first()
            )
        if row is None:
            row = activate(store, kind, principal=Principal("setup", "control"), reason="first start")
        try:
            found = candidate(store, kind)
            load(found.text)
            if found.sha256 != row.sha256:
                raise ConfigError(
                    f"{kind}.yaml differs from the activated version {row.version}: run "
                    f"`quarterdeck activate {kind} --reason ...` or restore it",
                    code=f"{kind}_not_activated",
                )
        except ConfigError as error:
            if not (exposed or started or store.reduce_only):
                raise
            if error.message not in store.reduce_only:
                store.reduce_only.append(error.message)
        parsed[kind] = (load(row.body), row.sha256)
    (limits, limits_sha), (policy, policy_sha) = parsed["limits"], parsed["policy"]
    return InForce(limits, limits_sha, policy, policy_sha)
