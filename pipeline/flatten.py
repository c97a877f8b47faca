"""Closing positions under a halt: one protected, capped, reduce-only child order per symbol and session.

What may be closed is the smaller of our book and the broker's, less every order that is closing it already. An
order in doubt is asked for first, and while nobody knows, it counts as closing all of its rest. A child is a limit
order for the next open, no further than the protection from the last close, and no larger than the cap on the
session's average volume; what is left waits for the open after it.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import NamedTuple

from sqlmodel import Session, select

from memory.ledger import Entry, Stage, append
from memory.tables import ActivationRow, HaltRow, OrderRow, PositionRow, RunRow
from pipeline import grants, parents
from pipeline.book import live_orders, open_positions
from pipeline.booking import apply_report
from pipeline.execution import dispatch
from pipeline.halt_scope import cases_of_order, closes
from pipeline.order_ends import desk_tick
from pipeline.store import Store
from pipeline.submission import add_order, at_open, order_id
from tools.errors import ConfigError, ExecutionError, RetryableToolError
from tools.execution.types import Broker, OrderRequest, OrderState
from tools.risk.halt_policy import HaltPolicy
from tools.risk.limits import default_limits_text, load_limits
from tools.strategy.types import Features
from tools.types import Side

CENT = Decimal("0.01")
BETWEEN_OPEN_AND_CLOSE = "traded"
"""The stage of a session whose open is over: its stops still work, and no order can reach its open any more."""


class Progress(NamedTuple):
    """Positions that a flatten still has to close, and what stands in its way, one sentence each."""

    open: int
    problems: tuple[str, ...]


def halt_policy(session: Session) -> HaltPolicy:
    """The activated bounds; the shipped ones where an older limits file has none, for a halt must work anyway."""
    query = select(ActivationRow).where(ActivationRow.kind == "limits").order_by(ActivationRow.id.desc())  # type: ignore[union-attr]
    row = session.exec(query.limit(1)).first()
    try:
        return load_limits(row.body if row else default_limits_text()).halts
    except ConfigError:
        return load_limits(default_limits_text()).halts


def note_references(session: Session, run_id: str, features: dict[str, Features]) -> None:
    """Keep with each position what closing it needs: ATR and average volume of this close."""
    for position in open_positions(session, run_id):
        seen = features.get(position.symbol)
        if seen is not None and seen.close > 0:
            position.atr = Decimal(str(round(seen.atr_14, 4)))
            position.adv_shares = int(seen.adv_20 / seen.close)
            session.add(position)


def remaining(session: Session, run_id: str, halt: HaltRow) -> tuple[PositionRow, ...]:
    """Positions that the halt is to close and that are still open."""
    named = [p for p in open_positions(session, run_id) if closes(session, halt, p)]
    return tuple(p for p in named if _share_of(session, halt, p) > 0)


def go_on(store: Store, broker: Broker, run: RunRow, halt: HaltRow) -> Progress:
    """Send what may be sent for the next open. The second time in a session nothing more is sent."""
    with store.db.read() as session:
        run = session.get_one(RunRow, run.id)
        left = remaining(session, run.id, halt)
    if not left:
        return Progress(0, ())
    if run.stage == BETWEEN_OPEN_AND_CLOSE:
        return Progress(len(left), ("the open is over: orders go out for the next one",))
    try:
        there = broker.positions()
    except RetryableToolError as error:
        return Progress(len(left), (f"the broker does not say what it holds: {error}",))
    problems: list[str] = []
    names: list[str] = []
    for position in left:
        problems += _clear_way(store, broker, run, position)
        name = _write_child(store, run, halt, position.symbol, there.get(position.symbol, 0))
        names += [name] if name else []
    if names:
        with store.db.read() as session:
            tick = desk_tick(session, run)
        dispatch(store, broker, run.id, tick, frozenset(names))
    return Progress(len(left), tuple(problems))


def _clear_way(store: Store, broker: Broker, run: RunRow, position: PositionRow) -> list[str]:
    """Ask for orders in doubt and take the protective stop back; what does not answer goes on counting."""
    problems = []
    with store.db.read() as session:
        tick = desk_tick(session, run)
        orders = [o for o in live_orders(session, run.id) if o.symbol == position.symbol]
    for order in orders:
        in_doubt = order.state == OrderState.UNKNOWN.value
        if not in_doubt and order.leg != "stop":
            continue
        try:
            reported = broker.cancel(order.client_order_id) if order.leg == "stop" else None
            reported = reported or broker.find(order.client_order_id)
        except (RetryableToolError, ExecutionError) as error:
            problems.append(f"{order.symbol}: {order.client_order_id} does not answer ({error})")
            continue
        if reported is None:
            problems.append(f"{order.symbol}: nobody knows {order.client_order_id}")
            continue
        with store.db.write() as session:
            apply_report(session, reported, tick)
    return problems


def _write_child(store: Store, run: RunRow, halt: HaltRow, symbol: str, there: int) -> str | None:
    """Write the session's child order under its own mandate; its id, or None when nothing may be sent."""
    with store.db.write() as session:
        stored = session.get_one(RunRow, run.id)
        position = session.get(PositionRow, (run.id, symbol))
        index = stored.session_index + (stored.stage not in ("opening", "acted"))
        if (
            position is None
            or stored.stage == BETWEEN_OPEN_AND_CLOSE
            or session.get_one(HaltRow, halt.id).released_wall
        ):
            return None
        case_id = f"{halt.id}:{symbol}"
        name = order_id(run.id, case_id, "flatten", index)
        if session.get(OrderRow, name) is not None:
            return name
        rules = halt_policy(session)
        quantity = min(_free(session, run.id, position, there), _share_of(session, halt, position))
        quantity = min(quantity, _left_of_cap(session, run.id, position, rules, index))
        if quantity <= 0:
            return None
        side: Side = "sell" if position.quantity > 0 else "buy"
        limit = protected_price(position, side, rules)
        grant = grants.mint_halt_mandate(
            store, session, halt_id=halt.id, run_id=run.id, symbol=symbol, quantity=quantity,
            principal=halt.principal, index=index,
        )  # fmt: skip
        tick = desk_tick(session, run)
        parent = parents.open_parent(
            session, stored, grant, case_id=case_id, symbol=symbol, side=side, quantity=quantity, at=tick
        )
        request = OrderRequest(
            client_order_id=name, symbol=symbol, side=side, quantity=quantity, order_type="limit",
            limit_price=limit, time_in_force=at_open(run), reduce_only=True,
        )  # fmt: skip
        add_order(
            session, run, request, case_id=case_id, grant_id=grant.id, leg="flatten", attempt=index, at=tick,
            parent=parent,
        )  # fmt: skip
        append(
            session,
            Entry(
                kind="order.flatten", step=f"flatten:{halt.id}:{symbol}:{index}", run_id=run.id, desk_time=tick.as_of,
                stage=Stage.HALT,
                content={
                    "symbol": symbol, "side": side, "quantity": quantity, "held": position.quantity, "limit": limit,
                    "index": index, "reason": halt.reason,
                },
            ),
        )  # fmt: skip
    return name


