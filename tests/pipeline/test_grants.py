"""Grants: signed over everything that was seen, good for one use, never for more than was granted."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from memory.tables import GrantRow
from pipeline import grants, halt
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import code_of, say
from tools.errors import ExecutionError


@pytest.fixture
def grant(store: Store) -> GrantRow:
    """The grant of an approved entry of 100 IBM."""
    question = life.ask(store)
    say(store, question)
    with store.db.read() as session:
        return session.exec(select(GrantRow)).one()


def test_a_grant_names_everything_that_the_person_saw(grant: GrantRow) -> None:
    assert grant.status == "minted"
    assert grant.body["digest"] == life.proposal().digest
    assert {
        name: grant.body[name]
        for name in ("run", "symbol", "side", "quantity_budget", "band_low", "band_high", "expires_index", "principals")
    } == {
        "run": life.RUN, "symbol": "IBM", "side": "buy", "quantity_budget": 100, "band_low": "118", "band_high": "123",
        "expires_index": 61, "principals": ["ann"],
    }  # fmt: skip
    assert len(grant.body["nonce"]) == 32
    assert {"explanation", "policy", "limits", "approval", "case"} <= set(grant.body)


def test_a_grant_as_minted_is_genuine_and_only_under_its_own_key(store: Store, grant: GrantRow) -> None:
    assert grants.is_genuine(store, grant)
    store.home.grant_key.unlink()
    assert not grants.is_genuine(store, grant)


@pytest.mark.parametrize(
    "name", ["run", "symbol", "side", "quantity_budget", "band_low", "digest", "nonce", "principals"]
)
def test_a_grant_with_any_word_changed_is_not_genuine(store: Store, grant: GrantRow, name: str) -> None:
    grant.body = {**grant.body, name: "other"}
    assert not grants.is_genuine(store, grant)


@pytest.mark.parametrize(
    ("column", "value"),
    [("quantity_budget", 101), ("run_id", "run_2"), ("digest", "0"), ("case_id", "case_2"), ("case_id", None),
     ("approval_id", "appr_2"), ("approval_id", None), ("kind", "halt_mandate"), ("signature", ""),
     ("signature", "zz"), ("signature", "00" * 64)],
)  # fmt: skip
def test_a_grant_whose_columns_say_something_else_is_not_genuine(
    store: Store, grant: GrantRow, column: str, value: Any
) -> None:
    setattr(grant, column, value)
    assert not grants.is_genuine(store, grant)


def test_a_grant_is_consumed_once(store: Store, grant: GrantRow) -> None:
    with store.db.write() as session:
        grants.consume(session, session.get_one(GrantRow, grant.id), 60)
    with store.db.write() as session:
        again = session.get_one(GrantRow, grant.id)
        assert (again.status, again.quantity_used, again.consumed_wall is not None) == ("consumed", 60, True)
        assert code_of(lambda: grants.consume(session, again, 40)) == "grant_spent"


def test_a_grant_does_not_cover_one_share_more(store: Store, grant: GrantRow) -> None:
    with store.db.write() as session:
        row = session.get_one(GrantRow, grant.id)
        assert code_of(lambda: grants.consume(session, row, 101)) == "grant_exceeded"
        assert row.status == "minted"


def test_a_voided_grant_cannot_be_consumed_and_a_consumed_one_cannot_be_voided(store: Store, grant: GrantRow) -> None:
    case_id = grant.case_id
    assert case_id is not None
    with store.db.write() as session:
        assert grants.void(session, case_id)
        assert not grants.void(session, case_id)
        assert code_of(lambda: grants.consume(session, session.get_one(GrantRow, grant.id), 1)) == "grant_spent"
        row = session.get_one(GrantRow, grant.id)
        row.status = "consumed"
        session.add(row)
        session.flush()
        assert not grants.void(session, case_id)


def test_a_consumption_that_is_rolled_back_leaves_the_grant_unused(store: Store, grant: GrantRow) -> None:

    def attempt() -> None:
        with store.db.write() as session:
            grants.consume(session, session.get_one(GrantRow, grant.id), 100)
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        attempt()
    with store.db.read() as session:
        assert session.get_one(GrantRow, grant.id).status == "minted"


def test_one_approval_has_one_grant_for_ever(store: Store, grant: GrantRow) -> None:
    with pytest.raises(Exception, match="UNIQUE"), store.db.write() as session:
        session.add(GrantRow(**{**grant.model_dump(), "id": "grant_second"}))


def test_a_halt_mandate_sells_at_most_what_it_says_and_only_reduces(store: Store) -> None:
    stop = halt.engage(store, action="flatten", reason="test", principal=life.BOB)
    life.hold(store, 70)
    with store.db.write() as session:
        with pytest.raises(ExecutionError, match="not held"):
            grants.mint_halt_mandate(
                store, session, halt_id=stop.id, run_id=life.RUN, symbol="IBM", quantity=71, principal="bob"
            )
        mandate = grants.mint_halt_mandate(
            store, session, halt_id=stop.id, run_id=life.RUN, symbol="IBM", quantity=70, principal="bob"
        )
        assert grants.is_genuine(store, mandate)
        assert (mandate.kind, mandate.body["side"], mandate.body["reduce_only"]) == ("halt_mandate", "sell", True)
        assert code_of(lambda: grants.consume(session, mandate, 71)) == "grant_exceeded"
