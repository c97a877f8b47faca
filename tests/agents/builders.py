"""Small briefs with real shapes: a proposal, its evidence, and a context whose calls can be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from agents.breaker import Breaker
from agents.gate import Gate
from agents.models import LiveEndpoint, chat_model
from agents.opinion import Context, DecisionBrief, ExplanationBrief, Usage
from tools.risk.types import Check, Counterfactual, PortfolioView
from tools.types import (
    CaseState,
    Evidence,
    Finding,
    PriceBand,
    Proposal,
    ProposalKind,
    RecalledCase,
    Review,
    ReviewReason,
)

AS_OF = datetime(2009, 11, 13, 21, 0, tzinfo=UTC)
KEY = "sk-very-secret-key"


@dataclass
class Calls:
    """A recorder that keeps what it is given."""

    made: list[dict[str, Any]] = field(default_factory=list)

    def record_model_call(
        self,
        *,
        call: str,
        attempt: int,
        request: Any,
        response: Any,
        meta: Mapping[str, Any],
        case_id: str | None = None,
    ) -> None:
        self.made.append(
            {
                "call": call,
                "attempt": attempt,
                "request": request,
                "response": response,
                "meta": meta,
                "case_id": case_id,
            }
        )

    @property
    def repairs(self) -> int:
        return sum(bool(item["meta"]["quarterdeck.repair"]) for item in self.made)


@dataclass
class Budget:
    """A budget of tokens that can be read afterwards. One token costs one."""

    left: int = 10_000_000
    used: int = 0
    open: dict[int, int] = field(default_factory=dict)
    asked: list[tuple[str, str, Usage]] = field(default_factory=list)

    @property
    def reserved(self) -> int:
        return sum(self.open.values())

    def reserve(self, call: str, model_id: str, most: Usage) -> int | None:
        if most.total > self.left - self.reserved - self.used:
            return None
        self.asked.append((call, model_id, most))
        self.open[len(self.asked)] = most.total
        return len(self.asked)

    def settle(self, reservation: int, used: Usage) -> Decimal:
        del self.open[reservation]
        self.used += used.total
        return Decimal(used.total)


def rules_context(**thresholds: float) -> Context:
    return Context(reasoner="rules", recorder=Calls(), budget=Budget(), thresholds=thresholds)


def endpoint(
    base_url: str, model_id: str = "tiny", *, timeout_s: float = 5.0, places: int = 4, breaker: Breaker | None = None
) -> LiveEndpoint:
    model = chat_model(base_url, KEY, model_id, timeout_s)
    return LiveEndpoint(model, model_id, timeout_s, Gate(places), breaker or Breaker())


def model_context(
    *peers: Any, timeout_s: float = 5.0, budget: Budget | None = None, **options: Any
) -> tuple[Context, Calls]:
    """A context whose tiers both ask these peers, in this order."""
    calls = Calls()
    names = ("tiny", "second", "third")
    line = [endpoint(peer.base_url, name, timeout_s=timeout_s) for peer, name in zip(peers, names, strict=False)]
    context = Context(
        reasoner="model", recorder=calls, budget=budget or Budget(), endpoints={"fast": line, "deep": line}, **options
    )
    return context, calls


def features(symbol: str = "IBM", **changed: float) -> Evidence:
    payload: dict[str, Any] = {
        "symbol": symbol, "close": 127.03, "sma_20": 124.5, "sma_50": 121.25, "high_55": 126.9, "momentum_60": 0.1837,
        "zscore_20": 1.42, "rsi_14": 61.2, "atr_14": 1.85, "volatility_20": 0.215, "adv_20": 850_000_000.0,
    } | changed  # fmt: skip
    return Evidence.of("features", "tools.strategy.features", payload, event_time=AS_OF, known_at=AS_OF, symbol=symbol)


def headline(text: str, symbol: str = "IBM", number: int = 1) -> Evidence:
    payload = {"headline_id": f"h{number}", "text": text, "symbols": [symbol], "source_kind": "newswire"}
    return Evidence.of("headline", "test", payload, event_time=AS_OF, known_at=AS_OF, symbol=symbol, taint=True)


def tone(score: float, symbol: str = "IBM", number: int = 1) -> Evidence:
    payload = {"headline_id": f"h{number}", "score": score, "method": "lexicon"}
    return Evidence.of("sentiment", "lexicon", payload, event_time=AS_OF, known_at=AS_OF, symbol=symbol, taint=True)


def proposal(
    symbol: str = "IBM",
    *,
    kind: ProposalKind = "order.entry",
    strategy: str = "trend",
    evidence: tuple[Evidence, ...] | None = None,
    taint: bool = False,
    thesis: str | None = None,
) -> Proposal:
    entry = kind == "order.entry"
    held = evidence if evidence is not None else (features(symbol),)
    return Proposal(
        id=f"prop_{symbol.lower()}_{strategy}_{kind.rpartition('.')[2]}", run_id="run_1", cycle_id="cyc_1", kind=kind,
        strategy=strategy, symbol=symbol, side="buy" if entry else "sell", quantity=150,
        reference_price=Decimal("127.03"), band=PriceBand(low=Decimal("125.18"), high=Decimal("128.88")),
        stop_price=Decimal("122.41") if entry else None, atr=Decimal("1.85"),
        risk_effect="increases" if entry else "reduces", horizon_sessions=20, strength=0.3674, confidence=0.55,
        thesis=thesis or f"{symbol} closed at 127.03, above its fifty-session average of 121.25; it keeps its "
        "momentum, with momentum over sixty sessions of 18.4 %.",
        evidence_ids=tuple(item.id for item in held), taint=taint, as_of=AS_OF,
    )  # fmt: skip


def portfolio() -> PortfolioView:
    return PortfolioView(
        equity=Decimal("987654.32"), cash=Decimal("654321.09"), peak_equity=Decimal(1_000_000),
        day_start_equity=Decimal(990_000),
    )  # fmt: skip


def past(count: int, excess: float | None) -> tuple[RecalledCase, ...]:
    return tuple(
        RecalledCase(
            case_id=f"case_{index:016x}", symbol="GE", strategy="trend", similarity=0.81, state=CaseState.SETTLED,
            opened=date(2009, 9, 1), excess_return=excess, summary="trend buy GE",
        )
        for index in range(count)
    )  # fmt: skip


def recall(cases: tuple[RecalledCase, ...], symbol: str = "IBM") -> Evidence:
    returns = [item.excess_return for item in cases if item.excess_return is not None]
    payload = {
        "items": [c.model_dump(include={"case_id", "symbol", "similarity", "excess_return"}) for c in cases],
        "n": len(returns), "mean_excess_return": sum(returns) / len(returns) if returns else None,
    }  # fmt: skip
    return Evidence.of("recall", "memory.recall", payload, event_time=AS_OF, known_at=AS_OF, symbol=symbol)


def decision_brief(
    *candidates: Proposal,
    evidence: tuple[Evidence, ...] = (),
    recalled: Mapping[str, tuple[RecalledCase, ...]] | None = None,
    findings: tuple[Finding, ...] = (),
) -> DecisionBrief:
    held = {item.id: item for item in (*(features(c.symbol) for c in candidates), *evidence)}
    return DecisionBrief(
        run_id="run_1", cycle_id="cyc_1", as_of=AS_OF, candidates=candidates, portfolio=portfolio(),
        evidence=tuple(held.values()), recalled=recalled or {}, findings=findings,
    )  # fmt: skip


def explanation_brief(
    subject: Proposal | None = None,
    *,
    review: Review | None = None,
    evidence: tuple[Evidence, ...] = (),
    recalled: tuple[RecalledCase, ...] = (),
    counterfactual_text: str = "From 156 shares on the order is blocked by trade share; asked were 150.",
    unknowns: tuple[str, ...] = (),
    findings: tuple[Finding, ...] = (),
) -> ExplanationBrief:
    item = subject or proposal()
    said = review or Review(
        proposal_id=item.id, verdict="keep", reasons=(ReviewReason(code="sound", text="Nothing speaks against it."),)
    )
    checks = (
        Check(
            control="trade_share", value=Decimal("0.019293"), limit=Decimal("0.02"), unit="share", verdict="pass",
            rule="house", message="trade share 1.9293 %, within the limit of 2.00 %",
        ),
        Check(
            control="max_notional", value=Decimal("19054.50"), limit=Decimal(50000), unit="money", verdict="pass",
            rule="15c3-5", message="max notional 19,054.50, within the limit of 50,000.00",
        ),
    )  # fmt: skip
    varied = (
        Counterfactual(
            field="quantity", original=Decimal(150), changed=Decimal(156), verdict="block",
            binding_control="trade_share", text=counterfactual_text,
        ),
    )  # fmt: skip
    book = portfolio()
    made = [
        _evidence("proposal", item.model_dump(mode="json") | {"notional": str(item.notional)}, item.symbol),
        _evidence("checks", {"checks": {c.control: {"value": c.value, "limit": c.limit} for c in checks}}, item.symbol),
        _evidence("counterfactual", {"items": [{"field": "quantity", "original": 150, "changed": 156}]}, item.symbol),
        _evidence("review", {"verdict": said.verdict, "factor": said.factor, "reasoner": said.reasoner}, item.symbol),
        _evidence("portfolio", {"equity": book.equity, "cash": book.cash, "drawdown": book.drawdown}, None),
        _evidence("rate", {"series": "UST_10Y", "value": 3.42, "unit": "percent"}, None),
    ]
    held = {one.id: one for one in (features(item.symbol), *made, *evidence)}
    if recalled:
        similar = recall(recalled, item.symbol)
        held[similar.id] = similar
    return ExplanationBrief(
        run_id="run_1", cycle_id="cyc_1", as_of=AS_OF, evidence=tuple(held.values()), case_id="case_00000000000000aa",
        proposal=item, review=said, checks=checks, counterfactuals=varied, recalled=recalled, unknowns=unknowns,
        findings=findings,
    )  # fmt: skip


def _evidence(kind: Any, payload: dict[str, Any], symbol: str | None) -> Evidence:
    return Evidence.of(kind, "test", payload, event_time=AS_OF, known_at=AS_OF, symbol=symbol)
