"""Editing: an edit lowers risk, is a new proposal, and is asked anew."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from memory.tables import ApprovalRow, CaseRow, DecisionRow, EditRow, ExplanationRow, GrantRow
from pipeline.activation import activate, in_force
from pipeline.approvals import DecisionResult
from pipeline.editing import Edit, changed, edit
from pipeline.headless import run_sessions
from pipeline.store import Principal, Store
from tests.people_help import ROOT, records
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, Question, code_of, say, truth
from tools.canonical import content_sha256
from tools.errors import ApprovalError

ENTRY = life.proposal()


def test_fewer_shares_and_a_tighter_stop_give_another_digest() -> None:
    edited = changed(ENTRY, Edit(quantity=40, stop_price=Decimal("115.001")))
    assert (edited.quantity, edited.stop_price) == (40, Decimal("115.00"))
    assert edited.digest != ENTRY.digest
    assert edited.model_copy(update={"quantity": 100, "stop_price": Decimal(114)}).digest == ENTRY.digest


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 101}, {"stop_price": "113.99"}, {"stop_price": "118"}, {"stop_price": "119"},
        {"quantity": 50, "stop_price": "113"}, {"quantity": 101, "stop_price": "115"}, {}, {"quantity": 100},
        {"stop_price": "114.00"}, {"quantity": 100, "stop_price": "114"}, {"stop_price": "114.001"},
    ],
)  # fmt: skip
def test_what_does_not_lower_the_risk_is_no_edit(change: dict[str, Any]) -> None:
    with pytest.raises(ApprovalError) as caught:
        changed(ENTRY, Edit.model_validate(change))
    assert caught.value.code == "invalid"


def test_an_exit_is_taken_or_left() -> None:
    with pytest.raises(ApprovalError, match="exit is taken or left") as caught:
        changed(life.exit_proposal(), Edit(quantity=50))
    assert caught.value.code == "invalid"


@given(
    quantity=st.none() | st.integers(1, 300),
    stop=st.none() | st.decimals(Decimal("0.01"), 200, places=3, allow_nan=False, allow_infinity=False),
)
def test_quantity_never_rises_and_the_stop_never_falls(quantity: int | None, stop: Decimal | None) -> None:
    try:
        edited = changed(ENTRY, Edit(quantity=quantity, stop_price=stop))
    except ApprovalError:
        return
    assert ENTRY.stop_price is not None
    assert edited.stop_price is not None
    assert edited.quantity <= ENTRY.quantity
    assert ENTRY.stop_price <= edited.stop_price < ENTRY.band.low
    assert (edited.quantity, edited.stop_price) != (ENTRY.quantity, ENTRY.stop_price)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with five real cases that wait."""
    home = tmp_path_factory.mktemp("played") / "home"
    store = life.new_store(home)
    asyncio.run(run_sessions(store, sessions=1, symbols=("AMD", "EL", "TXT", "FCX", "PNC"), stand_in="none"))
    store.db.dispose()
    return home


