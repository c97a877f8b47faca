"""Editing: a person makes a waiting proposal smaller or its stop tighter. It can only lower risk (P2).

An edit gives a new proposal with a new digest, checked again on the inputs it was asked with, explained again, and
asked again: earlier approvals were for something else and no longer count.
"""

from __future__ import annotations

import asyncio
import secrets
from decimal import Decimal

from pydantic import Field
from sqlmodel import Session, col, select

from agents.explanation.node import explain
from agents.opinion import ExplanationBrief
from memory import evidence as evidence_store
from memory.ledger import Entry, Stage, append
from memory.recordings import load_blob, record
from memory.tables import ApprovalRow, DecisionRow, EditRow, ExplanationRow, RecordingRow
from pipeline import alternatives, authority, briefs, canaries, permissions
from pipeline.activation import InForce, in_force, newest
from pipeline.approvals import (
    EDIT_CODES,
    DecisionResult,
    Question,
    ReasonCode,
    add_answer,
    behalf,
    clean_reason,
    envelope_of,
    find_question,
    require_digest,
    require_open,
    result_of,
    sign,
    spring,
    told,
)
from pipeline.context import rules_context
from pipeline.faults import reach
from pipeline.feed import market_of
from pipeline.notify.outbox import enqueue
from pipeline.overrides import overrides_of
from pipeline.policy import Facts, facts_of
from pipeline.risk_inputs import of_edited
from pipeline.store import Principal, Store, now, require_run
from pipeline.terms import report, require_unaltered, terms_of
from tools.canonical import plain
from tools.errors import ApprovalError
from tools.risk.controls import check_order, verdict
from tools.risk.counterfactuals import counterfactuals
from tools.risk.types import Check, Counterfactual, MarketView, PortfolioView
from tools.types import ORDER_KINDS, Evidence, Frozen, Proposal, Review


class Edit(Frozen):
    """What a person changes: fewer shares, a stop nearer to the price, or both."""

    quantity: int | None = Field(default=None, ge=1)
    stop_price: Decimal | None = Field(default=None, gt=0, max_digits=20, decimal_places=6)


def changed(proposal: Proposal, change: Edit) -> Proposal:
    """The edited proposal; ApprovalError(invalid) unless every change lowers risk and one does."""
    if proposal.risk_effect != "increases":
        raise ApprovalError("only what increases risk can be edited: an exit is taken or left", code="invalid")
    quantity = proposal.quantity if change.quantity is None else change.quantity
    stop = proposal.stop_price if change.stop_price is None else change.stop_price.quantize(Decimal("0.01"))
    if quantity > proposal.quantity:
        raise ApprovalError(
            f"{quantity} is more than the {proposal.quantity} proposed: an edit only lowers", code="invalid"
        )
    if stop is not None and stop != proposal.stop_price:
        nearest = proposal.stop_price or Decimal(0)
        if not nearest <= stop < proposal.band.low:
            raise ApprovalError(
                f"a stop at {stop} is not between {nearest} and the band's low of {proposal.band.low}", code="invalid"
            )
    edited = proposal.model_copy(update={"quantity": quantity, "stop_price": stop})
    if edited.digest == proposal.digest:
        raise ApprovalError("the edit changes nothing", code="invalid")
    return edited


class _Inputs(Frozen):
    """What a case was checked and explained with, from its recordings."""

    portfolio: PortfolioView
    market: MarketView
    brief: ExplanationBrief


def _inputs(session: Session, case_id: str) -> _Inputs:
    def request_of(call: str) -> dict[str, object]:
        row = session.exec(
            select(RecordingRow)
            .where(RecordingRow.case_id == case_id, RecordingRow.call == call)
            .order_by(col(RecordingRow.id).desc())
        ).first()
        if row is None:
            raise ApprovalError(f"case {case_id} has no recording of {call}: it cannot be edited", code="invalid")
        found: dict[str, object] = load_blob(session, row.input_sha256)
        return found

    checked = request_of("risk.check_order")
    return _Inputs(
        portfolio=PortfolioView.model_validate(checked["portfolio"]),
        market=MarketView.model_validate(checked["market"]),
        brief=ExplanationBrief.model_validate(request_of("explanation.explain")),
    )


