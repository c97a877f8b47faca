"""Every control of an order: a real proposal in a real book that it lets pass, and the same beyond its limit.

The situation is that of a scratch desk before its first order: proposal, book and market as the cycle itself makes
them, under the limits given. Only the lists of names are taken out of the limits, for the names here are the drill's.
A provocation changes what provokes its control and nothing else; what other controls make of it is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from memory.tables import RunRow
from pipeline.book import market_view
from pipeline.desk import Desk
from pipeline.drills.report import Line
from pipeline.drills.scratch import DrillError
from pipeline.flow import checked_view
from pipeline.work import CycleWork
from tools.risk.control import SHARE_STEP, Situation, label
from tools.risk.controls import CONTROLS, check_order, verdict
from tools.risk.protection import ProtectionState
from tools.risk.types import Check, Limits, OwnOrder, PositionView

PREFIX = "control:"
CENT = Decimal("0.01")
OTHER = "OTHER"
"""A name beside the proposal's, in a sector of its own unless a provocation says otherwise."""


def calm_situation(desk: Desk, limits: Limits) -> Situation:
    """The first entry that the desk would draft under these limits and that every control lets pass.

    DrillError when there is none: then nothing could be bought under them at all.
    """
    limits = limits.model_copy(update={"restricted": (), "permitted": None})
    work = CycleWork(replace(desk, law=replace(desk.law, limits=limits)), desk.run().session_index + 1)
    why = "it drafts no entry"
    with desk.db.read() as session:
        run = session.get_one(RunRow, desk.run_id)
        view = checked_view(session, run, desk.market, work.tick, limits)
        for item in work.draft(view, work.candidates(view), {}, ProtectionState()):
            proposal = item.proposal
            seen = market_view(
                session, run, desk.market, work.tick, proposal.symbol, price=proposal.reference_price,
                atr=proposal.atr, adv=Decimal(str(round(work.features[proposal.symbol].adv_20, 2))),
                known_at=work.tick.as_of, groups=work.groups,
            )  # fmt: skip
            checks = check_order(proposal, view, seen, limits)
            if verdict(checks) != "block":
                return Situation(proposal, view, seen, limits)
            why = next(check.message for check in checks if check.verdict == "block")
    raise DrillError(f"the scratch desk has no order that passes every control under these limits: {why}")


def _order(now: Situation, **changes: Any) -> Situation:
    return replace(now, proposal=now.proposal.model_copy(update=changes))


def _book(now: Situation, **changes: Any) -> Situation:
    return replace(now, portfolio=now.portfolio.model_copy(update=changes))


def _market(now: Situation, **changes: Any) -> Situation:
    return replace(now, market=now.market.model_copy(update=changes))


def _limits(now: Situation, **changes: Any) -> Situation:
    return replace(now, limits=now.limits.model_copy(update=changes))


def _price(now: Situation) -> Decimal:
    return now.market.price or now.proposal.reference_price


def _money(now: Situation) -> Decimal:
    """The proposal's own money at the top of its band."""
    return max(_price(now), now.proposal.band.high) * now.proposal.quantity


def _held(now: Situation, money: Decimal, symbol: str = OTHER, **changes: Any) -> Situation:
    """The book with a position worth at least `money`, in one-dollar shares unless it is the proposal's own name."""
    mark = _price(now) if symbol == now.proposal.symbol else Decimal(1)
    position = PositionView(
        symbol=symbol, quantity=int(money / mark) + 1, average_price=mark, mark=mark, sector="another sector",
        strategy=now.proposal.strategy, opened_session_index=0, stop_price=mark,
    )  # fmt: skip
    return _book(now, positions=(*now.portfolio.positions, position.model_copy(update=changes)))


def _crowd(now: Situation) -> Situation:
    """As many other names in the book as are allowed."""
    for number in range(now.limits.max_open_positions):
        now = _held(now, Decimal(1), f"N{number}")
    return now


def _of_equity(now: Situation, share: Decimal) -> Decimal:
    return share * now.portfolio.equity


def _own(now: Situation, **changes: Any) -> OwnOrder:
    """An order of ours like the proposal, just written and live."""
    order = OwnOrder(
        symbol=now.proposal.symbol, side=now.proposal.side, quantity=now.proposal.quantity, age_seconds=1.0, live=True
    )
    return order.model_copy(update=changes)


def _fallen(now: Situation, share: Decimal) -> Decimal:
    """Equity after a fall of one step more than this share."""
    return (1 - share - SHARE_STEP) * now.portfolio.equity


def _exit(now: Situation, more: int) -> Situation:
    """A sale of a position of the proposal's size, and so many shares more."""
    size = now.proposal.quantity
    held = _held(now, Decimal(0), now.proposal.symbol, quantity=size)
    return _order(held, kind="order.exit", side="sell", risk_effect="reduces", stop_price=None, quantity=size + more)


def _unchanged(now: Situation) -> Situation:
    return now


class Provocation(NamedTuple):
    """What makes a control block, and from which situation it lets pass."""

    provoke: Callable[[Situation], Situation]
    calm: Callable[[Situation], Situation] = _unchanged


