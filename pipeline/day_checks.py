"""The checks of a start and of an end of day: pure functions of the store and of what was last seen of the venue."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal

from sqlmodel import Session, col, func, select

from memory import ledger
from memory.heads import Head, read_heads
from memory.tables import (
    ApprovalRow,
    DelegationRow,
    FindingRow,
    OrderRow,
    OutcomeRow,
    PersonRow,
    PositionRow,
    RunRow,
    SignOffRow,
)
from pipeline.activation import in_force
from pipeline.book import equity_of, live_orders, open_positions
from pipeline.drills.report import last as last_drill
from pipeline.findings import still_open
from pipeline.halt_scope import in_force as halts_in_force
from pipeline.permissions import rank_of
from pipeline.store import Store, now
from tools.canonical import decimal_text
from tools.errors import ConfigError, LedgerError
from tools.execution.types import OrderState, VenueFacts
from tools.types import Frozen

State = Literal["ok", "warn", "fail"]
ENDING_SOON = timedelta(hours=24)


class DayCheck(Frozen):
    """One check: what was found, and what to do where it is not in order."""

    id: str
    state: State
    text: str
    remedy: str | None = None


def _check(check_id: str, bad: bool, good_text: str, bad_text: str, remedy: str, state: State = "fail") -> DayCheck:
    if bad:
        return DayCheck(id=check_id, state=state, text=bad_text, remedy=remedy)
    return DayCheck(id=check_id, state="ok", text=good_text)


def start_checks(store: Store, session: Session, run: RunRow, facts: VenueFacts | None) -> tuple[DayCheck, ...]:
    """What must be in order before a session opens. Raises nothing: what cannot be told fails its check."""
    return (
        _calendar(facts),
        _data_age(store, facts),
        _quality(facts),
        _law(store),
        _broker(facts),
        *_books_agree(run, session, facts),
        _unknown_orders(session, run, facts),
        _halts(store, session),
        _drill(session),
        _heads(store, session, "heads_published"),
        _people(store, session),
        _ledger(store, session, run),
    )


def end_checks(store: Store, session: Session, run: RunRow, facts: VenueFacts | None) -> tuple[DayCheck, ...]:
    """What must be in order when a session has closed."""
    return (
        _check(
            "session_closed", run.stage != "closed", "the session is closed", f"the session is still {run.stage}",
            "Wait until the engine has closed it.",
        ),
        _orders_rest(session, run),
        _fills(facts),
        *_books_agree(run, session, facts),
        _equity(session, run, facts),
        _protected(session, run, facts),
        _findings(session, run),
        _approvals(session, run),
        _outcomes(session, run),
        _heads(store, session, "head_exported"),
    )  # fmt: skip


_UNSEEN = "the engine has not looked at its venue yet"
_LOOK = "Start the desk, or ask again with `quarterdeck day`."


def _calendar(facts: VenueFacts | None) -> DayCheck:
    coming = None if facts is None else facts.next_session
    return _check(
        "calendar", coming is None, f"the next session is {coming}",
        _UNSEEN if facts is None else "the market has no further session", "Nothing can be traded; start a new run.",
    )  # fmt: skip


def _data_age(store: Store, facts: VenueFacts | None) -> DayCheck:
    if facts is None or facts.data_known_at is None:
        return DayCheck(id="data_age", state="fail", text="nothing is known of the data", remedy=_LOOK)
    hours = (facts.as_of - facts.data_known_at).total_seconds() / 3600
    try:
        limit = in_force(store).limits.max_data_age_hours
    except ConfigError as error:
        return DayCheck(id="data_age", state="fail", text=error.message, remedy="Restore the limits file.")
    return _check(
        "data_age", hours > limit, f"the newest bar is that of {facts.session}",
        f"the newest bar is {hours:.1f} hours older than the close, {limit} are allowed", "Check the collector.",
    )  # fmt: skip


def _quality(facts: VenueFacts | None) -> DayCheck:
    counts = {} if facts is None else facts.issues
    text = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "no issue"
    bad = facts is None or any(name != "info" for name in counts)
    state: State = "fail" if facts is None or "critical" in counts else "warn"
    return _check(
        "data_quality", bad, f"data quality: {text}", f"data quality: {text if facts else _UNSEEN}",
        "See the findings of the last close.", state,
    )  # fmt: skip


def _law(store: Store) -> DayCheck:
    try:
        law = in_force(store)
    except ConfigError as error:
        return DayCheck(id="law", state="fail", text=error.message, remedy="Restore or activate the file.")
    hashes = f"limits {law.limits_sha256[:12]} and policy {law.policy_sha256[:12]}"
    return _check(
        "law", bool(store.reduce_only), f"{hashes} are in force", "; ".join(store.reduce_only),
        "Restore or activate the file: the desk only reduces.",
    )  # fmt: skip


def _broker(facts: VenueFacts | None) -> DayCheck:
    silent = facts is None or facts.error is not None
    why = _UNSEEN if facts is None else f"{facts.broker} did not answer: {facts.error}"
    name = "" if facts is None else facts.broker
    return _check("broker", silent, f"{name} answers", why, "See `quarterdeck doctor`.")


def _books_agree(run: RunRow, session: Session, facts: VenueFacts | None) -> tuple[DayCheck, DayCheck]:
    """Our positions and cash against the broker's."""
    if facts is None or facts.cash is None:
        unseen = {"state": "fail", "text": _UNSEEN if facts is None else "the broker was silent", "remedy": _LOOK}
        return DayCheck.model_validate({"id": "positions", **unseen}), DayCheck.model_validate({"id": "cash", **unseen})
    ours = {row.symbol: row.quantity for row in open_positions(session, run.id)}
    theirs = facts.positions
    differ = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    shown = ", ".join(f"{name} {ours.get(name, 0)} against {theirs.get(name, 0)}" for name in differ[:5])
    remedy = "Find the missing fill or order before anything new is opened."
    return (
        _check(
            "positions", bool(differ), f"{len(ours)} positions as at the broker", f"here and there: {shown}", remedy
        ),
        _check(
            "cash", run.cash != facts.cash, f"cash {decimal_text(run.cash)} as at the broker",
            f"cash is {decimal_text(run.cash)} here and {decimal_text(facts.cash)} at the broker", remedy,
        ),
    )  # fmt: skip


