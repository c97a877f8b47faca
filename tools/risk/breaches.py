"""Passive breaches: limits that the book has passed without an order, because prices moved."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from tools.risk.control import SHARE_STEP, exact, label, render
from tools.risk.groups import Groups, within
from tools.risk.types import Limits, PortfolioView
from tools.types import Frozen


class Breach(Frozen):
    """One limit passed by the book itself. `value` and `limit` are shares of equity, rounded as in a check."""

    control: str
    subject: str
    value: Decimal
    limit: Decimal

    @property
    def text(self) -> str:
        """One sentence with its figures."""
        what = f"{label(self.control)} of {self.subject}" if self.subject else label(self.control)
        return f"{what} is {render(self.value, 'share')}, above {render(self.limit, 'share')}, without an order"


class _Measure(NamedTuple):
    control: str
    subject: str
    amount: Decimal
    limit: Decimal


def passive_breaches(portfolio: PortfolioView, limits: Limits, groups: Groups | None = None) -> tuple[Breach, ...]:
    """Every share of the book above its limit with nothing pending, by control and subject; equality is none.

    With no equity left every exposure is a breach of the limit it stands against.
    """
    found = []
    for control, subject, amount, limit in _measures(portfolio, limits, groups):
        if amount <= 0:
            continue
        share = exact(amount / portfolio.equity, "share") if portfolio.equity > 0 else limit + SHARE_STEP
        if share > limit:
            found.append(Breach(control=control, subject=subject, value=share, limit=limit))
    return tuple(sorted(found, key=lambda item: (item.control, item.subject)))


def _measures(portfolio: PortfolioView, limits: Limits, groups: Groups | None) -> Iterator[_Measure]:
    values = {item.symbol: abs(item.market_value) for item in portfolio.positions}
    for symbol, value in values.items():
        yield _Measure("position_share", symbol, value, limits.max_position_share)
        group = within(groups, symbol, set(values)) or ()
        if len(group) > 1:
            yield _Measure("group_share", symbol, sum((values[n] for n in group), Decimal(0)), limits.max_group_share)
    for sector in {item.sector for item in portfolio.positions}:
        total = sum((values[item.symbol] for item in portfolio.positions if item.sector == sector), Decimal(0))
        yield _Measure("sector_share", sector, total, limits.max_sector_share)
    risk = sum((item.open_risk for item in portfolio.positions), Decimal(0))
    yield _Measure("gross_share", "", portfolio.gross, limits.max_gross_share)
    yield _Measure("net_share", "", abs(portfolio.net), limits.max_net_share)
    yield _Measure("total_open_risk", "", risk, limits.max_total_open_risk)
    left = portfolio.equity - risk
    stressed = portfolio.gross / left * portfolio.equity if left > 0 else portfolio.gross * (1 + limits.max_leverage)
    yield _Measure("leverage", "", stressed, limits.max_leverage)
