"""The rules reviewer: what speaks against a candidate, from evidence alone. It can only tighten.

Each reason shows figures of the evidence it cites and no threshold, so that the figures resolve later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from statistics import fmean

from agents.decision.output import RuleReason
from agents.opinion import DecisionBrief
from tools.canonical import round_float
from tools.errors import ConfigError
from tools.types import Evidence, Proposal, Review, ReviewReason, Verdict


@dataclass(frozen=True)
class Thresholds:
    """Figures the rules hold evidence against. `Context.thresholds` may set any of them by name.

    `negative_tone`: mean tone in [-1, 1] at or below which text stops an entry. `minimum_adv`: money traded a day,
    below which a name is illiquid. `high_volatility`: annualised, above which half is done. `poor_cases`: as many
    settled similar cases make their mean count. `poor_mean`: mean excess return below which half is done.
    """

    negative_tone: float = -0.5
    minimum_adv: float = 5_000_000.0
    high_volatility: float = 0.60
    poor_cases: float = 5.0
    poor_mean: float = 0.0
    scale_to: float = 0.5

    @classmethod
    def of(cls, given: Mapping[str, float]) -> Thresholds:
        """Take the known names; ConfigError for one nobody knows."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise ConfigError(
                f"unknown threshold {', '.join(unknown)}: known are {', '.join(sorted(known))}",
                code="unknown_threshold",
            )
        return cls(**given)


@dataclass(frozen=True)
class Objection:
    """One thing that speaks against a candidate, and what it asks for."""

    verdict: Verdict
    reason: ReviewReason


def review(proposal: Proposal, brief: DecisionBrief, thresholds: Thresholds) -> Review:
    """Review one candidate by rules. What reduces risk is kept without a look; missing features abstain."""
    if proposal.risk_effect == "reduces":
        return Review(
            proposal_id=proposal.id,
            verdict="keep",
            reasons=(_reason("reduces_risk", "It reduces risk and waits for no reviewer."),),
        )
    features = features_of(proposal, brief)
    if features is None:
        return Review(
            proposal_id=proposal.id,
            verdict="abstain",
            abstain_reason="evidence_missing",
            reasons=(_reason("evidence_missing", "The features this proposal rests on are not in evidence."),),
        )
    found = [
        item
        for item in (
            _text(proposal, brief, thresholds),
            _liquidity(features, thresholds),
            _volatility(features, thresholds),
            _past(proposal, brief, thresholds),
            *_lessons(proposal, brief),
            *_findings(proposal, brief),
            _taint(proposal, brief),
        )
        if item is not None
    ]
    return conclude(proposal, found, features, thresholds)


def conclude(proposal: Proposal, found: list[Objection], features: Evidence, thresholds: Thresholds) -> Review:
    """Join objections: a veto ends it; a scale keeps its factor under an escalation."""
    verdicts = {item.verdict for item in found}
    reasons = tuple(item.reason for item in found)
    if "veto" in verdicts:
        return Review(proposal_id=proposal.id, verdict="veto", factor=Decimal(0), reasons=reasons)
    factor = Decimal(str(thresholds.scale_to)) if "scale" in verdicts else Decimal(1)
    if "escalate" in verdicts:
        return Review(proposal_id=proposal.id, verdict="escalate", factor=factor, reasons=reasons)
    if "scale" in verdicts:
        return Review(proposal_id=proposal.id, verdict="scale", factor=factor, reasons=reasons)
    sound = _reason("sound", "Nothing in evidence speaks against it.", features.id)
    return Review(proposal_id=proposal.id, verdict="keep", reasons=(sound,))


def features_of(proposal: Proposal, brief: DecisionBrief) -> Evidence | None:
    """The features evidence a proposal cites."""
    cited = (brief.find(item) for item in proposal.evidence_ids)
    return next((item for item in cited if item is not None and item.kind == "features"), None)


def text_about(proposal: Proposal, brief: DecisionBrief) -> tuple[Evidence, ...]:
    """Tainted evidence about a proposal's symbol: cited by it, marked with it, or a headline naming it."""
    named = {
        _headline_id(item)
        for item in brief.evidence
        if item.kind == "headline" and proposal.symbol in _symbols(item) and _headline_id(item)
    }
    return tuple(
        item
        for item in brief.evidence
        if item.taint
        and (item.id in proposal.evidence_ids or item.symbol == proposal.symbol or _headline_id(item) in named)
    )


def _headline_id(item: Evidence) -> str | None:
    value = item.payload.get("headline_id")
    return value if isinstance(value, str) else None


def _symbols(item: Evidence) -> tuple[str, ...]:
    listed = item.payload.get("symbols")
    return tuple(str(symbol) for symbol in listed) if isinstance(listed, list) else ()


