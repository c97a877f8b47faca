"""The rules reasoner: an ExplanationBrief turned into a claim graph, and the graph into plain prose."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agents.explanation.claims import ClaimBuilder, exact, money, percent
from agents.explanation.figures import as_number
from agents.explanation.output import Claim, ClaimKind, Explanation, ExplanationStats
from agents.opinion import ExplanationBrief
from tools.risk.measures.types import WhatIf
from tools.risk.types import Check
from tools.types import Evidence

NEAR_CONTROLS = 3
"""How many controls beside the binding one are named."""

HEADLINES = 5
QUOTED_CHARACTERS = 300

_FLAGS = ("flag", "price")


def explain(brief: ExplanationBrief) -> Explanation:
    """Build the explanation without a model. `stats.unresolved` is zero; anything else is a bug in a sentence here."""
    builder = ClaimBuilder(brief.evidence)
    _proposal(builder, brief)
    binding = binding_check(brief.checks)
    _controls(builder, brief, binding)
    _override(builder)
    _what_if(builder, brief)
    _review(builder, brief)
    _counterfactuals(builder, brief)
    _similar(builder, brief)
    _lessons(builder)
    _surroundings(builder, brief)
    unknowns = _unknowns(builder, brief)
    claims = tuple(builder.claims)
    return Explanation(
        case_id=brief.case_id,
        proposal_id=brief.proposal.id,
        proposal_digest=brief.proposal.digest,
        claims=claims,
        binding_constraint=binding,
        counterfactuals=brief.counterfactuals,
        dissent=brief.review.dissent,
        unknowns=unknowns,
        similar_cases=brief.recalled,
        prose=prose(claims),
        reasoner="rules",
        stats=ExplanationStats(
            claims=len(claims), numbers=builder.numbers, unresolved=builder.unresolved, dropped=builder.dropped
        ),
    )


def use(check: Check) -> Decimal | None:
    """How much of its limit a check uses: 1 at the limit. None where that has no meaning (flags, bands, missing)."""
    if check.value is None or check.limit is None or check.unit in _FLAGS:
        return None
    minimum = check.control.startswith("min_")
    part, whole = (check.limit, check.value) if minimum else (check.value, check.limit)
    return part / whole if whole > 0 else None


def binding_check(checks: Sequence[Check]) -> Check | None:
    """The blocking check, else the one that uses most of its limit; ties in the order given."""
    blocking = [item for item in checks if item.verdict == "block"]
    pool = blocking or [item for item in checks if use(item) is not None]
    return max(pool, key=lambda item: _or(use(item), blocked=bool(blocking)), default=None)


def _or(value: Decimal | None, *, blocked: bool) -> Decimal:
    return value if value is not None else Decimal("Infinity") if blocked else Decimal(0)


def _proposal(builder: ClaimBuilder, brief: ExplanationBrief) -> None:
    proposal = brief.proposal
    cited = builder.cited(proposal.evidence_ids)
    own = builder.find("proposal", proposal.symbol)[:1]
    builder.quote(
        "thesis",
        proposal.thesis,
        (*cited, *own),
        f"The {proposal.strategy} strategy proposes it for the reason on record.",
    )
    verb = "Buy" if proposal.side == "buy" else "Sell"
    stop = (
        f" The protective stop stands at {money(proposal.stop_price)}."
        if proposal.stop_price is not None
        else " It reduces a position and needs no stop."
        if proposal.risk_effect == "reduces"
        else ""
    )
    builder.say(
        "sizing",
        f"{verb} {proposal.quantity:,} shares of {proposal.symbol} near {money(proposal.reference_price)}, "
        f"a notional of {money(proposal.notional)}.{stop} An approval holds while the price stays between "
        f"{money(proposal.band.low)} and {money(proposal.band.high)}.",
        own,
    )
    if proposal.working is not None:
        how = proposal.working
        builder.say(
            "sizing",
            f"It is worked by {how.algorithm} over {how.sessions} sessions, one order at each open, each at "
            f"most {percent(how.participation)} of the volume that its session leads one to expect and checked anew; "
            "it can be stopped at any of them.",
            own,
        )
    if proposal.factor < 1:
        builder.say("sizing", f"A review scaled it to {percent(proposal.factor, 0)} of what was drafted.", own)
    _sizing(builder, proposal.symbol)
    horizon = f"{proposal.horizon_sessions} session" + ("" if proposal.horizon_sessions == 1 else "s")
    builder.say(
        "view",
        f"The view is for {horizon}, with a strength of {exact(proposal.strength):.2f} and a confidence of "
        f"{exact(proposal.confidence):.2f} that nothing has calibrated yet.",
        own,
    )


def _sizing(builder: ClaimBuilder, symbol: str) -> None:
    """Say by which method the size came about, and what held it down."""
    for item in builder.find("sizing", symbol)[:1]:
        method, asked, binding = (
            str(item.payload.get(key)).replace("_", " ") for key in ("method", "asked", "binding")
        )
        held = "" if binding == "method" else f", held down by {binding}"
        instead = "" if method == asked else f" {asked.capitalize()} could not size it; its evidence says why."
        builder.say("sizing", f"It was sized by {method}{held}.{instead}", (item,))
        factor = as_number(item.payload.get("factor"))
        if factor is not None and factor < 1:
            guard = builder.find("protection")[:1]
            builder.say("sizing", f"The drawdown protection scaled it to {percent(factor)}.", (item, *guard))


def _controls(builder: ClaimBuilder, brief: ExplanationBrief, binding: Check | None) -> None:
    evidence = (*builder.find("checks")[:1], *builder.find("proposal", brief.proposal.symbol)[:1])
    blocked = [item for item in brief.checks if item.verdict == "block"]
    if binding is not None:
        lead = "Blocked: " if blocked else "Nearest limit: "
        builder.quote("constraint", _sentence(lead, binding), evidence, f"{lead}{_label(binding)}.")
    elif brief.checks:
        builder.say("constraint", "No limit is used by it.", evidence)
    rest = [item for item in brief.checks if item is not binding]
    flagged = [item for item in rest if item.verdict != "pass"]
    near = sorted((i for i in rest if i.verdict == "pass" and use(i)), key=lambda i: -(use(i) or Decimal(0)))
    for item in [*flagged, *near[:NEAR_CONTROLS]]:
        lead = {"block": "Also blocked: ", "warn": "Warning: ", "pass": ""}[item.verdict]
        builder.quote("control", _sentence(lead, item), evidence, f"{lead}{_label(item)}.")


def _override(builder: ClaimBuilder) -> None:
    for item in builder.find("override")[:1]:
        names = item.payload["controls"]
        past = " and ".join(str(name).replace("_", " ") for name in names) if isinstance(names, list) else "a limit"
        who = item.payload["principal"]
        builder.say("control", f"{who} asks to let it past {past}; another must agree.", (item,))


def _label(check: Check) -> str:
    return check.control.replace("_", " ")


def _sentence(lead: str, check: Check) -> str:
    text = f"{lead}{check.message}"
    return f"{text[0].upper()}{text[1:]}".rstrip(".") + "."


def _review(builder: ClaimBuilder, brief: ExplanationBrief) -> None:
    review = brief.review
    own = builder.find("review")[:1]
    said = {
        "keep": "has nothing against it", "veto": "is against it", "scale": "wants less of it",
        "escalate": "wants a person to look twice", "abstain": "has no opinion",
    }[review.verdict]  # fmt: skip
    missing = f" ({review.abstain_reason.replace('_', ' ')})" if review.abstain_reason else ""
    builder.say("review", f"The {review.reasoner} reviewer {said}{missing}.", own)
    if review.verdict in ("scale", "escalate") and review.factor < 1:
        builder.say("review", f"Its factor is {percent(review.factor, 0)}.", own)
    for reason in review.reasons:
        cited = (*builder.cited(reason.evidence_ids), *own)
        builder.quote(
            "review", _full_stop(reason.text), cited, f"Its reason is recorded as {reason.code.replace('_', ' ')}."
        )
    if review.dissent:
        builder.quote("dissent", _full_stop(review.dissent), own, "The reviewers differ.")


def _counterfactuals(builder: ClaimBuilder, brief: ExplanationBrief) -> None:
    evidence = builder.find("counterfactual")[:1]
    for item in brief.counterfactuals:
        change = (item.name if item.field == "limit" and item.name else item.field).replace("_", " ")
        verdict = {"block": "block it", "pass": "let it pass", "not_selected": "leave it out"}[item.verdict]
        builder.quote("counterfactual", _full_stop(item.text), evidence, f"Another {change} would {verdict}.")


def _what_if(builder: ClaimBuilder, brief: ExplanationBrief) -> None:
    """Name the change that takes most of the room left under its limit, and what becomes of value at risk."""
    source = next(iter(builder.find("what_if", brief.proposal.symbol)), None)
    if source is None:
        return
    found = WhatIf.model_validate(source.payload)
    if found.largest is None:
        builder.say("what_if", "It changes no measure that has a limit.", (source,))
    else:
        item = found.find(found.largest)
        if item.before is not None and item.after is not None and item.limit is not None:
            builder.say(
                "what_if",
                f"Measured by the room its limits leave, it moves {item.label} most: from {percent(item.before)} to "
                f"{percent(item.after)} of equity, of a maximum of {percent(item.limit)}.",
                (source,),
            )
    tail = found.find("var")
    if tail.before is None or tail.after is None:
        builder.say("what_if", "What it does to value at risk is not known: the history is too short.", (source,))
    elif found.largest != tail.measure:
        builder.say(
            "what_if",
            f"Historical value at risk over the next session, at {percent(exact(found.confidence), 0)} confidence, "
            f"goes from {percent(tail.before)} to {percent(tail.after)} of equity.",
            (source,),
        )


def _similar(builder: ClaimBuilder, brief: ExplanationBrief) -> None:
    mine = {item.case_id for item in brief.recalled}
    source = next((item for item in builder.find("recall") if mine and mine <= _recalled_ids(item)), None)
    if source is None:
        return
    settled = as_number(source.payload.get("n"))
    mean = as_number(source.payload.get("mean_excess_return"))
    if mean is None or not settled:
        builder.say("similar_case", "Similar past cases are known, and none of them has settled yet.", (source,))
    else:
        count = (
            "One similar case has settled, with"
            if settled == 1
            else f"{settled} similar cases have settled, on average with"
        )
        builder.say("similar_case", f"{count} {signed(mean)} against the index.", (source,))
    for item in brief.recalled:
        ended = (
            f"{signed(exact(item.excess_return))} against the index"
            if item.excess_return is not None
            else "not settled yet"
        )
        builder.say(
            "similar_case",
            f"{item.symbol} by {item.strategy} ({item.case_id}), similarity {exact(item.similarity):.2f}: "
            f"{item.state.value.replace('_', ' ')}, {ended}.",
            (source,),
        )


def _lessons(builder: ClaimBuilder) -> None:
    """Name every promoted lesson that the review cites, with its figures."""
    for item in builder.find("lesson"):
        mean, low, high = (
            as_number(item.payload.get(key)) for key in ("mean_excess_return", "interval_low", "interval_high")
        )
        if mean is not None and low is not None and high is not None:
            builder.say(
                "lesson",
                f"People promoted a lesson about it ({item.payload['about']}): {item.payload['n']} settled views "
                f"averaged {signed(mean)} against the index, between {signed(low)} and {signed(high)}.",
                (item,),
            )


def signed(value: Decimal) -> str:
    """A fraction as percent with its sign, e.g. +1.20 %."""
    return f"{value * 100:+.2f} %"


def _recalled_ids(item: Evidence) -> set[str]:
    listed = item.payload.get("items")
    return {str(one["case_id"]) for one in listed if isinstance(one, dict)} if isinstance(listed, list) else set()


def _surroundings(builder: ClaimBuilder, brief: ExplanationBrief) -> None:
    symbol = brief.proposal.symbol
    for item in builder.find("portfolio")[:4]:
        equity, cash, drawdown = (as_number(item.payload.get(key)) for key in ("equity", "cash", "drawdown"))
        if equity is not None and cash is not None and drawdown is not None:
            builder.say(
                "portfolio",
                f"The book's equity is {money(equity)}, its cash {money(cash)}, its drawdown {percent(drawdown)}.",
                (item,),
            )
            break
    for item in (*builder.find("index"), *builder.find("rate"), *builder.find("macro")):
        builder.say("market", _observation(item), (item,))
    for item in _text_evidence(builder, brief)[:HEADLINES]:
        text = str(item.payload.get("text", ""))
        quotable = text.isprintable() and not set(text) & set('“”"') and 3 <= len(text) <= QUOTED_CHARACTERS
        quoted = f"“{text}”" if quotable else "a headline that cannot be shown on one line"
        builder.say("headline", f"Read on {item.event_time.date()}, not verified: {quoted}", (item,))
    for finding in brief.findings:
        if finding.symbol in (None, symbol) and finding.severity != "info":
            cited = builder.cited(finding.evidence_ids)
            builder.quote("finding", finding.message, cited, f"Open finding: {finding.code.replace('_', ' ')}.")
    for item in builder.find("features", symbol)[:1]:
        builder.say("data_age", f"Its features were computed from the close of {item.event_time.date()}.", (item,))


def _observation(item: Evidence) -> str:
    name = str(item.payload.get("series", item.kind)).replace("_", " ")
    value = as_number(item.payload.get("value"))
    unit = str(item.payload.get("unit", ""))
    if value is None:
        figure = "not measured"
    elif unit == "percent":
        figure = f"{value:.2f} %"
    else:
        figure = f"{value:,.2f}" + (f" {unit}" if unit else "")
    when = f"observed {item.event_time.date()}, known since {item.known_at.date()}"
    return f"{name}: {figure} ({when})."


def _text_evidence(builder: ClaimBuilder, brief: ExplanationBrief) -> list[Evidence]:
    cited = [item for item in builder.cited(brief.proposal.evidence_ids) if item.kind == "headline"]
    named = [
        item
        for item in builder.find("headline")
        if item.symbol == brief.proposal.symbol or brief.proposal.symbol in _symbols(item)
    ]
    return list({item.id: item for item in (*cited, *named)}.values())


def _symbols(item: Evidence) -> list[object]:
    listed = item.payload.get("symbols")
    return list(listed) if isinstance(listed, list) else []


def _unknowns(builder: ClaimBuilder, brief: ExplanationBrief) -> tuple[str, ...]:
    """Say what was not known; an unknown with a number nobody can show is named without it."""
    kept: list[str] = []
    everything = builder.find("checks") + builder.find("features") + builder.find("health")
    for text in brief.unknowns:
        taken = builder.quote("unknown", f"Not known: {_full_stop(text)}", everything, None)
        if taken:
            kept.append(text)
    for item in brief.checks:
        if item.verdict == "block" and item.value is None and item.limit is not None:
            text = f"what {_label(item)} would measure"
            builder.say("unknown", f"Not known: {text}.", builder.find("checks")[:1])
            kept.append(text)
    return tuple(kept)


def _full_stop(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


_PARAGRAPHS: tuple[tuple[ClaimKind, ...], ...] = (
    ("thesis", "sizing", "view"),
    ("constraint", "control", "what_if", "counterfactual"),
    ("review", "dissent", "similar_case", "lesson"),
    ("portfolio", "market", "finding"),
    ("headline",),
    ("unknown", "data_age"),
)


def prose(claims: Sequence[Claim]) -> str:
    """Render claims as paragraphs, in a fixed order of kinds; nothing is added to them."""
    paragraphs = (" ".join(c.text for kind in kinds for c in claims if c.kind == kind) for kinds in _PARAGRAPHS)
    return "\n\n".join(part for part in paragraphs if part)
