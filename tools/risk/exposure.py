"""Exposures of a book by symbol, sector, strategy and agent, and how much of its limit each uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal
from typing import Literal

from tools.risk.control import MONEY_STEP, SHARE_STEP
from tools.risk.types import Limits
from tools.types import Frozen, Symbol

Dimension = Literal["symbol", "sector", "strategy", "agent"]


class ExposureItem(Frozen):
    """One position or pending order: signed money, and whose it is. `agent` is who reviewed its case."""

    symbol: Symbol
    sector: str
    strategy: str
    agent: str
    value: Decimal
    open_risk: Decimal
    pending: bool = False


class Exposure(Frozen):
    """Money of one group. `share` is gross over equity; `use` is share over limit, None where there is no limit."""

    name: str
    long: Decimal
    short: Decimal
    gross: Decimal
    net: Decimal
    pending: Decimal
    open_risk: Decimal
    share: Decimal
    limit: Decimal | None
    use: Decimal | None


class ExposureReport(Frozen):
    """The whole book and its groups, largest first. `equity` is money; shares are rounded up to 1e-6."""

    equity: Decimal
    total: Exposure
    symbol: tuple[Exposure, ...]
    sector: tuple[Exposure, ...]
    strategy: tuple[Exposure, ...]
    agent: tuple[Exposure, ...]


def exposures(items: Iterable[ExposureItem], equity: Decimal, limits: Limits) -> ExposureReport:
    """Group positions and pending orders, which count as filled. `equity` must be positive.

    A pending order that reduces counts like any other: its value is signed.
    """
    listed = tuple(items)

    def grouped(dimension: Dimension, limit: Decimal | None) -> tuple[Exposure, ...]:
        groups: dict[str, list[ExposureItem]] = defaultdict(list)
        for item in listed:
            groups[getattr(item, dimension)].append(item)
        found = [_exposure(name, members, equity, limit) for name, members in groups.items()]
        return tuple(sorted(found, key=lambda one: (-one.gross, one.name)))

    return ExposureReport(
        equity=equity, total=_exposure("book", listed, equity, limits.max_gross_share),
        symbol=grouped("symbol", limits.max_position_share), sector=grouped("sector", limits.max_sector_share),
        strategy=grouped("strategy", None), agent=grouped("agent", None),
    )  # fmt: skip


def _exposure(name: str, items: Iterable[ExposureItem], equity: Decimal, limit: Decimal | None) -> Exposure:
    listed = tuple(items)
    long = _money(item.value for item in listed if item.value > 0)
    short = _money(-item.value for item in listed if item.value < 0)
    share = ((long + short) / equity).quantize(SHARE_STEP, rounding=ROUND_CEILING)
    return Exposure(
        name=name, long=long, short=short, gross=long + short, net=long - short,
        pending=_money(abs(item.value) for item in listed if item.pending),
        open_risk=_money(item.open_risk for item in listed), share=share, limit=limit,
        use=None if limit is None else (share / limit).quantize(SHARE_STEP, rounding=ROUND_CEILING),
    )  # fmt: skip


def _money(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal(0)).quantize(MONEY_STEP)