def _text(proposal: Proposal, brief: DecisionBrief, thresholds: Thresholds) -> Objection | None:
    tones = {
        item.id: score
        for item in text_about(proposal, brief)
        if item.kind == "sentiment" and (score := number(item, "score")) is not None
    }
    if not tones or fmean(tones.values()) > thresholds.negative_tone:
        return None
    lowest = min(tones.values())
    text = f"Headlines speak strongly against it; the lowest tone is {exact(lowest):.2f}."
    return Objection("veto", _reason("text_negative", text, *tones))


def _taint(proposal: Proposal, brief: DecisionBrief) -> Objection | None:
    about = text_about(proposal, brief)
    if not (proposal.taint or about):
        return None
    text = "Text that a stranger could have written is part of its evidence, so a person must look."
    return Objection("escalate", _reason("tainted_evidence", text, *(item.id for item in about)))


def _liquidity(features: Evidence, thresholds: Thresholds) -> Objection | None:
    adv = number(features, "adv_20")
    if adv is None:
        return Objection("veto", _reason("illiquid", "Nobody knows what is traded in it a day.", features.id))
    if adv >= thresholds.minimum_adv:
        return None
    return Objection("veto", _reason("illiquid", f"Only {exact(adv):,.0f} is traded in it a day.", features.id))


def _volatility(features: Evidence, thresholds: Thresholds) -> Objection | None:
    volatility = number(features, "volatility_20")
    if volatility is None or volatility <= thresholds.high_volatility:
        return None
    percent = exact(volatility) * 100
    text = f"Its volatility of {percent:.1f} % a year counts as high, so less is done."
    return Objection("scale", _reason("too_volatile", text, features.id))


def _past(proposal: Proposal, brief: DecisionBrief, thresholds: Thresholds) -> Objection | None:
    returns = [item.excess_return for item in brief.recalled.get(proposal.id, ()) if item.excess_return is not None]
    if len(returns) < thresholds.poor_cases or fmean(returns) >= thresholds.poor_mean:
        return None
    recalled = {item.case_id for item in brief.recalled[proposal.id]}
    source = next((e for e in brief.evidence if e.kind == "recall" and _case_ids(e) == recalled), None)
    mean = exact(fmean(returns)) * 100
    text = f"{len(returns)} settled similar cases averaged {mean:+.1f} % against the index, so less is done."
    return Objection("scale", _reason("past_cases_poor", text, *([source.id] if source else [])))


def lessons_about(proposal: Proposal, brief: DecisionBrief) -> tuple[Evidence, ...]:
    """The promoted lessons whose scope a proposal is in."""
    lessons = (item for item in brief.evidence if item.kind == "lesson")
    return tuple(item for item in lessons if item.payload.get("proposal") == proposal.id)


def lesson_words(item: Evidence) -> str | None:
    """What a lesson found, in figures of its own; None where it does not speak against anything."""
    mean, high, size = (number(item, key) for key in ("mean_excess_return", "interval_high", "n"))
    if mean is None or high is None or size is None or high >= 0:
        return None
    return f"{size:.0f} settled views in its scope averaged {exact(mean) * 100:+.2f} % against the index"


def _lessons(proposal: Proposal, brief: DecisionBrief) -> list[Objection]:
    """Promoted lessons of views that did worse: less is done. One that found anything else does nothing (P12)."""
    return [
        Objection("scale", _reason("lesson_against", f"A promoted lesson speaks against it: {said}.", item.id))
        for item in lessons_about(proposal, brief)
        if (said := lesson_words(item)) is not None
    ]


def _case_ids(item: Evidence) -> set[str]:
    listed = item.payload.get("items")
    if not isinstance(listed, list):
        return set()
    return {str(entry["case_id"]) for entry in listed if isinstance(entry, dict) and "case_id" in entry}


def _findings(proposal: Proposal, brief: DecisionBrief) -> list[Objection]:
    """Findings about the very symbol: a critical one stops an entry, a warning brings a second look."""
    about = [item for item in brief.findings if item.symbol == proposal.symbol and item.severity != "info"]
    return [
        Objection(
            "veto" if item.severity == "critical" else "escalate",
            _reason(
                "data_doubtful",
                f"There is an open finding about it: {item.code.replace('_', ' ')}.",
                *item.evidence_ids,
            ),
        )
        for item in about
    ]


def number(item: Evidence, key: str) -> float | None:
    """A numeric field of a payload; None where it is missing or no number."""
    value = item.payload.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def exact(value: float) -> Decimal:
    """A statistic as its evidence holds it, so that rounding for display agrees with it."""
    return Decimal(repr(round_float(value)))


def _reason(code: RuleReason, text: str, *evidence_ids: str) -> ReviewReason:
    return ReviewReason(code=code, text=text, evidence_ids=tuple(evidence_ids))