def _unknown_orders(session: Session, run: RunRow, facts: VenueFacts | None) -> DayCheck:
    unknown = [row.client_order_id for row in live_orders(session, run.id) if row.state == OrderState.UNKNOWN.value]
    seen = [] if facts is None else [item.client_order_id for item in facts.orders]
    known = set(session.exec(select(OrderRow.client_order_id).where(col(OrderRow.client_order_id).in_(seen))).all())
    strange = unknown + [name for name in seen if name not in known]
    return _check(
        "unknown_orders", bool(strange), "every order is known", f"{len(strange)} unknown orders: {strange[0:3]}",
        "Ask the broker what became of them; their symbols stay blocked.",
    )  # fmt: skip


def _halts(store: Store, session: Session) -> DayCheck:
    rows = halts_in_force(session)
    halted = bool(rows) or store.home.halt_file.exists()
    why = "; ".join(f"{row.scope} {row.action} by {row.principal}" for row in rows) or "the HALT file is in the home"
    return _check("halts", halted, "nothing is halted", why, "Release with a reason, or leave the desk stopped.")


def _drill(session: Session) -> DayCheck:
    """When controls and halts were last provoked; a note, for a desk may open without."""
    try:
        known = last_drill(session)
    except LedgerError as error:
        return DayCheck(id="drill", state="fail", text=error.message, remedy="Run `quarterdeck ledger verify`.")
    if known is None:
        return DayCheck(id="drill", state="ok", text="no drill yet: see `quarterdeck drill`")
    silent, lines = known.report.silent, len(known.report.lines)
    told = f"drill of {known.at:%Y-%m-%d}: {lines - len(silent)} of {lines} fired"
    remedy = "Run `quarterdeck drill` again, and do not rely on what did not fire."
    return _check("drill", bool(silent), told, f"{told}, not {', '.join(silent[:5])}", remedy, "warn")


def _heads(store: Store, session: Session, check_id: str) -> DayCheck:
    seq, _ = ledger.head(session)
    signed = [
        max((item.seq for item in read_heads(path) if isinstance(item, Head)), default=0) for path in store.heads_files
    ]
    behind = seq - min(signed)
    text = f"record {min(signed)} of {seq} is signed in {len(signed)} places"
    return _check(
        check_id, behind > 0, text, text, "It is published with the next session, decision or sign-off.",
        "fail" if min(signed) == 0 else "warn",
    )  # fmt: skip


def _people(store: Store, session: Session) -> DayCheck:
    """Somebody who may approve, and no delegation about to end. In replay the local operator may."""
    able = [
        row.name
        for row in session.exec(select(PersonRow).where(col(PersonRow.disabled_wall).is_(None))).all()
        if rank_of(row.role) >= rank_of("approver")
    ]
    at = now()
    ending = session.exec(
        select(DelegationRow).where(
            col(DelegationRow.ended_wall).is_(None), DelegationRow.starts_wall <= at, DelegationRow.ends_wall > at,
            DelegationRow.ends_wall <= at + ENDING_SOON,
        )
    ).all()  # fmt: skip
    if not able and (store.settings.mode != "replay" or store.settings.exposed):
        return DayCheck(id="people", state="fail", text="nobody may approve", remedy="Add an approver.")
    who = ", ".join(sorted(able)) or "the local operator"
    soon = ", ".join(f"{row.giver} to {row.delegate} until {row.ends_wall:%Y-%m-%d %H:%MZ}" for row in ending)
    return _check(
        "people", bool(ending), f"may approve: {who}", f"may approve: {who}; ending soon: {soon}",
        "Renew the delegation or name another delegate.", "warn",
    )  # fmt: skip


