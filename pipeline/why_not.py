"""Why a case was not carried out: the reason, who took its place, what would have changed it, what became of it.

Read from the tables and the recordings of its cycle and computed again on the way; no model, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sqlmodel import Session, col, select

from agents.coordinator.output import REASON_WORDS
from memory.columns import Damaged
from memory.recordings import load_blob
from memory.tables import ActivationRow, CaseRow, DecisionRow, OutcomeRow, RecordingRow, RunRow
from pipeline import alternatives
from pipeline.feed import market_of
from pipeline.overrides import override_of
from pipeline.store import Store
from tools.canonical import round_float
from tools.errors import ApprovalError
from tools.risk.control import label
from tools.risk.counterfactuals import counterfactuals
from tools.risk.limits import load_limits
from tools.risk.types import Check, Counterfactual, MarketView, PortfolioView
from tools.strategy.views import last_close, view_returns
from tools.types import ORDER_KINDS, CaseState, Frozen, Outcome, Proposal, Review, ReviewReason

REFUSED = frozenset({
    CaseState.NOT_SELECTED, CaseState.BLOCKED, CaseState.REJECTED, CaseState.EXPIRED, CaseState.VOIDED,
    CaseState.SUPERSEDED, CaseState.CANCELLED,
})  # fmt: skip
ADVICE_RULE = "tighter_advice_wins"
_SHOWN = 3


class Rival(Frozen):
    """A case that was taken in its place. `rank` counts from one; `state` is that of today, None in a report."""

    case_id: str
    symbol: str
    strategy: str
    rank: int
    state: str | None


class SoFar(Frozen):
    """What a view has returned up to a session before its horizon, as fractions."""

    session: str
    view_return: float
    excess_return: float


class WhyNot(Frozen):
    """Why one case was not carried out. `sentences` say all of it in words, in reading order.

    `rank` counts from one among the `proposals` of its cycle. `taken_by` are the cases that took the places, or the one
    that stood in its way. `override` says whether a person may still let it past what blocked it.
    """

    case_id: str
    symbol: str
    side: str
    strategy: str
    opened: str
    state: str
    reason: str | None
    because: str
    rank: int
    proposals: int
    taken_by: tuple[Rival, ...]
    last_selected: Rival | None
    verdict: str
    reasons: tuple[ReviewReason, ...]
    blocking: tuple[Check, ...]
    changes: tuple[Counterfactual, ...]
    override: Literal["possible", "asked", "none"]
    outcome: Outcome | None
    so_far: SoFar | None
    evidence_ids: tuple[str, ...]
    sentences: tuple[str, ...]


def why_not(store: Store, case_id: str, *, today: bool = True) -> WhyNot:
    """Answer for one case; ApprovalError: unknown, invalid (it was not refused, it is no order, it is damaged).

    Without `today` nothing in the answer depends on how far the run has come since: what a permanent report needs.
    """
    with store.db.read() as session:
        case = session.get(CaseRow, case_id)
        if case is None:
            raise ApprovalError(f"there is no case {case_id}", code="unknown")
        if CaseState(case.state) not in REFUSED or case.kind not in ORDER_KINDS or isinstance(case.body, Damaged):
            raise ApprovalError(
                f"case {case_id} is {case.state}: only an order that was refused has a why not, read its explanation",
                code="invalid",
            )
        run = session.get_one(RunRow, case.run_id)
        outcome = session.exec(select(OutcomeRow).where(OutcomeRow.case_id == case_id)).first()
    so_far = _so_far(store, run, outcome) if today and outcome is not None and not outcome.settled else None
    over = None if not today else not run.active or case.opened_index != run.session_index or run.stage != "closed"
    with store.db.read() as session:
        return _answer(session, case, outcome.body if outcome else None, so_far, over)


def _answer(
    session: Session, case: CaseRow, outcome: Outcome | None, so_far: SoFar | None, over: bool | None
) -> WhyNot:
    cycle = session.exec(select(CaseRow).where(CaseRow.cycle_id == case.cycle_id).order_by(col(CaseRow.rank))).all()
    taken = _taken_by(session, case, cycle, today=over is not None)
    review = Review.model_validate(case.review)
    blocking = tuple(
        check
        for check in map(Check.model_validate, case.checks or ())
        if check.verdict == "block" and case.state == CaseState.BLOCKED.value
    )
    said = session.exec(select(DecisionRow).where(DecisionRow.case_id == case.id).order_by(col(DecisionRow.id))).all()
    asked = override_of(session, case.id)
    made = WhyNot(
        case_id=case.id, symbol=case.symbol, side=case.side, strategy=case.strategy, opened=case.opened.isoformat(),
        state=case.state, reason=case.reason, because=_because(session, case, said), rank=case.rank + 1,
        proposals=len(cycle), taken_by=taken,
        last_selected=taken[-1] if taken and case.reason in alternatives.FOR_WANT_OF_PEOPLE else None,
        verdict=review.verdict, reasons=review.reasons, blocking=blocking,
        changes=_changes(session, case, len(taken), blocking),
        override="asked" if asked else "possible" if blocking and not any(c.hard for c in blocking) else "none",
        outcome=outcome, so_far=so_far, evidence_ids=case.order.evidence_ids, sentences=(),
    )  # fmt: skip
    return made.model_copy(update={"sentences": tuple(_sentences(made, case.order, over))})


def _because(session: Session, case: CaseRow, said: Iterable[DecisionRow]) -> str:
    refusals = [row for row in said if row.decision == "reject"]
    if refusals:
        return f"{refusals[-1].principal} rejected it: {refusals[-1].reason}"
    if case.state == CaseState.EXPIRED.value:
        return "nobody answered in time"
    if case.reason == "advised_to_wait":
        return f"{REASON_WORDS[case.reason]}; the rules would have asked it ({_advice(session, case)})"
    return REASON_WORDS.get(case.reason or "", case.reason or "no reason is on record")


def _advice(session: Session, case: CaseRow) -> str:
    """What the coordinator's model said of a case, in the code of its closed answer."""
    row = session.exec(
        select(RecordingRow).where(RecordingRow.cycle_id == case.cycle_id, RecordingRow.call == "coordinator.plan")
    ).first()
    conflicts = load_blob(session, row.output_sha256)["conflicts"] if row is not None else []
    kept = [item["kept"] for item in conflicts if (item["rule"], item["symbol"]) == (ADVICE_RULE, case.symbol)]
    return kept[0].replace("_", " ") if kept else "its reason is not on record"


