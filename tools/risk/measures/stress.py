"""Put a book through a scenario: what happened once, or what somebody supposes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from tools.errors import ToolRejected
from tools.risk.measures.types import (
    MONEY_STEP,
    SHARE_STEP,
    Book,
    Crossing,
    PositionStress,
    Scenario,
    Shock,
    StressResult,
    Used,
    figure,
)
from tools.risk.types import Limits, PortfolioView

USER = "user"
MARKET = "market"


def put_through(
    scenario: Scenario, book: Book, betas: Mapping[str, float], view: PortfolioView, limits: Limits
) -> StressResult:
    """Move every holding: by its own move, else its sector's, else index times beta (beta 1 where none is known).

    change = value * move, to 0.01; a price falls by 100 % at most. A day that opened with the present losses would
    then show `max_daily_loss` and `max_drawdown` as in `crossings`.
    """
    positions = tuple(_moved(scenario, item.symbol, item.sector, item.value, betas) for item in book.holdings)
    change = sum((item.change for item in positions), Decimal(0))
    after = view.equity + change
    crossings = tuple(
        _crossing(name, start, after, maximum)
        for name, start, maximum in (
            ("max_daily_loss", view.day_start_equity, limits.max_daily_loss),
            ("max_drawdown", max(view.peak_equity, view.equity), limits.max_drawdown),
        )
        if start > 0
    )
    return StressResult(
        scenario=scenario, positions=positions, change=change, loss_share=(-change / view.equity).quantize(SHARE_STEP),
        equity_after=after, crossings=crossings,
    )  # fmt: skip


def _moved(scenario: Scenario, symbol: str, sector: str, value: Decimal, betas: Mapping[str, float]) -> PositionStress:
    move, used, beta, source = _move_of(scenario, symbol, sector, betas)
    change = (value * Decimal(repr(figure(move)))).quantize(MONEY_STEP)
    return PositionStress(
        symbol=symbol,
        sector=sector,
        value=value.quantize(MONEY_STEP),
        move=figure(move),
        change=change,
        used=used,
        beta=beta,
        source=source,
    )


def _move_of(
    scenario: Scenario, symbol: str, sector: str, betas: Mapping[str, float]
) -> tuple[float, Used, float | None, str]:
    if symbol in scenario.symbol_moves:
        return scenario.symbol_moves[symbol], "own", None, scenario.symbol_source
    if sector in scenario.sector_moves:
        return scenario.sector_moves[sector], "sector", None, scenario.sector_source
    market = scenario.market_move
    if market is None:
        return 0.0, "untouched", None, "no move supposed"
    if symbol in betas:
        return max(-1.0, market * betas[symbol]), "beta", betas[symbol], scenario.market_source
    return max(-1.0, market), "assumed_beta", 1.0, scenario.market_source


def _crossing(name: str, start: Decimal, after: Decimal, maximum: Decimal) -> Crossing:
    value = max(Decimal(0), 1 - after / start).quantize(SHARE_STEP, rounding=ROUND_CEILING)
    return Crossing.model_validate({"limit": name, "value": value, "maximum": maximum, "crossed": value > maximum})


def supposed(shocks: Iterable[Shock]) -> Scenario:
    """A scenario of a person's own shocks; ToolRejected `shock_twice` when one target is given two moves.

    A move of the market reaches a name times its beta; a sector's or a name's move is taken as it is.
    """
    market: float | None = None
    sectors: dict[str, float] = {}
    symbols: dict[str, float] = {}
    given: set[tuple[str, str | None]] = set()
    for shock in shocks:
        key = (shock.scope, shock.target)
        if key in given:
            raise ToolRejected(f"{shock.target or MARKET} is shocked twice: give one move each", code="shock_twice")
        given.add(key)
        if shock.scope == "market":
            market = float(shock.move)
        elif shock.target is None:
            raise ToolRejected(f"a {shock.scope} shock needs a target: name the {shock.scope}", code="shock_target")
        else:
            (sectors if shock.scope == "sector" else symbols)[shock.target] = float(shock.move)
    if not given:
        raise ToolRejected("no shock was given: name at least one, e.g. market=-10%", code="no_shock")
    return Scenario(
        id=USER, name="supposed moves", market_move=market, sector_moves=sectors, symbol_moves=symbols,
        market_source="supposed move of the index", sector_source="supposed move of the sector",
        symbol_source="supposed move of the name",
    )  # fmt: skip


def read_shocks(text: str, *, symbols: Collection[str], sectors: Collection[str]) -> tuple[Shock, ...]:
    """Read `market=-10%, Energy=-20%, AAPL=-30%`; ToolRejected `bad_shock` names the part that is wrong.

    A target is `market`, a symbol or a sector, whatever its case; the move is a percentage between -100 and +1000.
    """
    return tuple(_read(part.strip(), symbols, sectors) for part in text.split(",") if part.strip())


def _read(part: str, symbols: Collection[str], sectors: Collection[str]) -> Shock:
    target, _, move = (piece.strip() for piece in part.rpartition("="))
    number = move.removesuffix("%").strip()
    unsigned = number.lstrip("+-").replace(".", "", 1)
    if not target or not move.endswith("%") or not unsigned.isascii() or not unsigned.isdigit():
        raise ToolRejected(f"{part!r} is not a shock: write target=percent, e.g. market=-10%", code="bad_shock")
    fraction = Decimal(number) / 100
    if not -1 <= fraction <= 10:
        raise ToolRejected(f"{part!r} moves by {number} %: give -100 to 1000 %", code="bad_shock")
    if target.lower() == MARKET:
        return Shock(scope="market", move=fraction)
    if target.upper() in symbols:
        return Shock(scope="symbol", target=target.upper(), move=fraction)
    named = next((name for name in sorted(sectors) if name.lower() == target.lower()), None)
    if named is None:
        raise ToolRejected(
            f"{target!r} is neither market, nor a known symbol, nor a sector of {', '.join(sorted(sectors))}",
            code="bad_shock",
        )
    return Shock(scope="sector", target=named, move=fraction)
