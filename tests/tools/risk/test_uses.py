"""The register of controls with limits and uses: complete, true to the checks, and honest where nothing is measured."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tools.risk.situations import AT_AND_BEYOND, LIMITS, book, buy, held, market, placed, waiting
from tools.risk.controls import CONTROLS, check_order
from tools.risk.types import Check
from tools.risk.uses import LIMIT_OF, ControlUse, control_uses

D = Decimal
OF_THE_BOOK = {
    "position_share", "sector_share", "group_share", "gross_share", "net_share", "total_open_risk", "leverage",
    "daily_loss", "drawdown", "max_open_positions", "buying_power", "settled_cash", "message_rate", "trades_per_day",
    "loss_streak", "automatic_executions",
}  # fmt: skip


def uses(view: object = None, checked: tuple[Check, ...] = (), groups: object = None) -> dict[str, ControlUse]:
    found = control_uses(view or book(), LIMITS, checked, groups)  # type: ignore[arg-type]
    return {item.control: item for item in found}


def test_every_control_is_listed_once_in_the_order_of_the_registry() -> None:
    listed = [item.control for item in control_uses(book(), LIMITS, ())]
    assert listed == list(CONTROLS) == sorted(LIMIT_OF, key=list(CONTROLS).index)
    assert {name for name, item in uses().items() if item.basis == "book"} == OF_THE_BOOK


@pytest.mark.parametrize("control", sorted(AT_AND_BEYOND))
def test_the_limit_is_that_of_the_check(control: str) -> None:
    found = AT_AND_BEYOND[control][0]
    check = found.check(control)
    limit = LIMIT_OF[control](found.limits)
    if limit is not None and CONTROLS[control].bound != "band":
        assert Decimal(limit) == check.limit


def test_the_book_is_measured_with_everything_pending_filled() -> None:
    view = book(
        positions=(held("IBM", 100, "100", stop_price=D(90)), held("XOM", 200, "50", sector="Energy")),
        pending=(waiting("IBM", 50, "100"), waiting("HPQ", 100, "30", stop_price=None)),
        orders=(placed(), placed(age_seconds=60.0)), trades_today=2, loss_streak=1, cash=D(16_000),
        automatic_executions={"trend": 1, "reversion": 4}, peak_equity=D(1_250_000), day_start_equity=D(1_010_101),
    )  # fmt: skip
    found = uses(view, groups={"IBM": frozenset({"IBM", "XOM"})})
    values = {name: found[name].value for name in OF_THE_BOOK}
    assert values == {
        "position_share": D("0.015"), "sector_share": D("0.018"), "group_share": D("0.025"),
        "gross_share": D("0.028"), "net_share": D("0.028"), "total_open_risk": D("0.004"),
        "leverage": D("0.028113"), "daily_loss": D("0.01"), "drawdown": D("0.2"), "max_open_positions": D(3),
        "buying_power": D(8_000), "settled_cash": D(8_000), "message_rate": D(1), "trades_per_day": D(2),
        "loss_streak": D(1), "automatic_executions": D(4),
    }  # fmt: skip
    assert found["position_share"].use == D("0.375")
    assert found["buying_power"].use == D("0.5")
    assert found["drawdown"].use == D("1.3333")


def test_an_order_control_shows_the_order_that_came_nearest() -> None:
    near = check_order(buy(450), book(), market(), LIMITS)
    far = check_order(buy(100), book(), market(), LIMITS)
    found = uses(checked=(*far, *near, *far))
    assert (found["max_notional"].value, found["max_notional"].use) == (D(45_000), D("0.9"))
    assert (found["max_notional"].basis, found["max_notional"].limit) == ("orders", D(50_000))
    assert found["min_notional"].value == D(10_000)


def test_a_raised_flag_is_told_and_what_nobody_measured_has_no_use() -> None:
    raised = check_order(buy(), book(), market(halted=True), LIMITS)
    clear = check_order(buy(), book(), market(), LIMITS)
    assert uses(checked=(*clear, *raised))["symbol_halted"].use == 1
    assert uses(checked=clear)["symbol_halted"].use == 0
    assert uses()["symbol_halted"].use is None
    assert uses()["max_quantity"].use is None
    assert uses()["max_quantity"].limit == 1_000


def test_without_equity_or_flow_nothing_of_the_book_is_made_up() -> None:
    found = uses(book(equity=D(0)))
    assert {found[name].use for name in OF_THE_BOOK} == {None}
    blind = uses(book(orders=None, trades_today=None, loss_streak=None, automatic_executions=None, settled_cash=None))
    assert {blind[name].use for name in ("message_rate", "trades_per_day", "loss_streak", "settled_cash")} == {None}


def test_no_cash_with_something_to_pay_is_over_the_limit() -> None:
    assert uses(book(cash=D(0), pending=(waiting(),)))["buying_power"].use == 1
    assert uses(book(cash=D(0)))["buying_power"].use == 0
