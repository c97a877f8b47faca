"""Make the generated part of the labelled set from the cases of a short replay: `python -m tests.evals.make_grounding`.

Every text says something of a real case. A correct one renders its figures in one of the ways in which people write
them; a corrupted one is such a text with one thing changed, and `kind` names what. Texts are ours.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from sqlmodel import col, select

from agents.explanation import rules
from agents.opinion import ExplanationBrief
from memory.recordings import load_blob
from memory.tables import RecordingRow
from pipeline.feed import open_market
from pipeline.headless import run_sessions
from tests.evals.grounding import CASES, GENERATED
from tests.pipeline import life
from tools.canonical import plain
from tools.data.types import MarketData
from tools.risk.measures.types import WhatIf
from tools.types import Evidence

NAMES = ("AMD", "EL", "TXT", "FCX", "PNC", "NEM", "TIF", "HOG", "AXP", "COH", "XOM", "GE", "IBM")
KEPT_KINDS = frozenset({
    "proposal", "features", "sizing", "checks", "counterfactual", "review", "portfolio", "what_if", "recall",
})  # fmt: skip
KEPT_SERIES = frozenset({"SP500", "UST_10Y"})
OTHERS = ("Caterpillar", "Boeing", "Halliburton", "Citigroup")
OTHER_TICKERS = ("CAT", "BA", "HAL", "MSFT")
Line = tuple[str, str, str]


class Facts:
    """The figures of one case that texts are written about."""

    def __init__(self, brief: ExplanationBrief, market: MarketData) -> None:
        order = brief.proposal
        features = _only(brief, "features").payload
        book = _only(brief, "portfolio").payload
        self.symbol, self.name = order.symbol, _spoken(market.instrument(order.symbol).name)
        self.shares, self.stop, self.notional = order.quantity, order.stop_price, order.notional
        self.close, self.average = float(str(features["close"])), float(str(features["sma_50"]))
        self.momentum = float(str(features["momentum_60"]))
        self.equity, self.cash = float(str(book["equity"])), float(str(book["cash"]))
        self.share = next(c for c in brief.checks if c.control == "trade_share")
        found = WhatIf.model_validate(_only(brief, "what_if").payload)
        moved = found.find(found.largest or "gross")
        self.label, self.before, self.after = moved.label, float(moved.before or 0), float(moved.after or 0)
        rate = next(item for item in brief.evidence if item.payload.get("series") == "UST_10Y")
        self.rate, self.rate_day = float(str(rate.payload["value"])), rate.event_time.date()
        self.day: date = order.as_of.date()
        panel = market.panel(order.as_of, 2)
        self.yesterday = float(panel.close[0, panel.column(order.symbol)])


def _only(brief: ExplanationBrief, kind: str) -> Evidence:
    return next(item for item in brief.evidence if item.kind == kind)


def _spoken(name: str) -> str:
    return re.sub(r",? (Inc\.?|Corp\.?|Co\.?|Corporation|Company|Companies|A)$", "", name)


def correct(f: Facts) -> Iterator[tuple[str, str]]:
    """Right renderings by kind."""
    moved = f"{f.before * 100:.2f} % to {f.after * 100:.2f} %"
    used, limit = float(f.share.value or 0), float(f.share.limit or 0)
    grew = "gained" if f.momentum > 0 else "lost"
    over, side = ("above", "higher than") if f.close > f.average else ("below", "lower than")
    yield "plain", f"Buy {f.shares:,} shares of {f.symbol} near {f.close:.2f}. The stop stands at {f.stop:.2f}."
    yield "percent", f"Momentum over sixty sessions is {f.momentum:.4f}, that is {f.momentum * 100:.1f} %."
    yield "percent", f"The order would take {used * 100:.2f} percent of equity, of at most {limit * 100:.0f} percent."
    yield "bps", f"The ten-year yield stands at {f.rate * 100:.0f} basis points."
    yield "bps", f"Trade share is {used * 10_000:.0f} bps of equity, of a limit of {limit * 10_000:.0f} bps."
    yield "sign", f"Momentum over sixty sessions is {f.momentum * 100:+.1f} %."
    yield "sign", f"{f.symbol} {grew} {abs(f.momentum) * 100:.1f} % over sixty sessions."
    yield "rounding", f"It closed near {f.close:.0f}, and momentum is about {f.momentum * 100:.0f} %."
    yield (
        "rounding",
        f"Equity is about {f.equity / 1e6:.2f} million, and the notional {f.notional / 1000:.1f} thousand.",
    )
    yield "thousands", f"The book's equity is {f.equity:,.2f}, its cash {f.cash:,.0f}."
    yield "date", f"Its features were computed from the close of {f.day:%B} {f.day.day}, {f.day.year}."
    yield "date", f"On {f.day.day} {f.day:%b} {f.day.year} it closed at {f.close:.2f}."
    yield "date", f"The ten-year yield was {f.rate:.2f} % on {f.rate_day}."
    yield "name", f"{f.name} closed at {f.close:.2f}, and {f.shares:,} shares of {f.symbol} would be bought."
    yield "name", f"The trend strategy proposes {f.name} ({f.symbol})."
    yield "direction", f"{f.symbol} closed at {f.close:.2f}, {over} its fifty-session average of {f.average:.2f}."
    yield "direction", f"Its close is {side} its fifty-session average of {f.average:.2f}."
    yield "direction", f"By the measure of {f.label}, it would rise from {moved} of equity."
    yield "direction", f"Trade share is {used * 100:.2f} %, below the limit of {limit * 100:.2f} %."


def corrupted(f: Facts, other: Facts, draw: random.Random) -> Iterator[tuple[str, str]]:
    """Wrong ones by what was changed."""
    right = list(correct(f))
    figures = [text for kind, text in right if kind in ("plain", "thousands", "percent")]
    for text in draw.sample(figures, 3):
        yield "wrong_digit", _wrong_digit(text, draw)
    yield "wrong_unit", f"Momentum over sixty sessions is {f.momentum:.4f} %."
    yield "wrong_unit", f"The ten-year yield stands at {f.rate:.2f} basis points."
    yield "wrong_unit", f"The stop stands at {f.stop:.2f} %, and the order is for ${f.shares:,}."
    yield "sign_flipped", f"Momentum over sixty sessions is {-f.momentum * 100:+.1f} %."
    yield "sign_flipped", f"{f.symbol} {'lost' if f.momentum > 0 else 'gained'} {abs(f.momentum) * 100:.1f} %."
    later = f.day + timedelta(days=draw.choice((-9, -4, 6, 33)))
    yield "wrong_date", f"Its features were computed from the close of {later:%B} {later.day}, {later.year}."
    yield "wrong_date", f"On {f.day.day} {f.day:%b} {f.day.year + 1} it closed at {f.close:.2f}."
    yield "wrong_date", f"{f.symbol} closed at {f.close:.2f} on {f.rate_day - timedelta(days=1)}."
    yield "swapped_name", f"{draw.choice(OTHERS)} closed at {f.close:.2f}."
    yield "swapped_name", f"Buy {f.shares:,} shares of {draw.choice(OTHER_TICKERS)} near {f.close:.2f}."
    yield "swapped_name", f"The trend strategy proposes {other.name} ({f.symbol})."
    against, side = ("below", "lower than") if f.close > f.average else ("above", "higher than")
    yield "direction_reversed", f"{f.symbol} closed at {f.close:.2f}, {against} its average of {f.average:.2f}."
    yield "direction_reversed", f"Its close is {side} its fifty-session average of {f.average:.2f}."
    yield (
        "direction_reversed",
        (f"Gross exposure would drop from {f.before * 100:.2f} % to {f.after * 100:.2f} % of equity."),
    )
    yield "direction_reversed", f"Sell {f.shares:,} shares of {f.symbol} near {f.close:.2f}."
    yield "other_symbol", f"{f.symbol} closed at {other.close:.2f}."
    yield "other_symbol", f"Buy {other.shares:,} shares of {f.symbol}, with a stop at {other.stop:.2f}."
    yield "stale", f"{f.symbol} closed at {f.yesterday:.2f}."
    yield "stale", f"Buy {f.shares:,} shares of {f.symbol} near {f.yesterday:.2f}."
    yield "invented", f"Analysts see {f.symbol} at {f.close * 1.17:.2f} within a year."
    yield "invented", f"The chance of a gain is {draw.choice((61, 68, 73, 87))} %."


def _wrong_digit(text: str, draw: random.Random) -> str:
    """Exchange one digit that counts in one number."""
    number = draw.choice([found for found in re.finditer(r"\d[\d,.]*\d", text) if len(found[0]) > 3])
    at = draw.choice([i for i in range(*number.span()) if text[i].isdigit()])
    return text[:at] + str((int(text[at]) + draw.randint(2, 8)) % 10) + text[at + 1 :]


def kept(brief: ExplanationBrief) -> ExplanationBrief:
    """The brief with what texts are about, so that the set stays small."""
    held = [e for e in brief.evidence if e.kind in KEPT_KINDS or e.payload.get("series") in KEPT_SERIES]
    return brief.model_copy(update={"evidence": tuple(held)})


def briefs(home: Path, count: int) -> list[ExplanationBrief]:
    """Play a short replay and read the briefs of one case per symbol."""
    store = life.new_store(home)
    asyncio.run(run_sessions(store, sessions=3, symbols=NAMES, stand_in="approve"))
    found: dict[str, ExplanationBrief] = {}
    with store.db.read() as session:
        query = select(RecordingRow).where(RecordingRow.call == "explanation.explain").order_by(col(RecordingRow.id))
        for row in session.exec(query).all():
            brief = ExplanationBrief.model_validate(load_blob(session, row.input_sha256))
            named = {ref.pointer for claim in rules.explain(brief).claims for ref in claim.numbers}
            if named >= {"/momentum_60", "/sma_50"}:
                found.setdefault(brief.proposal.symbol, kept(brief))
    store.db.dispose()
    return list(found.values())[:count]


def main(count: int = 7) -> None:
    """Write both files."""
    with tempfile.TemporaryDirectory() as folder:
        made = briefs(Path(folder) / "home", count)
    market = open_market(NAMES)
    facts = [Facts(brief, market) for brief in made]
    CASES.write_text(json.dumps({b.proposal.symbol: plain(b) for b in made}, sort_keys=True) + "\n", encoding="utf-8")
    lines = []
    for index, found in enumerate(facts):
        draw = random.Random(found.symbol)
        other = facts[(index + 1) % len(facts)]
        for label, texts in (("correct", correct(found)), ("corrupt", corrupted(found, other, draw))):
            for kind, text in texts:
                lead = f"{found.symbol} is proposed by the trend strategy. " if draw.random() < 0.5 else ""
                lines.append({"case": found.symbol, "label": label, "kind": kind, "text": lead + text})
    GENERATED.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
