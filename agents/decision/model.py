"""The model reviewer: one question for up to twenty candidates, and its ballots turned into reviews.

How often the question is put is the framework's business. The model sees short handles, never sizes, and its word is
joined with the rules: the tighter of the two stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

from agents.coordinator.rules import effective_factor
from agents.decision import rules
from agents.decision.output import FACTORS, MAX_RATIONALE, Ballot, Compared, Line, ballot_schema
from agents.frameworks import FRAMEWORKS, Judged
from agents.opinion import Abstain, Context, DecisionBrief
from agents.reasoning import call_structured, shown
from prompts.loader import load
from tools.types import Evidence, Proposal, Review, ReviewReason

BATCH = 20
CALL = "decision.review"
TOKENS_PER_LINE = 160
TOKENS_SPARE = 400
SILENT = "model_silent"

FEATURES_SHOWN = (
    "close",
    "sma_20",
    "sma_50",
    "high_55",
    "momentum_60",
    "zscore_20",
    "rsi_14",
    "volatility_20",
    "adv_20",
)


@dataclass(frozen=True)
class Batch:
    """Up to twenty candidates with their handles, and the handles of the evidence each may cite."""

    candidates: dict[str, Proposal]
    evidence: dict[str, Evidence]
    citable: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, proposals: Sequence[Proposal], brief: DecisionBrief) -> Batch:
        candidates = {f"c{index}": item for index, item in enumerate(proposals, 1)}
        handles: dict[str, str] = {}
        evidence: dict[str, Evidence] = {}
        citable: dict[str, tuple[str, ...]] = {}
        for handle, proposal in candidates.items():
            cited = [item for item in (brief.find(one) for one in proposal.evidence_ids) if item is not None]
            about = (*rules.lessons_about(proposal, brief), *rules.text_about(proposal, brief))
            mine = {item.id: item for item in (*cited, *about)}
            for item in mine.values():
                if item.id not in handles:
                    handles[item.id] = f"e{len(handles) + 1}"
                    evidence[handles[item.id]] = item
            citable[handle] = tuple(handles[one] for one in mine)
        return cls(candidates, evidence, citable)


async def review(proposals: Sequence[Proposal], brief: DecisionBrief, context: Context) -> dict[str, Judged]:
    """The model's own word on what increases risk, in batches that run at the same time; one for every proposal."""
    batches = [Batch.of(proposals[start : start + BATCH], brief) for start in range(0, len(proposals), BATCH)]
    framework = FRAMEWORKS[context.framework]

    def settled(batch: Batch) -> Awaitable[dict[str, Judged]]:
        return framework(lambda asked: _review_batch(batch, brief, asked), context)

    answers = await asyncio.gather(*(settled(batch) for batch in batches))
    return {proposal_id: item for part in answers for proposal_id, item in part.items()}


async def _review_batch(batch: Batch, brief: DecisionBrief, context: Context) -> dict[str, Review]:
    prompt = load("decision/review").render(
        max_rationale=MAX_RATIONALE,
        factors=FACTORS,
        market=_market(brief),
        candidates="\n".join(_candidate(handle, batch, brief) for handle in batch.candidates),
        text=_text(batch),
    )

    def complaint(ballot: Ballot) -> str | None:
        said = [line.candidate for line in ballot.lines]
        missing = [handle for handle in batch.candidates if handle not in said]
        unknown = sorted(set(said) - set(batch.candidates))
        parts = [
            f"no line for {', '.join(missing)}" if missing else "",
            f"unknown {', '.join(unknown)}" if unknown else "",
        ]
        return "; ".join(part for part in parts if part) or None

    answer = await call_structured(
        context,
        call=CALL,
        prompt=prompt,
        output=Ballot,
        schema=ballot_schema(list(batch.candidates), list(batch.evidence)),
        max_output_tokens=TOKENS_SPARE + TOKENS_PER_LINE * len(batch.candidates),
        complaint=complaint,
    )
    if isinstance(answer, Abstain):
        return {item.id: silent(item, answer) for item in batch.candidates.values()}
    lines = [line for ballot in answer.values for line in ballot.lines]
    reviews = {}
    for handle, proposal in batch.candidates.items():
        said = [_to_review(line, proposal, batch) for line in lines if line.candidate == handle]
        if not said:
            missing = Abstain(reason="schema_invalid", detail="the answer left this candidate out")
            reviews[proposal.id] = silent(proposal, missing)
            continue
        reviews[proposal.id] = reduce(join, said)
    return reviews