def protected_price(position: PositionRow, side: Side, rules: HaltPolicy) -> Decimal:
    """Last close less (a sale) or plus (a purchase) the protection, to the cent on the safe side."""
    reach = rules.flatten_protection_share * position.mark
    if position.atr is not None and position.atr > 0:
        reach = rules.flatten_protection_atr * position.atr
    if side == "buy":
        return (position.mark + reach).quantize(CENT, ROUND_DOWN)
    return max(CENT, (position.mark - reach).quantize(CENT, ROUND_UP))


def _free(session: Session, run_id: str, position: PositionRow, there: int) -> int:
    """Shares that nothing closes yet: the smaller of both books, less the rest of every live closing order."""
    sign = 1 if position.quantity > 0 else -1
    side = "sell" if sign > 0 else "buy"
    closing = sum(
        order.quantity - order.filled_quantity
        for order in live_orders(session, run_id)
        if order.symbol == position.symbol and order.side == side
    )
    return min(sign * position.quantity, sign * there) - closing


def _share_of(session: Session, halt: HaltRow, position: PositionRow) -> int:
    """Shares of a position that are the halt's to close: all, or for one order what it bought and was not sold yet."""
    held = abs(position.quantity)
    if halt.scope != "order":
        return held
    cases = cases_of_order(session, halt.target)
    bought = session.exec(select(OrderRow).where(OrderRow.case_id == position.case_id, OrderRow.leg == "entry")).all()
    sold = session.exec(select(OrderRow).where(OrderRow.case_id == f"{halt.id}:{position.symbol}")).all()
    mine = sum(o.filled_quantity for o in bought if o.case_id in cases) - sum(o.filled_quantity for o in sold)
    return min(held, mine)


def _left_of_cap(session: Session, run_id: str, position: PositionRow, rules: HaltPolicy, index: int) -> int:
    """Shares that the participation cap leaves for this session, over all halts; no volume known is no cap."""
    if position.adv_shares is None:
        return abs(position.quantity)
    used = session.exec(
        select(OrderRow).where(
            OrderRow.run_id == run_id, OrderRow.symbol == position.symbol, OrderRow.leg == "flatten",
            OrderRow.attempt == index,
        )
    ).all()  # fmt: skip
    cap = max(1, int(rules.flatten_adv_share * position.adv_shares))
    return cap - sum(max(order.filled_quantity, order.quantity) for order in used)
