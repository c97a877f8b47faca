"""Halts that controls engage, at each close on the desk clock, so that a replay engages the same ones.

Deterministic controls look at the book and the broker. A finding that recommends a halt engages one only through
the control `finding`: critical, resting on evidence that is kept and none of it tainted, and no more often than the
limits file allows (P13: poisoned news cannot stop the firm at will). Each such halt has an end; a person may keep it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import EvidenceRow, HaltRow, LedgerRow, OrderRow, RunRow
from pipeline.book import equity_of, open_positions
from pipeline.halt import Ending, write
from pipeline.halt_scope import Action, Scope, in_force
from pipeline.store import Principal, now
from tools.canonical import stable_id
from tools.execution.types import OrderState
from tools.risk.types import Limits
from tools.types import Finding

FINDING = "finding"


class Alarm(NamedTuple):
    """What a control found beyond its limit, and what it wants stopped."""

    control: str
    action: Action
    reason: str
    scope: Scope = "firm"
    target: str | None = None
    cause: str | None = None


class Seen(NamedTuple):
    """What the controls look at beside the book: age of the newest data, and the broker's own positions."""

    data_age_hours: float
    broker_positions: dict[str, int]


def consider(
    session: Session, run: RunRow, limits: Limits, seen: Seen, findings: Iterable[Finding], as_of: datetime
) -> tuple[HaltRow, ...]:
    """Engage what the controls and the findings of this close call for, in the caller's transaction."""
    engaged = [_engage(session, run, limits, alarm, as_of) for alarm in alarms(session, run, limits, seen)]
    for finding in findings:
        if finding.recommends_halt:
            engaged.append(_on_finding(session, run, limits, finding, as_of))
    return tuple(row for row in engaged if row is not None)


def alarms(session: Session, run: RunRow, limits: Limits, seen: Seen) -> tuple[Alarm, ...]:
    """Every deterministic control that is beyond its limit; at the limit is within it."""
    equity = equity_of(session, run)
    held = {row.symbol: row.quantity for row in open_positions(session, run.id)}
    loss = _fall(equity, run.day_start_equity)
    fall = _fall(equity, run.peak_equity)
    breaks = sorted(
        symbol
        for symbol in held.keys() | seen.broker_positions.keys()
        if held.get(symbol, 0) != seen.broker_positions.get(symbol, 0)
    )
    unknown = len(
        session.exec(
            select(OrderRow.client_order_id).where(
                OrderRow.run_id == run.id, OrderRow.state == OrderState.UNKNOWN.value
            )
        ).all()
    )
    rules = limits.halts
    found = (
        (loss > limits.max_daily_loss, Alarm(
            "daily_loss", "reduce_only", f"the day's loss is {loss}, beyond {limits.max_daily_loss} of equity")),
        (fall > limits.max_drawdown, Alarm(
            "drawdown", "reduce_only", f"the drawdown is {fall}, beyond {limits.max_drawdown} of the peak")),
        (len(breaks) > rules.max_book_breaks, Alarm(
            "book_break", "no_new", f"our book and the broker's disagree in {', '.join(breaks[:10])}")),
        (unknown > rules.max_unknown_orders, Alarm(
            "unknown_orders", "no_new", f"{unknown} orders are in doubt, more than {rules.max_unknown_orders}")),
        (bool(held) and seen.data_age_hours > limits.max_data_age_hours, Alarm(
            "data_dead", "no_new",
            f"data are {seen.data_age_hours:.1f} hours old with positions open, beyond {limits.max_data_age_hours}")),
    )  # fmt: skip
    return tuple(alarm for beyond, alarm in found if beyond)


def _fall(equity: Decimal, before: Decimal) -> Decimal:
    """Loss as a fraction of what there was, 0 for none; all of it where there was nothing."""
    if before <= 0:
        return Decimal(1)
    return max(Decimal(0), 1 - equity / before).quantize(Decimal("0.000001"))


def _engage(session: Session, run: RunRow, limits: Limits, alarm: Alarm, as_of: datetime) -> HaltRow | None:
    """Engage unless this control's halt of the same scope stands already."""
    source = f"control:{alarm.control}"
    if any((row.source, row.scope, row.target) == (source, alarm.scope, alarm.target) for row in in_force(session)):
        return None
    rules = limits.halts
    length = rules.finding_sessions if alarm.control == FINDING else rules.control_sessions
    return write(
        session, action=alarm.action, reason=alarm.reason, principal=Principal(source, "control"), scope=alarm.scope,
        target=alarm.target, source=source, cause=alarm.cause, desk_time=as_of,
        ending=Ending(run.session_index + length, now() + timedelta(minutes=rules.control_minutes)),
        halt_id=stable_id("halt", run.id, source, alarm.scope, alarm.target, run.session_index),
    )  # fmt: skip


def _on_finding(session: Session, run: RunRow, limits: Limits, finding: Finding, as_of: datetime) -> HaltRow | None:
    """A finding that stands may call again in a later session, once its halt has ended; never twice in one."""
    now_engaged = HaltRow.engaged_index == run.session_index
    if session.exec(select(HaltRow).where(HaltRow.cause == finding.id, now_engaged)).first() is not None:
        return None
    refused = _why_not(session, run, limits, finding)
    if refused is None:
        return _engage(
            session, run, limits,
            Alarm(
                FINDING, "no_new", f"{finding.code}: {finding.message}"[:500], "symbol" if finding.symbol else "firm",
                finding.symbol, finding.id,
            ),
            as_of,
        )  # fmt: skip
    step = f"halt.not_engaged:{finding.id}"
    if session.exec(select(LedgerRow.seq).where(LedgerRow.run_id == run.id, LedgerRow.step == step)).first():
        return None
    append(
        session,
        Entry(
            kind="halt.not_engaged", step=step, run_id=run.id, desk_time=as_of,
            stage=Stage.HALT, content={"finding": finding.id, "why": refused},
        ),
    )  # fmt: skip
    return None


def _why_not(session: Session, run: RunRow, limits: Limits, finding: Finding) -> str | None:
    """Why a finding may not stop anything; None when it may."""
    if finding.severity != "critical":
        return "only a critical finding may"
    rows = session.exec(select(EvidenceRow).where(col(EvidenceRow.id).in_(finding.evidence_ids))).all()
    if not rows or len(rows) < len(set(finding.evidence_ids)):
        return "its evidence is not kept"
    if any(row.body.taint for row in rows):
        return "its evidence is tainted"
    rules = limits.halts
    since = run.session_index - rules.finding_window_sessions
    spent = session.exec(
        select(HaltRow).where(HaltRow.run_id == run.id, HaltRow.source == f"control:{FINDING}")
    ).all()  # fmt: skip
    recent = [row for row in spent if row.engaged_index is None or row.engaged_index > since]
    if len(recent) >= rules.findings_per_window:
        return f"findings have engaged {len(recent)} halts in {rules.finding_window_sessions} sessions already"
    return None