def edit(
    store: Store,
    approval_id: str,
    *,
    principal: Principal,
    digest: str,
    change: Edit,
    reason: str,
    reason_code: ReasonCode | None,
) -> DecisionResult:
    """Edit a waiting question. Codes as in `approvals.decide`; the editor's own signature counts for the new
    digest unless it is so large that the policy wants another person for it."""
    text = clean_reason(reason)
    if reason_code is None or reason_code not in EDIT_CODES:
        raise ApprovalError(f"an edit needs a reason_code of {', '.join(sorted(EDIT_CODES))}", code="invalid")
    try:
        answer = _edit(store, approval_id, principal, digest, change, text, reason_code)
    except ApprovalError as error:
        report(store, approval_id, error)
        raise
    reach("after_decision_commit")
    store.publish_head()
    return answer


def _edit(
    store: Store,
    approval_id: str,
    principal: Principal,
    digest: str,
    change: Edit,
    text: str,
    reason_code: ReasonCode,
) -> DecisionResult:
    with store.db.read() as session:
        run = require_run(session)
    market_of(store, run)
    law = in_force(store)
    with store.db.write() as session:
        law = newest(session, law)
        asked = find_question(session, approval_id)
        if asked.case.kind not in ORDER_KINDS:
            raise ApprovalError(
                f"a {asked.case.kind} is approved or rejected as it is: reject it and propose another text",
                code="invalid",
            )
        require_digest(asked, digest)
        require_open(session, asked, asked.answer_of(principal.name), "edit")
        require_unaltered(session, asked.row)
        proposal = changed(asked.case.order, change)
        inputs = _inputs(session, asked.case.id)
        abstained = Review.model_validate(asked.case.review).abstain_reason
        overrides = overrides_of(asked.row)
        facts = facts_of(proposal, inputs.portfolio, inputs.market, abstained, overrides=overrides)
        _rule_again(asked.row, facts, law)
        permissions.require(
            store, session, asked.row, asked.case, asked.run, principal, "edit", notional=proposal.notional
        )
        checks = check_order(proposal, inputs.portfolio, inputs.market, law.limits, overrides)
        if verdict(checks) == "block":
            blocking = next(item for item in checks if item.verdict == "block")
            raise ApprovalError(
                f"the edited order is blocked by {blocking.control}: {blocking.message}", code="invalid"
            )
        if canaries.is_canary(session, asked.case.id):
            said = add_answer(session, asked, principal, "edit", text, reason_code)
            spring(session, asked, said, principal)
            return result_of(asked, said, repeated=False)
        _rebind(store, session, asked, proposal, checks, inputs, law)
        large = facts.notional_share is None or facts.notional_share >= law.policy.second_signature_share
        asked.row.edited_by, asked.row.facts = principal.name, plain(facts)
        if large and law.policy.profile == "desk":
            asked.row.separate = sorted({*asked.row.separate, "editor"})
        elif large:
            asked.row.cooling_off_seconds = max(asked.row.cooling_off_seconds, law.policy.cooling_off_seconds)
        session.add(asked.row)
        session.flush()
        _note(session, asked, proposal, digest, principal, text, reason_code)
        if "editor" in asked.row.separate:
            said = DecisionRow(
                approval_id=approval_id, case_id=asked.case.id, principal=principal.name, decision="edit",
                digest=asked.row.digest, reason=text, decided_wall=now(),
            )  # fmt: skip
        else:
            said = add_answer(session, asked, principal, "approve", text, reason_code)
            asked = asked._replace(said=(*asked.said, said))
            sign(store, session, asked, said, principal)
            enqueue(session, event="approval.decided", subject_id=approval_id, content=told(asked, said))
        answer = result_of(asked, said, repeated=False)
        reach("before_decision_commit")
    return answer


def _rule_again(row: ApprovalRow, facts: Facts, law: InForce) -> None:
    """Bind the question to the law its checks ran on; a policy that came meanwhile can only ask for more."""
    if law.policy_sha256 != row.policy_sha256:
        ruling = law.policy.rule_on(facts)
        alone = law.policy.profile == "single_operator" and ruling.required > 1
        row.rule = ruling.rule
        row.required = max(row.required, 1 if alone else ruling.required)
        row.roles = max([row.roles, list(ruling.roles)], key=lambda roles: min(map(permissions.rank_of, roles)))
        row.separate = sorted({*row.separate, *ruling.separate})
        row.evidence_required = row.evidence_required or ruling.evidence_required
        if alone:
            row.cooling_off_seconds = max(row.cooling_off_seconds, law.policy.cooling_off_seconds)
    row.policy_version, row.policy_sha256 = law.policy.version, law.policy_sha256
    row.limits_sha256 = law.limits_sha256


