"""Budgets of model calls, in tokens and in money: set aside in SQL before a call, settled after it.

Every process of a home draws on the same rows, in a write transaction each. A call that was never settled, because its
process died, stays spent. Days are those of the wall clock (UTC); a clock turned back gives nothing back.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from sqlmodel import Session, col, select

from agents.opinion import Usage
from memory.database import Database
from memory.tables import SpendRow
from pipeline.settings import Settings
from pipeline.store import Store, active_run, never_back, now
from tools.types import Frozen

CHAT = "chat"
"""The cycle of calls that belong to none. It has no end, so the budget of a cycle does not bind it."""
Scope = Literal["call", "cycle", "day", "run"]
Amount = int | Decimal


class _Line(NamedTuple):
    """One budget. `limit` None is no limit; `spent` counts what is set aside."""

    scope: Scope
    unit: Literal["tokens", "money"]
    limit: Amount | None
    spent: Amount


class BudgetLine(Frozen):
    """One budget as people see it. `left` is None where there is no limit, and never below zero."""

    scope: Scope
    unit: Literal["tokens", "money"]
    limit: Decimal | None
    spent: Decimal
    left: Decimal | None


class PricedModel(Frozen):
    """Money for a thousand tokens; None where a model has no price. Without one a budget of money lets no call go."""

    model: str
    asked: Decimal | None
    answered: Decimal | None


class BudgetView(Frozen):
    """What model calls may still cost; the cycle is the last that asked.

    `unsettled` calls are under way, or their process died: they stay spent.
    """

    run: str | None
    day: date
    lines: tuple[BudgetLine, ...]
    models: tuple[PricedModel, ...]
    unsettled: int
    unpriced_calls: int


class SpendBudget:
    """The budget of one cycle of one run, under those of the day and of the run."""

    def __init__(self, db: Database, settings: Settings, run_id: str, cycle_id: str) -> None:
        self._db = db
        self._settings = settings
        self._run_id = run_id
        self._cycle_id = cycle_id

    def reserve(self, call: str, model_id: str, most: Usage) -> int | None:
        """Set `most` aside; None when some budget does not cover it, or money is limited and the price unknown."""
        settings = self._settings
        price = settings.prices.get(model_id)
        if price is None and limits_money(settings):
            return None
        money = price.of(*most) if price else None
        with self._db.write() as session:
            at = never_back(session, now())
            lines = _lines(session, settings, self._run_id, self._cycle_id, at.date())
            for line in lines:
                wanted = most.total if line.unit == "tokens" else money or Decimal(0)
                if line.limit is not None and line.spent + wanted > line.limit:
                    return None
            row = SpendRow(
                run_id=self._run_id, cycle_id=self._cycle_id, call=call, model_id=model_id, day=at.date(),
                tokens=most.total, money=money, at_wall=at,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    def settle(self, reservation: int, used: Usage) -> Decimal | None:
        """Put what was used in the place of what was set aside; returns its cost, None without a price."""
        with self._db.write() as session:
            row = session.get_one(SpendRow, reservation)
            price = self._settings.prices.get(row.model_id)
            row.tokens, row.money, row.settled = used.total, price.of(*used) if price else None, True
            session.add(row)
            return row.money


def limits_money(settings: Settings) -> bool:
    """True when some budget is in money."""
    given = (settings.model_money_per_call, settings.model_money_per_cycle, settings.model_money_per_day)
    return any(limit is not None for limit in given)


def budget_view(store: Store) -> BudgetView:
    """What is spent and left for the active run today, and what the configured models cost."""
    settings = store.settings
    with store.db.read() as session:
        run = active_run(session)
        day = never_back(session, now()).date()
        latest = select(SpendRow.cycle_id).where(SpendRow.run_id == (run.id if run else ""), SpendRow.cycle_id != CHAT)
        cycle_id = session.exec(latest.order_by(col(SpendRow.id).desc()).limit(1)).first() or CHAT
        lines = _lines(session, settings, run.id if run else "", cycle_id, day)
        today = session.exec(select(SpendRow.settled, col(SpendRow.money)).where(SpendRow.day == day)).all()
    names = (settings.model_id, settings.model_id_deep, *(item.model_id for item in settings.fallbacks))
    prices = {name: settings.prices.get(name) for name in names if name}
    return BudgetView(
        run=run.id if run else None, day=day, lines=tuple(_shown(line) for line in lines),
        models=tuple(
            PricedModel(model=name, asked=price.asked if price else None, answered=price.answered if price else None)
            for name, price in prices.items()
        ),
        unsettled=sum(not settled for settled, _ in today), unpriced_calls=sum(money is None for _, money in today),
    )  # fmt: skip


def _lines(session: Session, settings: Settings, run_id: str, cycle_id: str, day: date) -> list[_Line]:
    cycle = () if cycle_id == CHAT else (SpendRow.run_id == run_id, SpendRow.cycle_id == cycle_id)
    of_cycle = _sum(session, *cycle) if cycle else (0, Decimal(0))
    of_day, of_run = _sum(session, SpendRow.day == day), _sum(session, SpendRow.run_id == run_id)
    return [
        _Line("call", "tokens", settings.model_tokens_per_call, 0),
        _Line("cycle", "tokens", settings.model_tokens_per_cycle, of_cycle[0]),
        _Line("day", "tokens", settings.model_tokens_per_day, of_day[0]),
        _Line("run", "tokens", settings.model_token_budget, of_run[0]),
        _Line("call", "money", settings.model_money_per_call, Decimal(0)),
        _Line("cycle", "money", settings.model_money_per_cycle, of_cycle[1]),
        _Line("day", "money", settings.model_money_per_day, of_day[1]),
    ]


def _sum(session: Session, *where: bool) -> tuple[int, Decimal]:
    rows = session.exec(select(SpendRow.tokens, col(SpendRow.money)).where(*where)).all()
    return sum(tokens for tokens, _ in rows), sum((money for _, money in rows if money is not None), Decimal(0))


def _shown(line: _Line) -> BudgetLine:
    limit = None if line.limit is None else Decimal(line.limit)
    spent = Decimal(line.spent)
    left = None if limit is None else max(limit - spent, Decimal(0))
    return BudgetLine(scope=line.scope, unit=line.unit, limit=limit, spent=spent, left=left)
