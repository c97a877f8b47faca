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


def test_worked_orders_are_listed_shown_and_stopped(quarterdeck: Quarterdeck) -> None:
    listed, shown = quarterdeck("orders").out, quarterdeck("orders", "show", CASE).out
    for said in (PARENT, "twap, 2 of 3 sessions", "ord_1"):
        assert said in listed
    for said in ("held back", "a halt is in force", "50.00 bps (120.60 against 120.00)", "daily bars"):
        assert said in shown
    assert "stopped (local operator: enough)" in quarterdeck("orders", "stop", PARENT, "--reason", "enough").out
    assert quarterdeck("orders", "--json").json["parents"]["items"][0]["status"] == "stopped"
    refused = quarterdeck("orders", "stop", "nothing", "--reason", "enough")
    assert (refused.status, "unknown" in refused.err) == (2, True)


def test_a_ticket_needs_an_algorithm_to_be_worked(quarterdeck: Quarterdeck) -> None:
    ran = quarterdeck("ticket", "buy", "100", "IBM", "--over", "4", "--reason", "a hedge")
    assert (ran.status, "--algorithm" in ran.err) == (2, True)