def _taken_by(session: Session, case: CaseRow, cycle: Iterable[CaseRow], *, today: bool) -> tuple[Rival, ...]:
    """Those who took the places or stood in the way, in rank order."""
    open_or_done = [row for row in cycle if row.id != case.id and row.state != CaseState.NOT_SELECTED.value]
    if case.reason in alternatives.FOR_WANT_OF_PEOPLE:
        reviewed_out = {"vetoed", "no_opinion", "no_review"}
        found = [r for r in open_or_done if r.risk_effect != "reduces" and r.reason not in reviewed_out]
    elif case.reason in ("same_symbol", "opposite_reduction"):
        found = [row for row in open_or_done if row.symbol == case.symbol]
    elif case.reason == "open_case":
        rival = session.exec(
            select(CaseRow)
            .where(
                CaseRow.run_id == case.run_id, CaseRow.strategy == case.strategy, CaseRow.symbol == case.symbol,
                CaseRow.side == case.side, CaseRow.opened_index < case.opened_index,
                ~col(CaseRow.state).in_([CaseState.NOT_SELECTED.value, CaseState.BLOCKED.value]),
            )
            .order_by(col(CaseRow.opened_index).desc())
        ).first()  # fmt: skip
        found = [rival] if rival else []
    else:
        found = []
    return tuple(
        Rival(
            case_id=row.id,
            symbol=row.symbol,
            strategy=row.strategy,
            rank=row.rank + 1,
            state=row.state if today else None,
        )
        for row in found
    )


def _changes(session: Session, case: CaseRow, places: int, blocking: tuple[Check, ...]) -> tuple[Counterfactual, ...]:
    """The nearest changes, each found by running again what refused it."""
    if blocking:
        return _of_checks(session, case)
    if case.state not in (CaseState.NOT_SELECTED.value, CaseState.BLOCKED.value) or case.reason == "advised_to_wait":
        return ()
    planned = alternatives.planned_of(session, case.cycle_id)
    if planned is None:
        return ()
    planned = alternatives.with_case(session, planned, case)
    if planned.drafted(case.order.id) is None:
        return ()
    return (
        *alternatives.more_places(planned, case.order, places), *alternatives.confidence_for_place(planned, case.order),
        *alternatives.votes(planned, case.order),
    )  # fmt: skip