@pytest.fixture
def waiting(played: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(played, tmp_path / "home")
    opened = life.new_store(tmp_path / "home")
    yield opened
    opened.db.dispose()


@pytest.fixture
def amd(waiting: Store) -> Question:
    with waiting.db.read() as session:
        row, _ = session.exec(
            select(ApprovalRow, CaseRow).where(ApprovalRow.case_id == CaseRow.id, CaseRow.symbol == "AMD")
        ).one()
        return Question(row.case_id, row.id, row.digest)


def smaller(store: Store, asked: Question, who: Principal = ANN, **changes: Any) -> DecisionResult:
    said: dict[str, Any] = {
        "digest": asked.digest, "change": Edit(quantity=100), "reason": "too much", "reason_code": "smaller_size",
    }  # fmt: skip
    return edit(store, asked.approval_id, principal=who, **{**said, **changes})


def under_the_desk(store: Store) -> None:
    """Four eyes, and any size counts as large."""
    path = store.home.config / "policy.yaml"
    text = path.read_text(encoding="utf-8").replace("profile: single_operator", "profile: desk")
    path.write_text(
        text.replace('second_signature_share: "0.015"', 'second_signature_share: "0.000001"'), encoding="utf-8"
    )
    activate(store, "policy", principal=ROOT, reason="four eyes")


def test_a_smaller_quantity_is_signed_by_its_editor_and_the_grant_covers_it(waiting: Store, amd: Question) -> None:
    found = smaller(waiting, amd)
    assert (found.status, found.given, found.decided_by, found.not_before) == ("approved", 1, "ann", None)
    assert found.digest != amd.digest
    with waiting.db.read() as session:
        case, row = session.get_one(CaseRow, amd.case_id), session.get_one(ApprovalRow, amd.approval_id)
        grant = session.exec(select(GrantRow).where(GrantRow.case_id == amd.case_id)).one()
        kept = session.exec(select(EditRow)).one()
    assert case.order.quantity == 100
    assert case.body.digest == case.digest == row.digest == grant.digest == found.digest
    assert (grant.quantity_budget, grant.status, grant.body["principals"]) == (100, "minted", ["ann"])
    assert (kept.old_digest, kept.new_digest, kept.principal) == (amd.digest, found.digest, "ann")


def test_the_old_digest_is_stale_for_everybody(waiting: Store, amd: Question) -> None:
    under_the_desk(waiting)
    smaller(waiting, amd)
    for decision in ("approve", "reject"):
        assert code_of(lambda d=decision: say(waiting, amd, BOB, d)) == "stale_digest"  # type: ignore[misc]
    assert code_of(lambda: smaller(waiting, amd, BOB)) == "stale_digest"


def test_explanation_and_checks_are_those_of_the_edited_proposal(waiting: Store, amd: Question) -> None:
    with waiting.db.read() as session:
        before = session.get_one(ExplanationRow, amd.case_id).sha256
    smaller(waiting, amd, change=Edit(quantity=77))
    with waiting.db.read() as session:
        explained = session.get_one(ExplanationRow, amd.case_id)
        row, case = session.get_one(ApprovalRow, amd.approval_id), session.get_one(CaseRow, amd.case_id)
    assert explained.sha256 != before
    assert explained.sha256 == row.explanation_hash == content_sha256(explained.body)
    assert (explained.unresolved, explained.dropped) == (0, 0)
    assert explained.claims > 0
    assert "77" in str(explained.body)
    assert row.worst_checks == {item["control"]: item["verdict"] for item in case.checks or []}
    assert "block" not in row.worst_checks.values()
    assert Decimal(row.facts["notional"]) == case.order.notional


def test_an_edit_is_on_the_record(waiting: Store, amd: Question) -> None:
    found = smaller(waiting, amd)
    ((body, _),) = records(waiting, "case.edited")
    assert (body["from"], body["to"], body["quantity"], body["principal"]) == (amd.digest, found.digest, 100, "ann")
    assert body["reason_code"] == "smaller_size"


def test_a_large_edit_under_the_desk_profile_needs_another_person(waiting: Store, amd: Question) -> None:
    under_the_desk(waiting)
    found = smaller(waiting, amd)
    edited = amd._replace(digest=found.digest)
    assert (found.status, found.given) == ("pending", 0)
    assert code_of(lambda: say(waiting, edited)) == "separation"
    assert truth(waiting, edited) == life.Truth("awaiting", "pending", (), 0, 0, 0)
    assert say(waiting, edited, BOB).status == "approved"
    with waiting.db.read() as session:
        grant = session.exec(select(GrantRow).where(GrantRow.case_id == amd.case_id)).one()
    assert (grant.quantity_budget, grant.body["principals"]) == (100, ["bob"])


def test_who_edited_under_separation_may_still_refuse(waiting: Store, amd: Question) -> None:
    under_the_desk(waiting)
    edited = amd._replace(digest=smaller(waiting, amd).digest)
    assert say(waiting, edited, decision="reject").status == "rejected"


def test_an_edit_does_not_get_round_evidence_that_must_be_opened(waiting: Store, amd: Question) -> None:
    path = waiting.home.config / "policy.yaml"
    entry = "  - name: entry\n    when: {kinds: [order.entry]}\n    approvers: 1\n"
    path.write_text(path.read_text().replace(entry, entry + "    evidence_required: true\n"))
    activate(waiting, "policy", principal=ROOT, reason="read first")
    assert code_of(lambda: smaller(waiting, amd)) == "evidence_unopened"
    assert truth(waiting, amd).decisions == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"reason_code": None}, {"reason_code": "news"}, {"reason": " "}, {"change": Edit()},
        {"change": Edit(quantity=1_000_000)},
    ],
)  # fmt: skip
def test_a_malformed_edit_is_invalid_and_leaves_everything(
    waiting: Store, amd: Question, changes: dict[str, Any]
) -> None:
    before = life.everything(waiting)
    assert code_of(lambda: smaller(waiting, amd, **changes)) == "invalid"
    assert life.everything(waiting) == before
    assert life.count(waiting, EditRow) == life.count(waiting, DecisionRow) == 0


def test_what_was_refused_cannot_be_edited(waiting: Store, amd: Question) -> None:
    say(waiting, amd, BOB, "reject")
    assert code_of(lambda: smaller(waiting, amd)) == "decided"


def test_an_edit_carries_the_law_that_its_checks_ran_on(waiting: Store, amd: Question) -> None:
    path = waiting.home.config / "limits.yaml"
    path.write_text(path.read_text().replace('max_drawdown: "0.15"', 'max_drawdown: "0.14"'))
    activate(waiting, "limits", principal=ROOT, reason="calmer")
    under_the_desk(waiting)
    law = in_force(waiting)
    edited = amd._replace(digest=smaller(waiting, amd).digest)
    assert say(waiting, edited, BOB).status == "approved"
    with waiting.db.read() as session:
        row = session.get_one(ApprovalRow, amd.approval_id)
        grant = session.exec(select(GrantRow).where(GrantRow.case_id == amd.case_id)).one()
    assert (row.limits_sha256, row.policy_sha256) == (law.limits_sha256, law.policy_sha256)
    assert (grant.body["limits"], grant.body["policy"]) == (law.limits_sha256, law.policy_sha256)


def test_an_edit_under_tighter_limits_is_checked_on_them(waiting: Store, amd: Question) -> None:
    path = waiting.home.config / "limits.yaml"
    path.write_text(path.read_text().replace('max_order_notional: "50000"', 'max_order_notional: "600"'))
    activate(waiting, "limits", principal=ROOT, reason="smaller")
    with pytest.raises(ApprovalError, match="above the limit of 600"):
        smaller(waiting, amd)
    assert truth(waiting, amd).decisions == 0


def test_terms_altered_in_the_database_stop_an_edit_with_a_finding(waiting: Store, amd: Question) -> None:
    life.tamper(waiting, "UPDATE approvals SET required = 0, roles = '[\"viewer\"]'")
    assert code_of(lambda: smaller(waiting, amd)) == "tampered"
    assert "tampered" in life.findings(waiting)