PROVOCATIONS: Mapping[str, Provocation] = {
    "reduce_only": Provocation(lambda now: _exit(now, 1), lambda now: _exit(now, 0)),
    "short_permission": Provocation(
        lambda now: _market(
            _order(now, side="sell", stop_price=now.proposal.reference_price + now.proposal.atr), borrow_available=False
        )
    ),
    "stop_side": Provocation(lambda now: _order(now, stop_price=now.proposal.reference_price)),
    "restricted": Provocation(lambda now: _limits(now, restricted=(now.proposal.symbol,))),
    "permitted": Provocation(
        lambda now: _limits(now, permitted=(OTHER,)), lambda now: _limits(now, permitted=(now.proposal.symbol,))
    ),
    "symbol_halted": Provocation(lambda now: _market(now, halted=True)),
    "volatility_pause": Provocation(lambda now: _market(now, volatility_paused=True)),
    "trading_day": Provocation(lambda now: _market(now, trading_day=False)),
    "trading_hours": Provocation(lambda now: _market(now, in_hours=False)),
    "unknown_order": Provocation(lambda now: _market(now, unknown_order=True)),
    "clock_skew": Provocation(lambda now: _market(now, clock_skew_seconds=now.limits.max_clock_skew_seconds + 0.1)),
    "stale_data": Provocation(lambda now: _market(now, data_age_hours=now.limits.max_data_age_hours + 0.1)),
    "price_collar": Provocation(lambda now: _market(now, price=now.proposal.band.high + CENT)),
    "max_notional": Provocation(lambda now: _order(now, quantity=int(now.limits.max_order_notional / _price(now)) + 1)),
    "min_notional": Provocation(
        lambda now: _limits(now, min_order_notional=_price(now) * now.proposal.quantity + CENT)
    ),
    "max_quantity": Provocation(lambda now: _order(now, quantity=now.limits.max_order_quantity + 1)),
    "message_rate": Provocation(
        lambda now: _book(now, orders=(_own(now, symbol=OTHER),) * now.limits.max_orders_per_minute)
    ),
    "duplicate_order": Provocation(lambda now: _book(now, orders=(_own(now),))),
    "self_cross": Provocation(lambda now: _book(now, orders=(_own(now, side="sell", price=now.proposal.band.high),))),
    "adv_share": Provocation(
        lambda now: _market(now, adv=_price(now) * now.proposal.quantity / (now.limits.max_adv_share + SHARE_STEP))
    ),
    "trade_share": Provocation(
        lambda now: _order(now, quantity=int(_of_equity(now, now.limits.max_trade_share) / _price(now)) + 1)
    ),
    "position_share": Provocation(
        lambda now: _held(now, _of_equity(now, now.limits.max_position_share), now.proposal.symbol)
    ),
    "sector_share": Provocation(
        lambda now: _held(now, _of_equity(now, now.limits.max_sector_share), sector=now.market.sector)
    ),
    "group_share": Provocation(
        lambda now: _market(_held(now, _of_equity(now, now.limits.max_group_share)), group=(now.proposal.symbol, OTHER))
    ),
    "gross_share": Provocation(lambda now: _held(now, _of_equity(now, now.limits.max_gross_share))),
    "net_share": Provocation(lambda now: _held(now, _of_equity(now, now.limits.max_net_share))),
    "leverage": Provocation(lambda now: _held(now, _of_equity(now, now.limits.max_leverage))),
    "total_open_risk": Provocation(
        lambda now: _held(now, _of_equity(now, now.limits.max_total_open_risk), stop_price=None)
    ),
    "daily_loss": Provocation(lambda now: _book(now, equity=_fallen(now, now.limits.max_daily_loss))),
    "drawdown": Provocation(lambda now: _book(now, equity=_fallen(now, now.limits.max_drawdown))),
    "loss_streak": Provocation(lambda now: _book(now, loss_streak=now.limits.max_loss_streak + 1)),
    "trades_per_day": Provocation(lambda now: _book(now, trades_today=now.limits.max_trades_per_day)),
    "automatic_executions": Provocation(
        lambda now: _book(now, automatic_executions={now.proposal.strategy: now.limits.max_automatic_executions})
    ),
    "max_open_positions": Provocation(_crowd),
    "buying_power": Provocation(lambda now: _book(now, cash=_money(now) - CENT)),
    "settled_cash": Provocation(lambda now: _book(now, settled_cash=_money(now) - CENT)),
}
"""One for every control of the registry. The limits stay those given, but where a limit itself is what is wrong
(lists of names) or may be zero and then never binds (`min_notional`)."""


def control_names() -> tuple[str, ...]:
    """A line for every control there is, and for every provocation whose control is gone."""
    return tuple(PREFIX + name for name in dict.fromkeys([*CONTROLS, *PROVOCATIONS]))


def drill_control(name: str, calm: Situation) -> Line:
    """Hold one control against its two situations; it fires when it passes the one and blocks the other."""
    control = name.removeprefix(PREFIX)
    provocation = PROVOCATIONS.get(control)
    if control not in CONTROLS:
        return Line.of(name, ["no control has this name any more: remove its provocation"], "")
    if provocation is None:
        return Line.of(name, ["nothing provokes this control: write its provocation into PROVOCATIONS"], "")
    calm = provocation.calm(calm)
    before, after = _check(control, calm), _check(control, provocation.provoke(calm))
    failures = []
    if before.verdict == "block":
        failures.append(f"it blocks what it must let pass: {before.message}")
    if after.verdict != "block":
        failures.append(f"it lets pass what it must block: {after.message}")
    elif after.value is None:
        failures.append(f"it blocks for want of an input and not for what was provoked: {after.message}")
    return Line.of(name, failures, f"blocked: {_said(after)}; passed: {_said(before)}")


def _check(control: str, now: Situation) -> Check:
    found = check_order(now.proposal, now.portfolio, now.market, now.limits)
    return next(check for check in found if check.control == control)


def _said(check: Check) -> str:
    return check.message.removeprefix(label(check.control)).strip(" :")
