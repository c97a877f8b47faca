"""What one cycle computes from the market: pure functions of (market, as_of, book), so a restart repeats them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Literal

from pipeline.desk import Desk
from pipeline.risk_inputs import history_of, known_scenarios
from tools.canonical import stable_id
from tools.data import asof, quality
from tools.data.evidence import observation_evidence
from tools.data.types import Headline, MarketData, Panel, QualityIssue
from tools.errors import DataError
from tools.risk.groups import Groups, correlated
from tools.risk.measures.types import History, Scenario
from tools.risk.protection import ProtectionState
from tools.risk.types import PortfolioView
from tools.semantic.signals import headline_readings, headline_signals
from tools.strategy import drafting
from tools.strategy.drafting import Drafted
from tools.strategy.features import compute
from tools.strategy.generators import exits, reversion, trend
from tools.strategy.regime import TREND, regime_of
from tools.strategy.sizing_types import Edge
from tools.strategy.types import Candidate, Features
from tools.types import Evidence, Proposal, Signal, Tick

LOOKBACK = 130
HEADLINE_DAYS = 7


def regime_at(market: MarketData, index: int) -> str:
    """The regime at the close of a session, from what was known then; "" where the index has holes."""
    day = market.sessions[index]
    as_of = market.tick(day, "close").as_of
    try:
        return regime_of([market.index_close(d, as_of) for d in market.sessions[max(0, index - TREND + 1) : index + 1]])
    except DataError:
        return ""


Part = Literal["close", "open", "night"]
"""Of a session: its close, the open before it, or the time after its close. Only the close is a whole cycle."""


@dataclass
class CycleWork:
    """One close tick of one run; for unattended exits also its open, or the night after it."""

    desk: Desk
    index: int
    part: Part = "close"

    @cached_property
    def tick(self) -> Tick:
        return self.desk.tick(self.index, "open" if self.part == "open" else "close")

    @property
    def cycle_id(self) -> str:
        if self.part == "close":
            return self.desk.cycle_id(self.index)
        return stable_id("cyc", self.desk.run_id, self.tick.session, self.part)

    @cached_property
    def panel(self) -> Panel:
        return self.desk.market.panel(self.tick.as_of, LOOKBACK)

    @cached_property
    def features(self) -> dict[str, Features]:
        return compute(self.panel)

    @cached_property
    def groups(self) -> Groups:
        return correlated(self.panel, float(self.desk.law.limits.group_correlation))

    @cached_property
    def headlines(self) -> tuple[Headline, ...]:
        since = self.tick.as_of - timedelta(days=HEADLINE_DAYS)
        return self.desk.market.headlines(since, self.tick.as_of)

    @cached_property
    def text_signals(self) -> tuple[Signal, ...]:
        """Capped, tainted signals from the headlines of names in the universe."""
        return headline_signals(self.headlines, self.tick.as_of, symbols=frozenset(self.desk.market.symbols))

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """What every agent of this cycle may see: index, rates, macro, headlines; all of it known by now."""
        seen = [observation_evidence(item) for item in self.desk.market.observations(self.tick.as_of)]
        seen += headline_readings(self.headlines, self.tick.as_of)
        return asof.read({item.id: item for item in seen}.values(), self.tick.as_of)

    @cached_property
    def issues(self) -> tuple[QualityIssue, ...]:
        return quality.inspect(self.desk.market, self.tick)

    def candidates(self, portfolio: PortfolioView) -> tuple[Candidate, ...]:
        """Wishes of all generators: exits first, then entries."""
        as_of = self.tick.as_of
        return (
            *exits.candidates(
                self.panel, self.features, portfolio.positions, self.index, as_of, self.desk.law.limits.exits
            ),
            *trend.candidates(self.panel, self.features, as_of),
            *reversion.candidates(self.panel, self.features, as_of),
        )

    @cached_property
    def history(self) -> History:
        """Returns that the measures of risk read, the same for every case of the cycle."""
        return history_of(self.desk.market, self.panel, self.tick.as_of)

    @cached_property
    def regime(self) -> str:
        """The market's regime at this session's last known close."""
        return regime_at(self.desk.market, self.index if self.part != "open" else self.index - 1)

    @cached_property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Stress scenarios that were known by now."""
        return known_scenarios(self.desk.market, self.tick.as_of)

    def draft(
        self,
        portfolio: PortfolioView,
        candidates: tuple[Candidate, ...],
        edges: Mapping[str, Edge],
        protection: ProtectionState,
    ) -> tuple[Drafted, ...]:
        """Sized proposals; an entry in a name that is in the headlines carries that tainted evidence."""
        drafted = drafting.draft(
            candidates, portfolio=portfolio, limits=self.desk.law.limits, run_id=self.desk.run_id,
            cycle_id=self.cycle_id, as_of=self.tick.as_of, edges=edges, protection=protection,
        )  # fmt: skip
        return tuple(item._replace(proposal=self._with_text(item.proposal)) for item in drafted)

    def _with_text(self, proposal: Proposal) -> Proposal:
        about = [item.id for item in self.evidence if item.taint and item.symbol == proposal.symbol]
        if not about or proposal.risk_effect == "reduces":
            return proposal
        return proposal.model_copy(update={"evidence_ids": (*proposal.evidence_ids, *about), "taint": True})
