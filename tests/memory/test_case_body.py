"""What a case is about: an order, a change of the desk, or a damaged record that stops nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from memory.columns import Damaged
from memory.tables import CaseRow
from pipeline.store import Store
from tests.pipeline import life
from tools.canonical import sha256_hex
from tools.errors import ExecutionError
from tools.types import Change, Difference


def change() -> Change:
    return Change(
        id="chg_1", run_id=life.RUN, kind="limits.activation", subject="limits", title="Limits 2", reason="calmer",
        proposer="ann", before_sha256=None, after_sha256=sha256_hex(b"x"), text="x", risk_effect="reduces",
        differences=(Difference(field="max_drawdown", before="0.15", after="0.1", effect="tighter"),),
        evidence_ids=(), as_of=life.AS_OF,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path) -> Store:  # type: ignore[no-untyped-def]
    made = life.new_store(tmp_path / "home")
    life.seed_run(made)
    return made


def read(store: Store, case_id: str) -> CaseRow:
    with store.db.read() as session:
        return session.get_one(CaseRow, case_id)


def keep(store: Store, body: Change) -> str:
    with store.db.write() as session:
        session.add(
            CaseRow(
                id="case_change", run_id=life.RUN, cycle_id="", strategy=body.strategy, symbol=body.symbol,
                side=body.side, kind=body.kind, state="drafted", rank=0, risk_effect=body.risk_effect,
                digest=body.digest, opened=life.SESSION, opened_index=60, review={}, body=body, updated_wall=life.AS_OF,
            )
        )  # fmt: skip
    return "case_change"


def test_an_order_comes_back_as_the_order_it_was(store: Store) -> None:
    row = read(store, life.draft(store, life.proposal()))
    assert row.order == life.proposal()
    assert row.as_of == life.AS_OF
    with pytest.raises(ExecutionError, match=r"is a order\.entry, not a change") as caught:
        _ = row.change
    assert caught.value.code == "not_a_change"


def test_a_change_comes_back_as_the_change_it_was(store: Store) -> None:
    row = read(store, keep(store, change()))
    assert row.change == change()
    assert (row.strategy, row.symbol, row.side) == ("desk", "LIMITS", "")
    with pytest.raises(ExecutionError, match=r"is a limits\.activation, not an order") as caught:
        _ = row.order
    assert caught.value.code == "not_an_order"


@pytest.mark.parametrize("body", ["{", "", "null", "[]", '{"kind": "order.entry"}', '{"kind": "order.loan"}'])
def test_a_damaged_body_is_read_as_damaged_and_binds_nothing(store: Store, body: str) -> None:
    case_id = life.draft(store, life.proposal())
    life.tamper(store, "UPDATE cases SET body = :body", body=body)
    row = read(store, case_id)
    assert row.body == Damaged(body)
    assert isinstance(row.body, Damaged)
    assert row.body.digest == ""
    assert row.as_of == datetime.combine(life.SESSION, time.max, UTC)
    for name in ("order", "change"):
        with pytest.raises(ExecutionError) as caught:
            getattr(row, name)
        assert caught.value.code == "tampered"


def test_writing_another_column_leaves_a_damaged_body_as_it_is(store: Store) -> None:
    case_id = life.draft(store, life.proposal())
    life.tamper(store, "UPDATE cases SET body = :body", body="{")
    with store.db.write() as session:
        row = session.get_one(CaseRow, case_id)
        row.reason = "seen"
        session.add(row)
    assert read(store, case_id).body == Damaged("{")