def _rebind(
    store: Store,
    session: Session,
    asked: Question,
    proposal: Proposal,
    checks: tuple[Check, ...],
    inputs: _Inputs,
    law: InForce,
) -> None:
    """Put the edited proposal, its checks and a new explanation in the place of the old ones."""
    case, row = asked.case, asked.row
    as_of = proposal.as_of
    overrides = overrides_of(row)
    other = (
        *counterfactuals(proposal, inputs.portfolio, inputs.market, law.limits, overrides),
        *(item for item in inputs.brief.counterfactuals if alternatives.is_of_plan(item)),
    )
    effect = briefs.what_if_evidence(
        of_edited(market_of(store, asked.run), proposal, inputs.portfolio, inputs.market.sector, law.limits),
        as_of,
    )
    brief = _brief(inputs.brief, proposal, checks, other, effect)
    context = rules_context(store, case.run_id, case.cycle_id)
    made = asyncio.run(explain(brief, context))
    evidence_store.keep(session, brief.evidence)
    explanation = session.get_one(ExplanationRow, case.id)
    explanation.sha256, explanation.body = made.sha256, plain(made)
    explanation.claims, explanation.numbers = made.stats.claims, made.stats.numbers
    explanation.unresolved, explanation.dropped = made.stats.unresolved, made.stats.dropped
    explanation.reasoner = made.reasoner
    record(
        session, run_id=case.run_id, cycle_id=case.cycle_id, case_id=case.id, kind="agent", call="explanation.explain",
        request=brief, response=made,
    )  # fmt: skip
    record(
        session, run_id=case.run_id, cycle_id=case.cycle_id, case_id=case.id, kind="tool", call="risk.check_order",
        request={
            "proposal": proposal, "portfolio": inputs.portfolio, "market": inputs.market, "edited": as_of,
            **({"overrides": sorted(overrides)} if overrides else {}),
        },
        response=list(checks),
    )  # fmt: skip
    case.body, case.digest, case.checks = proposal, proposal.digest, [plain(item) for item in checks]
    row.digest, row.explanation_hash, row.nonce = proposal.digest, made.sha256, secrets.token_hex(16)
    row.worst_checks = {item.control: item.verdict for item in checks}
    session.add_all([explanation, case, row])
    session.flush()


def _brief(
    before: ExplanationBrief,
    proposal: Proposal,
    checks: tuple[Check, ...],
    other: tuple[Counterfactual, ...],
    effect: Evidence,
) -> ExplanationBrief:
    replaced = {"proposal", "checks", "counterfactual", "what_if"}
    as_of, symbol = proposal.as_of, proposal.symbol
    fresh = (
        briefs.proposal_evidence(proposal, _name_in(before)), briefs.checks_evidence(checks, symbol, as_of),
        briefs.counterfactual_evidence(other, symbol, as_of), effect,
    )  # fmt: skip
    kept = tuple(item for item in before.evidence if item.kind not in replaced)
    return before.model_copy(
        update={"proposal": proposal, "checks": checks, "counterfactuals": other, "evidence": (*fresh, *kept)}
    )


def _name_in(brief: ExplanationBrief) -> str | None:
    names = (item.payload.get("name") for item in brief.evidence if item.kind == "proposal")
    return next((name for name in names if isinstance(name, str)), None)


def _note(
    session: Session,
    asked: Question,
    proposal: Proposal,
    old: str,
    principal: Principal,
    reason: str,
    reason_code: str,
) -> None:
    at = now()
    giver = authority.giver_for(session, asked.row, principal, at)
    session.add(
        EditRow(
            approval_id=asked.row.id, principal=principal.name, old_digest=old, new_digest=proposal.digest,
            reason=reason, reason_code=reason_code, edited_wall=at, on_behalf_of=giver,
        )
    )  # fmt: skip
    append(
        session,
        Entry(
            kind="case.edited", step=f"edit:{proposal.digest[:16]}", case_id=asked.case.id,
            revision=asked.case.revision, run_id=asked.run.id, desk_time=proposal.as_of, stage=Stage.DECIDE,
            rank=asked.case.rank, envelope=envelope_of(principal, at),
            content={
                **terms_of(asked.row), "approval": asked.row.id, "principal": principal.name, "from": old,
                "to": proposal.digest, "quantity": proposal.quantity, "stop_price": proposal.stop_price,
                "proposal": proposal, "reason_code": reason_code, "reason_text": reason, **behalf(giver),
            },
        ),
    )  # fmt: skip