def silent(proposal: Proposal, abstain: Abstain) -> Review:
    """No opinion, with its reason. It is never a trade (P3)."""
    reason = ReviewReason(code=SILENT, text=f"The model gave no opinion: {abstain.detail}.")
    return Review(
        proposal_id=proposal.id, verdict="abstain", abstain_reason=abstain.reason, reasons=(reason,), reasoner="model"
    )


def join(one: Review, other: Review) -> Review:
    """The tighter of two reviews of one proposal, with the reasons of both; a call for a person survives a keep."""
    winner, loser = (one, other) if effective_factor(one) <= effective_factor(other) else (other, one)
    changed: dict[str, object] = {"reasons": (*winner.reasons, *loser.reasons)}
    if winner.verdict in ("keep", "scale") and loser.verdict == "escalate":
        changed |= {"verdict": "escalate", "factor": effective_factor(winner)}
    return winner.model_copy(update=changed)


def against_rules(judged: Judged, ruled: Review) -> Compared:
    """Join the model's review with the rules' and note where they differ. Silence is joined with nothing."""
    said = judged.review
    if any(item.code == SILENT for item in said.reasons):
        return Compared(said, ruled, said, judged.agreement)
    changed: dict[str, object] = {"reasoner": "model"}
    if said.verdict != ruled.verdict or effective_factor(said) != effective_factor(ruled):
        changed["dissent"] = f"The model said {said.verdict}, the rules said {ruled.verdict}; the tighter one stands."
    return Compared(join(said, ruled).model_copy(update=changed), ruled, said, judged.agreement)


def _to_review(line: Line, proposal: Proposal, batch: Batch) -> Review:
    cited = tuple(batch.evidence[one].id for one in line.evidence if one in batch.citable[line.candidate])
    reason = ReviewReason(code=line.reason, text=shown(line.rationale), evidence_ids=cited)
    factor = {"scale": Decimal(line.factor_percent) / 100, "veto": Decimal(0)}.get(line.verdict, Decimal(1))
    return Review(
        proposal_id=proposal.id,
        verdict=line.verdict,
        factor=factor,
        reasons=(reason,),
        abstain_reason="evidence_missing" if line.verdict == "abstain" else None,
        reasoner="model",
    )


def _candidate(handle: str, batch: Batch, brief: DecisionBrief) -> str:
    proposal = batch.candidates[handle]
    features = rules.features_of(proposal, brief)
    shown = (
        ", ".join(
            f"{name} {value:.4g}" for name in FEATURES_SHOWN if (value := rules.number(features, name)) is not None
        )
        if features
        else "no features in evidence"
    )
    returns = [i.excess_return for i in brief.recalled.get(proposal.id, ()) if i.excess_return is not None]
    past = ", ".join(f"{value:+.4f}" for value in returns) or "none"
    taught = "; ".join(words for item in rules.lessons_about(proposal, brief) if (words := rules.lesson_words(item)))
    lessons = f"Promoted lessons against it: {taught}. " if taught else ""
    findings = "; ".join(item.code for item in brief.findings if item.symbol == proposal.symbol) or "none"
    return (
        f"- {handle}: {proposal.side} {proposal.symbol}, {proposal.strategy}, strength {proposal.strength:.2f}. "
        f"Features: {shown}. Excess returns of similar settled cases: {past}. {lessons}Findings: {findings}. "
        f"Evidence: {', '.join(batch.citable[handle]) or 'none'}"
    )


def _market(brief: DecisionBrief) -> str:
    series = [
        f"{item.payload.get('series')} {item.payload.get('value')} {item.payload.get('unit')}"
        for item in brief.evidence
        if item.kind in ("index", "rate", "macro") and not item.taint
    ]
    book = f"{len(brief.portfolio.positions)} open positions, drawdown {float(brief.portfolio.drawdown):.4f}"
    return "\n".join([*series, book])


def _text(batch: Batch) -> str:
    lines = [
        f"{handle} {item.symbol or ''} {item.event_time.date()}: {item.payload.get('text')}"
        for handle, item in batch.evidence.items()
        if item.kind == "headline"
    ]
    return "\n".join(lines) or "none"