def _ledger(store: Store, session: Session, run: RunRow) -> DayCheck:
    found = store.verify_ledger()
    last = session.exec(select(func.max(col(SignOffRow.ledger_seq))).where(SignOffRow.run_id == run.id)).one() or 0
    since = found.entries - last
    why = "; ".join(item.message for item in found.problems[:3])
    return _check(
        "ledger_verified", not found.verified, f"{since} records since the last sign-off, all verified", why,
        "Stop, and compare the ledger with the signed heads outside the home.",
    )  # fmt: skip


def _orders_rest(session: Session, run: RunRow) -> DayCheck:
    moving = [row for row in live_orders(session, run.id) if row.leg != "stop"]
    shown = ", ".join(f"{row.symbol} {row.leg} {row.state}" for row in moving[:5])
    return _check(
        "orders_ended", bool(moving), "all orders ended but resting stops", f"still live: {shown}",
        "Cancel them or ask the broker what became of them.",
    )  # fmt: skip


def _fills(facts: VenueFacts | None) -> DayCheck:
    text = _UNSEEN if facts is None else f"{facts.unbooked} fills of the broker are not booked"
    return _check("fills", facts is None or facts.unbooked > 0, "every fill is booked", text, _LOOK)


def _equity(session: Session, run: RunRow, facts: VenueFacts | None) -> DayCheck:
    own = equity_of(session, run)
    if facts is None or facts.cash is None:
        return DayCheck(id="equity", state="fail", text=_UNSEEN, remedy=_LOOK)
    marks = {
        row.symbol: row.mark for row in session.exec(select(PositionRow).where(PositionRow.run_id == run.id)).all()
    }
    theirs = facts.cash + sum((marks.get(name, Decimal(0)) * q for name, q in facts.positions.items()), Decimal(0))
    return _check(
        "equity", own != theirs, f"equity {decimal_text(own)} in both books at our marks",
        f"equity is {decimal_text(own)} here and {decimal_text(theirs)} by the broker's book",
        "Reconcile positions and cash first.",
    )  # fmt: skip


def _protected(session: Session, run: RunRow, facts: VenueFacts | None) -> DayCheck:
    """Every position has a stop resting at the broker for all of it."""
    resting: dict[str, int] = {}
    for order in () if facts is None else facts.orders:
        if order.order_type == "stop":
            left = order.quantity - order.filled_quantity
            resting[order.symbol] = resting.get(order.symbol, 0) + (left if order.side == "sell" else -left)
    held = open_positions(session, run.id)
    bare = [row.symbol for row in held if abs(resting.get(row.symbol, 0)) < abs(row.quantity)]
    return _check(
        "protected", bool(bare), f"{len(held)} positions, each with its stop at the broker",
        f"without a full stop at the broker: {', '.join(bare[:8])}", "Place a stop or close the position.",
    )  # fmt: skip


def _findings(session: Session, run: RunRow) -> DayCheck:
    rows = session.exec(
        select(FindingRow.severity, FindingRow.code)
        .where(FindingRow.run_id == run.id, still_open(now()))
        .order_by(FindingRow.severity, FindingRow.code)
    ).all()
    serious = [code for severity, code in rows if severity != "info"]
    listed = ", ".join(dict.fromkeys(serious))
    return _check(
        "findings", bool(serious), f"{len(rows)} findings open, none serious",
        f"{len(rows)} findings open, {len(serious)} of them serious: {listed}", "Read and acknowledge them.", "warn",
    )  # fmt: skip


def _approvals(session: Session, run: RunRow) -> DayCheck:
    pending = session.exec(
        select(ApprovalRow).where(ApprovalRow.run_id == run.id, ApprovalRow.status == "pending")
    ).all()
    at = now()
    over = [
        row
        for row in pending
        if row.expires_index <= run.session_index or (row.expires_wall is not None and row.expires_wall <= at)
    ]
    return _check(
        "approvals", bool(over), f"{len(pending)} questions wait, none beyond its time",
        f"{len(over)} questions wait beyond their time", "They expire with the next look of the watch loop.",
    )  # fmt: skip


def _outcomes(session: Session, run: RunRow) -> DayCheck:
    query = select(func.count()).select_from(OutcomeRow)
    due = session.exec(
        query.where(OutcomeRow.run_id == run.id, ~col(OutcomeRow.settled), OutcomeRow.due_index <= run.session_index)
    ).one()
    return _check(
        "outcomes", due > 0, "every outcome that was due is settled", f"{due} outcomes are due and not settled",
        "Let the engine finish the session.",
    )  # fmt: skip
