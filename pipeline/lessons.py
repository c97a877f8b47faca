"""Moves of lessons as cases: into shadow, promoted, retired; each waits in the same queue as orders and limits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlmodel import Session, col, func, select

from agents.decision.rules import Thresholds
from agents.explanation.claims import ClaimBuilder, exact, percent
from agents.explanation.output import Explanation
from agents.learning.output import Sample
from agents.learning.rules import figures_evidence
from agents.learning.scopes import Scope
from memory.tables import CaseRow, LessonRow, RunRow
from pipeline import activation
from pipeline.approvals import clean_reason
from pipeline.changes import Proposed, ask, explained, make_room
from pipeline.changes import desk_time as time_of
from pipeline.lesson_rules import KIND_OF, bar, promoted_before
from pipeline.lesson_state import candidate_text, shadow_result, standing_sha256
from pipeline.standing import confirm
from pipeline.store import Principal, Store, require_run
from tools.canonical import canonical_bytes, sha256_hex, stable_id
from tools.errors import ApprovalError
from tools.types import DESK, Change, Difference, Evidence, LessonState

_VERB: Mapping[LessonState, str] = {"shadow": "Try", "promoted": "Promote", "retired": "Retire"}


def propose(store: Store, lesson_id: str, to: LessonState, *, principal: Principal, reason: str) -> Proposed:
    """Open a case that moves a lesson. ApprovalError: unknown, invalid (why it may not move), exists."""
    why = clean_reason(reason)
    activation.in_force(store)
    with store.db.write() as session:
        confirm(session, principal, needed="operator")
        run = require_run(session)
        row = session.get(LessonRow, lesson_id)
        if row is None:
            raise ApprovalError(f"there is no lesson {lesson_id}: see `quarterdeck lessons list`", code="unknown")
        refused = bar(store, session, run, row, to)
        if refused is not None:
            raise ApprovalError(refused, code="invalid", detail={"lesson": row.id, "state": row.state})
        change, evidence = _change(session, run, row, to, principal, why)
        make_room(session, run, change, principal)
        proposed = ask(store, session, run, change, evidence, partial(_explain, change=change, evidence=evidence))
    store.publish_head()
    return proposed


def _change(
    session: Session, run: RunRow, row: LessonRow, to: LessonState, principal: Principal, reason: str
) -> tuple[Change, Evidence]:
    scope = Scope.parse(row.scope)
    about = scope.words if scope else row.scope
    as_of = max(time_of(session, run), row.as_of)
    older = promoted_before(session, row) if to == "promoted" else None
    candidate = candidate_text(row, to, row.revision + 1) | ({"replaces": older.id} if older else {})
    text = canonical_bytes(candidate).decode()
    tried = shadow_result(session, row)
    shadow = {"shadow": _shadow_figures(tried.outcomes, tried.reviews, tried.changed)} if tried else {}
    evidence = figures_evidence(
        row.body, as_of,
        {"before": row.state, "after": to, "proposer": principal.name, "claim": row.body.claim,
         "factor": Thresholds().scale_to, **shadow},
    )  # fmt: skip
    effect: Any = {"promoted": "tighter"}.get(to) or ("looser" if row.state == "promoted" else "neutral")
    moved = [Difference(field="state", before=row.state, after=to, effect=effect)]
    if older is not None:
        moved.append(Difference(field="replaces", before=older.id, after=row.id, effect="neutral"))
    before = standing_sha256(row)
    asked = select(func.count()).where(
        CaseRow.run_id == run.id, CaseRow.strategy == DESK, col(CaseRow.symbol) == row.id.upper()
    )
    earlier = session.exec(asked).one()
    change = Change(
        id=stable_id("chg", run.id, KIND_OF[to], before, sha256_hex(text.encode()), earlier), run_id=run.id,
        kind=KIND_OF[to], subject=row.id,
        title=f"{_VERB[to]} the lesson on {about}" + (" in shadow" if to == "shadow" else ""),
        reason=reason, proposer=principal.name, before_sha256=before, after_sha256=sha256_hex(text.encode()), text=text,
        differences=tuple(moved), risk_effect="increases" if effect == "looser" else "reduces",
        evidence_ids=(evidence.id,), as_of=as_of,
    )  # fmt: skip
    return change, evidence


def _shadow_figures(found: Sample, reviews: int, changed: int) -> dict[str, object]:
    return {
        "n": found.size, "reviews": reviews, "changed": changed, "mean_excess_return": found.mean,
        "interval_low": found.low, "interval_high": found.high,
    }  # fmt: skip


def _explain(case_id: str, change: Change, evidence: Evidence) -> Explanation:
    """Say what the lesson found, what its time in shadow showed and what the move does; no model is asked."""
    claims = ClaimBuilder([evidence])
    cited, found = [evidence], evidence.payload
    claims.say("thesis", f"{change.title}, proposed by {change.proposer}.", cited)
    claims.quote("lesson", str(found["claim"]), cited, "What it found is on record with its figures.")
    tried = found.get("shadow")
    if isinstance(tried, dict) and isinstance(tried["mean_excess_return"], float):
        mean = exact(tried["mean_excess_return"]) * 100
        claims.say(
            "lesson", f"In shadow {tried['n']} outcomes of its scope settled, on average {mean:+.2f} % against the "
            f"index; it would have changed {tried['changed']} of {tried['reviews']} reviews.", cited,
        )  # fmt: skip
    most = percent(exact(Thresholds().scale_to), 0)
    said = {
        "shadow": "In shadow it touches no order: what it would have done is only noted.",
        "promoted": f"Promoted it leaves {most} of an entry in its scope at most; it can raise nothing, and it falls "
        "back into shadow when newer outcomes contradict it or none confirm it.",
        "retired": "Retired it does nothing any more and cannot come back.",
    }  # fmt: skip
    claims.say("control", said[str(found["after"])], cited)
    if found["before"] == "promoted":
        claims.say("control", "It is in force now: what it scales down is no longer scaled down.", cited)
    return explained(case_id, change, claims, ("Whether what it found will go on is not known.",))
