"""Strategies: how often each went out without a person, and enabling one that disabled itself."""

from __future__ import annotations

from sqlmodel import Session

from memory.ledger import Entry, Stage, append
from memory.tables import StrategyRow
from pipeline.activation import InForce, in_force
from pipeline.approvals import clean_reason
from pipeline.flow import automatic_executions
from pipeline.standing import confirm
from pipeline.store import Principal, Store, now, require_run
from tools.errors import ApprovalError
from tools.strategy.generators import reversion, trend
from tools.types import Frozen

NAMES = (reversion.STRATEGY, trend.STRATEGY)


class StrategyView(Frozen):
    """One strategy. `enabled` is false once its automatic executions reached the limit."""

    name: str
    maturity: str
    automatic_executions: int
    limit: int
    enabled: bool
    enabled_by: str | None = None
    enable_reason: str | None = None


def list_strategies(store: Store) -> tuple[StrategyView, ...]:
    """Every strategy of the desk, by name."""
    law = in_force(store)
    with store.db.read() as session:
        return tuple(_view(session, law, name) for name in NAMES)


def enable(store: Store, name: str, *, principal: Principal, reason: str) -> StrategyView:
    """Let a strategy that disabled itself go on: its count begins anew. Only a named risk officer.

    ApprovalError: unknown (no such strategy), invalid (it is enabled, or no reason), role.
    """
    text = clean_reason(reason)
    if name not in NAMES:
        raise ApprovalError(f"there is no strategy {name!r}: known are {', '.join(NAMES)}", code="unknown")
    if principal.kind != "person":
        raise ApprovalError("only a person enables a strategy", code="role")
    law = in_force(store)
    with store.db.write() as session:
        confirm(session, principal, needed="risk_officer")
        run = require_run(session)
        before = _view(session, law, name)
        if before.enabled:
            raise ApprovalError(f"{name} is enabled: there is nothing to do", code="invalid")
        row = session.get(StrategyRow, (run.id, name)) or StrategyRow(
            run_id=run.id, name=name, executions=0, enabled_by="", reason="", enabled_wall=now()
        )
        row.executions += before.automatic_executions
        row.enabled_by, row.reason, row.enabled_wall = principal.name, text, now()
        session.add(row)
        session.flush()
        append(
            session,
            Entry(
                kind="strategy.enabled", step=f"strategy:{run.id}:{name}:{row.executions}", stage=Stage.SYSTEM,
                desk_time=now(),
                content={"strategy": name, "principal": principal.name, "reason": text, "executions": row.executions},
                envelope={"address": principal.address, "session": principal.session_id},
            ),
        )  # fmt: skip
        view = _view(session, law, name)
    store.publish_head()
    return view


def _view(session: Session, law: InForce, name: str) -> StrategyView:
    run = require_run(session)
    count = automatic_executions(session, run.id).get(name, 0)
    limit = law.limits.max_automatic_executions
    row = session.get(StrategyRow, (run.id, name))
    return StrategyView(
        name=name, maturity=law.policy.maturity.get(name, "trial"), automatic_executions=count, limit=limit,
        enabled=count < limit, enabled_by=row.enabled_by if row else None, enable_reason=row.reason if row else None,
    )  # fmt: skip
