"""orders: what is worked, child by child, and stopping it from a terminal."""

from __future__ import annotations

import pytest

from api.queries import parents as queries

from ..conftest import Seeded
from ..worked import CASE, PARENT, Bars, seed_worked
from .conftest import Quarterdeck


@pytest.fixture(autouse=True)
def worked(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "market_of", lambda _store, _run: Bars())
    seed_worked(seeded.store)
    seeded.store.db.dispose()


def test_the_list_names_worked_orders_and_the_newest_single_ones(quarterdeck: Quarterdeck) -> None:
    ran = quarterdeck("orders")
    assert ran.status == 0
    assert PARENT in ran.out
    assert "twap, 2 of 3 sessions" in ran.out
    assert "ord_1" in ran.out
    assert quarterdeck("orders", "--json").json["parents"]["total"] == 1


def test_one_worked_order_is_shown_with_its_slices_and_its_cost(quarterdeck: Quarterdeck) -> None:
    out = quarterdeck("orders", "show", CASE).out
    assert "held back" in out
    assert "a halt is in force" in out
    assert "50.00 bps (120.60 against 120.00)" in out
    assert "daily bars" in out


def test_stopping_says_so_and_an_unknown_id_is_refused(quarterdeck: Quarterdeck) -> None:
    assert "stopped (local operator: enough)" in quarterdeck("orders", "stop", PARENT, "--reason", "enough").out
    refused = quarterdeck("orders", "stop", "nothing", "--reason", "enough")
    assert (refused.status, "unknown" in refused.err) == (2, True)


def test_a_ticket_needs_an_algorithm_to_be_worked(quarterdeck: Quarterdeck) -> None:
    ran = quarterdeck("ticket", "buy", "100", "IBM", "--over", "4", "--reason", "a hedge")
    assert (ran.status, "--algorithm" in ran.err) == (2, True)