def _of_checks(session: Session, case: CaseRow) -> tuple[Counterfactual, ...]:
    """The checks of the case as they were recorded, run again on one changed input at a time."""
    row = session.exec(
        select(RecordingRow)
        .where(RecordingRow.case_id == case.id, RecordingRow.call == "risk.check_order")
        .order_by(col(RecordingRow.id).desc())
    ).first()
    if row is None:
        return ()
    asked = load_blob(session, row.input_sha256)
    law = session.exec(select(ActivationRow).where(ActivationRow.sha256 == asked["limits"])).first()
    if law is None:
        return ()
    return counterfactuals(
        Proposal.model_validate(asked["proposal"]), PortfolioView.model_validate(asked["portfolio"]),
        MarketView.model_validate(asked["market"]), load_limits(law.body), frozenset(asked.get("overrides", ())),
    )  # fmt: skip


def _so_far(store: Store, run: RunRow, row: OutcomeRow) -> SoFar | None:
    """What the view returned up to the last closed session; None on the day it was opened, or without any close."""
    last = run.session_index if run.stage == "closed" else run.session_index - 1
    if last <= row.opened_index:
        return None
    market = market_of(store, run)
    day = market.sessions[last]
    as_of = market.tick(day, "close").as_of
    panel = market.panel(as_of, last - row.opened_index + 1)
    end = last_close(row.body, panel)
    if end is None:
        return None
    view, index = view_returns(row.body, row.index_entry, panel, market.index_close(day, as_of), end)
    return SoFar(session=day.isoformat(), view_return=round_float(view), excess_return=round_float(view - index))


def _sentences(made: WhyNot, order: Proposal, over: bool | None) -> Iterable[str]:
    yield (
        f"{order.side.capitalize()} {order.quantity:,} {made.symbol} by {made.strategy}, opened {made.opened}, "
        f"{CaseState(made.state).value.replace('_', ' ')}: {made.because.rstrip('.')}."
    )
    if made.last_selected is not None:
        first = ", ".join(f"{rival.symbol} (rank {rival.rank})" for rival in made.taken_by)
        yield (
            f"It ranked {made.rank} of {made.proposals} in its session; the {len(made.taken_by)} places that people "
            f"had went to {first}. The last one selected was {made.last_selected.symbol} by "
            f"{made.last_selected.strategy}, rank {made.last_selected.rank}."
        )
    elif made.taken_by:
        rival = made.taken_by[0]
        now = f", now {rival.state.replace('_', ' ')}" if rival.state else ""
        yield f"What stood in its way is {rival.symbol} by {rival.strategy} ({rival.case_id}){now}."
    if made.reason in ("vetoed", "no_opinion", "scaled_to_zero"):
        yield from (reason.text for reason in made.reasons[:_SHOWN])
    yield from (f"{check.message[0].upper()}{check.message[1:].rstrip('.')}." for check in made.blocking)
    yield from (item.text for item in made.changes)
    yield from _override(made, over)
    yield _ended(made)


def _override(made: WhyNot, over: bool | None) -> Iterable[str]:
    """What a person could do about it; `over` tells whether the session of the case is, None leaves that open."""
    names = " and ".join(label(check.control) for check in made.blocking)
    hard = [label(check.control) for check in made.blocking if check.hard]
    if made.override == "asked":
        yield "An override was asked for it."
    elif hard:
        yield f"Nobody may override it: hard is the limit of {' and of '.join(hard)}."
    elif made.override == "possible" and over:
        yield f"Only soft limits blocked it ({names}); nobody asked for an override while its session lasted."
    elif made.override == "possible":
        until = "" if over is False else " while its session lasts"
        yield f"Only soft limits block it ({names}): a risk officer may ask for an override{until}; another must agree."


def _ended(made: WhyNot) -> str:
    if made.outcome is None:
        return "Its outcome is not followed."
    if made.outcome.settled and made.outcome.view_return is not None and made.outcome.excess_return is not None:
        return (
            f"Its view returned {made.outcome.view_return * 100:+.2f} % over {made.outcome.horizon_sessions} sessions, "
            f"{made.outcome.excess_return * 100:+.2f} % against the index."
        )
    if made.so_far is not None:
        return (
            f"Its view has returned {made.so_far.view_return * 100:+.2f} % up to {made.so_far.session}, "
            f"{made.so_far.excess_return * 100:+.2f} % against the index; it is due on {made.outcome.due}."
        )
    return f"What becomes of its view is known on {made.outcome.due}."
