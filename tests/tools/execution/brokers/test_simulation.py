"""The simulated venue: once is once, from any process, whatever was killed, and the same for the same seed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tools.data.types import Bar, CorporateAction
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.brokers import venue_store
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import Broker, OrderRequest, OrderState
from tools.types import Phase, Tick

D = Decimal
DAY = date(2009, 11, 17)
OPENS = {"IBM": D("127.50"), "DELL": D("15.20")}
VOLUMES = {"IBM": 6_000_000.0, "DELL": 20_000_000.0}


def make(path: Path, account: str = "run_1", seed: int = 7, cash: str = "1000000") -> SimulationBroker:
    return SimulationBroker(path, seed=seed, starting_cash=D(cash), account=account)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "venue.sqlite"


@pytest.fixture
def broker(path: Path) -> Iterator[SimulationBroker]:
    made = make(path)
    yield made
    made.close()


def tick(phase: Phase, days: int = 0) -> Tick:
    session = DAY + timedelta(days=days)
    hour = 14 if phase == "open" else 21
    return Tick(
        session=session, phase=phase, as_of=datetime(session.year, session.month, session.day, hour, tzinfo=UTC)
    )


def bars(low: str = "126", opened: str = "127.50", days: int = 0, symbol: str = "IBM") -> dict[str, Bar]:
    close = tick("close", days)
    made = Bar(
        symbol=symbol, session=close.session, open=D(opened), high=D("129"), low=D(low), close=D("128"),
        volume=6_000_000, event_time=close.as_of, known_at=close.as_of,
    )  # fmt: skip
    return {symbol: made}


def buy(name: str = "o1", quantity: int = 100, **changes: Any) -> OrderRequest:
    return OrderRequest.model_validate(
        {
            "client_order_id": name, "symbol": "IBM", "side": "buy", "quantity": quantity, "order_type": "market",
            "time_in_force": "opg", **changes,
        }
    )  # fmt: skip


def sell(name: str = "x1", quantity: int = 100, **changes: Any) -> OrderRequest:
    return buy(name, quantity, **{"side": "sell", "reduce_only": True, **changes})


def stop(name: str = "s1", quantity: int = 100, level: str = "121", **changes: Any) -> OrderRequest:
    return sell(name, quantity, **{"order_type": "stop", "time_in_force": "gtc", "stop_price": D(level), **changes})


def enter(broker: SimulationBroker, name: str = "o1", quantity: int = 100) -> None:
    broker.submit(buy(name, quantity))
    broker.match_open(tick("open"), OPENS, VOLUMES)


def state(broker: SimulationBroker, name: str) -> OrderState:
    found = broker.find(name)
    assert found is not None
    return found.state


def test_it_is_a_broker(broker: SimulationBroker) -> None:
    assert isinstance(broker.name, str)
    typed: Broker = broker
    assert typed.positions() == {}
    assert typed.cash() == D(1_000_000)


def test_an_order_rests_until_the_open_and_then_fills_with_costs(broker: SimulationBroker) -> None:
    assert broker.submit(buy()).state == OrderState.NEW
    assert [order.client_order_id for order in broker.open_orders()] == ["o1"]
    broker.match_open(tick("open"), OPENS, VOLUMES)
    (fill,) = broker.fills(0)
    assert (fill.quantity, fill.reference_price, fill.sequence, fill.at) == (100, D("127.50"), 1, tick("open").as_of)
    assert broker.positions() == {"IBM": 100}
    assert broker.cash() == D(1_000_000) - fill.price * 100 - fill.commission
    found = broker.find("o1")
    assert found is not None
    assert (found.state, found.filled_quantity, found.average_price) == (OrderState.FILLED, 100, fill.price)
    assert broker.open_orders() == ()
    assert broker.fills(1) == ()


def test_the_same_request_twice_is_one_order(broker: SimulationBroker) -> None:
    first = broker.submit(buy())
    assert broker.submit(buy()) == first
    broker.match_open(tick("open"), OPENS, VOLUMES)
    assert broker.submit(buy()).state == OrderState.FILLED
    broker.match_open(tick("open", 1), OPENS, VOLUMES)
    assert broker.positions() == {"IBM": 100}


def test_a_used_id_with_another_content_is_refused(broker: SimulationBroker) -> None:
    broker.submit(buy())
    with pytest.raises(ExecutionError, match="raise the attempt number") as error:
        broker.submit(buy(quantity=101))
    assert error.value.code == "duplicate_differs"


def test_a_tick_matched_again_does_nothing(broker: SimulationBroker) -> None:
    enter(broker)
    broker.submit(buy("late"))
    before = (broker.cash(), broker.fills(0))
    broker.match_open(tick("open"), OPENS, VOLUMES)
    assert (broker.cash(), broker.fills(0)) == before
    assert state(broker, "late") == OrderState.NEW
    broker.match_close(tick("close"), bars())
    broker.match_close(tick("close"), bars(low="1"))
    assert state(broker, "late") == OrderState.EXPIRED


def test_ticks_only_go_forward(broker: SimulationBroker) -> None:
    broker.match_close(tick("close"), {})
    with pytest.raises(ExecutionError, match="go forward") as error:
        broker.match_open(tick("open"), OPENS, VOLUMES)
    assert error.value.code == "tick_out_of_order"
    with pytest.raises(ExecutionError, match="phase open was given to the close"):
        broker.match_close(tick("open", 1), {})


def test_a_stop_placed_after_the_entry_may_trigger_in_the_entry_bar(broker: SimulationBroker) -> None:
    enter(broker)
    broker.submit(stop(level="126"))
    broker.match_close(tick("close"), bars(low="125.99"))
    assert broker.positions() == {}
    assert broker.fills(1)[0].reference_price == D(126)


def test_a_stop_rests_over_sessions_and_survives_reopening(path: Path, broker: SimulationBroker) -> None:
    enter(broker)
    broker.submit(stop())
    broker.match_close(tick("close"), bars())
    again = make(path)
    again.match_open(tick("open", 1), OPENS, VOLUMES)
    again.match_close(tick("close", 1), bars(low="110", opened="112", days=1))
    assert again.fills(1)[0].reference_price == D(112)
    assert broker.positions() == {}
    again.close()


def test_exit_and_stop_together_never_go_short(broker: SimulationBroker) -> None:
    enter(broker)
    broker.submit(stop())
    broker.submit(sell())
    broker.submit(sell("x2", quantity=60))
    broker.match_open(tick("open", 1), OPENS, VOLUMES)
    broker.match_close(tick("close", 1), bars(low="1", days=1))
    assert broker.positions() == {}
    assert [state(broker, name) for name in ("x1", "x2", "s1")] == [
        OrderState.FILLED, OrderState.CANCELLED, OrderState.CANCELLED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (sell(), "no_position"),
        (stop(), "no_position"),
        (sell(reduce_only=False), "no_position"),
    ],
)
def test_what_the_venue_does_not_take_is_rejected_at_once(
    broker: SimulationBroker, request_: OrderRequest, reason: str
) -> None:
    order = broker.submit(request_)
    assert (order.state, order.reason) == (OrderState.REJECTED, reason)
    assert broker.open_orders() == ()


def test_no_price_and_no_cash_reject_at_the_open(broker: SimulationBroker) -> None:
    broker.submit(buy("no-price", symbol="GIS"))
    broker.submit(buy("no-cash", quantity=7_850))
    broker.match_open(tick("open"), OPENS, VOLUMES)
    found = [broker.find(name) for name in ("no-price", "no-cash")]
    assert [(one.state, one.reason) for one in found if one] == [
        (OrderState.REJECTED, "no_price"), (OrderState.REJECTED, "no_cash"),
    ]  # fmt: skip
    assert broker.cash() == D(1_000_000)


def test_orders_share_the_participation_cap_in_order_of_acceptance(broker: SimulationBroker) -> None:
    broker.submit(buy("first", quantity=80))
    broker.submit(buy("second", quantity=80))
    broker.match_open(tick("open"), OPENS, {"IBM": 1_000.0})
    assert [(fill.client_order_id, fill.quantity) for fill in broker.fills(0)] == [("first", 80), ("second", 20)]
    second = broker.find("second")
    assert second is not None
    assert (second.state, second.filled_quantity, second.reason) == (OrderState.EXPIRED, 20, "participation_cap")


def test_a_missing_or_broken_volume_fills_nothing(broker: SimulationBroker) -> None:
    broker.submit(buy("o1"))
    broker.submit(buy("o2", symbol="DELL"))
    broker.match_open(tick("open"), OPENS, {"IBM": float("nan")})
    assert broker.fills(0) == ()


def test_cancel_ends_an_open_order_and_returns_an_ended_one(broker: SimulationBroker) -> None:
    broker.submit(buy())
    cancelled = broker.cancel("o1")
    assert cancelled.state == OrderState.CANCELLED
    assert broker.cancel("o1") == cancelled
    broker.match_open(tick("open"), OPENS, VOLUMES)
    assert broker.positions() == {}
    broker.submit(buy("o2"))
    broker.match_open(tick("open", 1), OPENS, VOLUMES)
    assert broker.cancel("o2").state == OrderState.FILLED
    with pytest.raises(ExecutionError) as error:
        broker.cancel("never")
    assert error.value.code == "unknown_order"
    assert broker.find("never") is None


def test_a_split_moves_position_stop_and_cash_once(broker: SimulationBroker) -> None:
    enter(broker, quantity=101)
    broker.submit(stop(quantity=101, level="121.01"))
    cash = broker.cash()
    action = CorporateAction(
        symbol="IBM", kind="split", ex_date=DAY + timedelta(days=1), ratio=D(2), cash=D("1.50"),
        known_at=tick("open").as_of, note="synthetic",
    )  # fmt: skip
    for _ in range(2):
        broker.apply_action(action)
    assert broker.positions() == {"IBM": 202}
    assert broker.cash() == cash + D("151.50")
    (resting,) = broker.open_orders()
    assert (resting.quantity, resting.stop_price) == (202, D("59.76"))
    assert broker.submit(stop(quantity=101, level="121.01")) == resting


def test_accounts_in_one_file_do_not_see_each_other(path: Path, broker: SimulationBroker) -> None:
    other = make(path, "run_2", seed=8)
    enter(broker)
    assert other.find("o1") is None
    assert (other.positions(), other.fills(0), other.cash()) == ({}, (), D(1_000_000))
    enter(other)
    assert other.fills(0)[0].sequence == 1
    assert other.fills(0)[0].execution_id != broker.fills(0)[0].execution_id
    other.close()


@pytest.mark.parametrize("change", [{"seed": 8}, {"cash": "999"}])
def test_an_account_keeps_its_seed_and_cash(path: Path, broker: SimulationBroker, change: dict[str, Any]) -> None:
    with pytest.raises(ExecutionError, match="was opened with seed 7") as error:
        make(path, **change)
    assert error.value.code == "account_mismatch"


def replay(broker: SimulationBroker, sessions: int = 4) -> tuple[object, ...]:
    for day in range(sessions):
        broker.submit(buy(f"o{day}", quantity=100 + day))
        broker.match_open(tick("open", day), OPENS, VOLUMES)
        broker.submit(stop(f"s{day}", quantity=100 + day, level="126"))
        broker.match_close(tick("close", day), bars(low="125" if day % 2 else "127", days=day))
    return (broker.fills(0), broker.positions(), broker.cash(), broker.open_orders())


def test_the_same_seed_gives_the_same_fills_in_another_file(tmp_path: Path) -> None:
    results = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        made = make(tmp_path / name, seed=seed)
        results.append(replay(made))
        made.close()
    assert results[0] == results[1]
    assert results[0] != results[2]


CHILD = """
import sys
from pathlib import Path
from tests.tools.execution.brokers.test_simulation import make, replay
replay(make(Path(sys.argv[1])), sessions=int(sys.argv[2]))
"""


def child(path: Path, sessions: int) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[4]
    return subprocess.Popen([sys.executable, "-c", CHILD, str(path), str(sessions)], cwd=root)


def rows(path: Path) -> int:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            count = int(db.execute("SELECT COUNT(*) FROM ticks").fetchone()[0])
        db.close()
    except sqlite3.OperationalError:
        return 0
    return count


def test_a_process_killed_at_any_moment_leaves_nothing_half_done_and_a_rerun_completes_it(tmp_path: Path) -> None:
    sessions = 60
    calm = make(tmp_path / "calm")
    expected = replay(calm, sessions)
    calm.close()
    path = tmp_path / "killed"
    for goal in (1, 50):
        process = child(path, sessions)
        until = time.monotonic() + 60
        while rows(path) < goal and process.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert goal <= rows(path) < 2 * sessions
        survivor = make(path)
        fills = survivor.fills(0)
        worth = sum(
            (-fill.price * fill.quantity if fill.side == "buy" else fill.price * fill.quantity) for fill in fills
        )
        assert survivor.cash() == D(1_000_000) + worth - sum(fill.commission for fill in fills)
        assert [fill.sequence for fill in fills] == list(range(1, len(fills) + 1))
        survivor.close()
    assert child(path, sessions).wait() == 0
    finished = make(path)
    assert replay(finished, sessions) == expected
    finished.close()


def test_two_processes_replaying_the_same_orders_make_one_book(tmp_path: Path) -> None:
    sessions = 25
    calm = make(tmp_path / "calm")
    expected = replay(calm, sessions)
    calm.close()
    path = tmp_path / "shared"
    both = [child(path, sessions) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    made = make(path)
    assert (made.fills(0), made.positions(), made.cash(), made.open_orders()) == expected
    made.close()


def test_threads_submitting_the_same_orders_make_each_once(path: Path, broker: SimulationBroker) -> None:
    failures: list[Exception] = []

    def submit_all() -> None:
        try:
            for number in range(40):
                broker.submit(buy(f"o{number}", quantity=1 + number))
        except (ExecutionError, RetryableToolError) as error:
            failures.append(error)

    threads = [threading.Thread(target=submit_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(broker.open_orders()) == 40


def test_a_locked_file_is_unknown_and_a_foreign_file_is_corrupt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_store, "BUSY_TIMEOUT_S", 0.05)
    broker = make(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(RetryableToolError, match="does not answer"):
        broker.submit(buy())
    holder.execute("ROLLBACK")
    holder.close()
    assert broker.submit(buy()).state == OrderState.NEW
    broker.close()
    foreign = path.with_name("foreign")
    foreign.write_bytes(b"not a database at all, " * 100)
    with pytest.raises(ExecutionError) as error:
        make(foreign)
    assert error.value.code == "venue_corrupt"
