"""Why not: the reason, the rank, what would have changed it and what became of what was left out or blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlmodel import col, select

from agents.operator.node import answer_text
from memory.tables import CaseRow, ExplanationRow, LedgerRow, OutcomeRow
from pipeline import alternatives
from pipeline.alternatives import planned_of
from pipeline.headless import run_sessions
from pipeline.operator_tools import chat_context, operator_tools
from pipeline.roles import SCOPES_OF, Identity
from pipeline.store import Store
from pipeline.why_not import why_not
from tests.pipeline import life
from tools.errors import ApprovalError
from tools.risk.types import Check
from tools.types import Review

NAMES = ("AMD", "EL", "TXT", "FCX", "PNC", "NEM", "TIF", "HOG", "AXP", "COH")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A run of two sessions in which more was proposed than people can answer."""
    store = life.new_store(tmp_path_factory.mktemp("why") / "home")
    asyncio.run(run_sessions(store, sessions=2, symbols=NAMES, stand_in="approve"))
    yield store
    store.db.dispose()


def cases(store: Store, state: str) -> list[CaseRow]:
    with store.db.read() as session:
        query = select(CaseRow).where(CaseRow.state == state, CaseRow.opened_index == _first(store))
        return list(session.exec(query.order_by(col(CaseRow.rank))).all())


def _first(store: Store) -> int:
    with store.db.read() as session:
        return min(session.exec(select(CaseRow.opened_index)).all())


def test_what_was_left_out_says_its_rank_and_who_took_the_places(desk: Store) -> None:
    left_out = cases(desk, "not_selected")[0]
    told = why_not(desk, left_out.id)
    assert (told.reason, told.rank) == ("capacity", left_out.rank + 1)
    assert told.last_selected is not None
    assert told.last_selected.rank == max(rival.rank for rival in told.taken_by) < told.rank
    assert [rival.rank for rival in told.taken_by] == sorted(rival.rank for rival in told.taken_by)
    assert f"It ranked {told.rank} of {told.proposals} in its session" in told.sentences[1]


def test_each_further_rank_needs_one_more_place(desk: Store) -> None:
    needed = [
        next(item for item in why_not(desk, case.id).changes if item.field == "places")
        for case in cases(desk, "not_selected")
    ]
    taken = needed[0].original
    assert [item.changed - taken for item in needed] == [Decimal(n + 1) for n in range(len(needed))]


def test_the_confidence_that_is_named_is_the_nearest_that_is_asked(desk: Store) -> None:
    case = cases(desk, "not_selected")[0]
    (found,) = (item for item in why_not(desk, case.id).changes if item.field == "confidence")
    with desk.db.read() as session:
        planned = planned_of(session, case.cycle_id)
    assert planned is not None
    for confidence, asked in ((found.changed, True), (found.changed - Decimal("0.0001"), False)):
        moved = case.order.model_copy(update={"confidence": float(confidence)})
        assert (case.order.id in planned.again(proposal=moved).asked) is asked


def test_an_asked_case_is_told_which_vote_and_which_rank_would_have_ended_it(desk: Store) -> None:
    with desk.db.read() as session:
        rows = session.exec(select(ExplanationRow)).all()
    told = {item["field"]: item for row in rows for item in row.body["counterfactuals"]}
    assert told["vote"]["verdict"] == "block"
    assert told["confidence"]["verdict"] == "not_selected"
    texts = [claim["text"] for row in rows for claim in row.body["claims"] if claim["kind"] == "counterfactual"]
    assert any("a veto or no opinion of the reviewer instead of a keep" in text for text in texts)
    assert [row.unresolved + row.dropped for row in rows] == [0] * len(rows)


def test_a_view_that_was_refused_is_followed_all_the_same(desk: Store) -> None:
    case = cases(desk, "not_selected")[0]
    told = why_not(desk, case.id)
    assert told.so_far is not None
    assert told.outcome is not None
    assert not told.outcome.settled
    assert f"{told.so_far.view_return * 100:+.2f} % up to {told.so_far.session}" in told.sentences[-1]
    with desk.db.read() as session:
        row = session.exec(select(OutcomeRow).where(OutcomeRow.case_id == case.id)).one()
    ended = row.body.model_copy(update={"settled": True, "view_return": 0.0123, "excess_return": -0.0045})
    _put(desk, row, ended)
    try:
        assert "+1.23 % over 20 sessions, -0.45 % against the index" in why_not(desk, case.id).sentences[-1]
    finally:
        _put(desk, row, row.body)


def _put(store: Store, row: OutcomeRow, body: object) -> None:
    with store.db.write() as session:
        kept = session.get_one(OutcomeRow, row.id)
        kept.body, kept.settled = body, body.settled  # type: ignore[assignment, attr-defined]
        session.add(kept)


def _blocked(store: Store, reason: str, *, verdict: str = "keep", checks: list[Check] | None = None) -> str:
    """Turn an asked case of the first session into one that was blocked, as the tables would have it."""
    case = cases(store, "done")[0]
    with store.db.write() as session:
        row = session.get_one(CaseRow, case.id)
        review = Review.model_validate(row.review).model_copy(update={"verdict": verdict})
        row.state, row.reason, row.review = "blocked", reason, review.model_dump(mode="json")
        row.checks = None if checks is None else [item.model_dump(mode="json") for item in checks]
        session.add(row)
    return case.id


@pytest.fixture
def changed(desk: Store) -> Iterator[Store]:
    """The home, put back as it was afterwards."""
    before = cases(desk, "done")[0]
    yield desk
    with desk.db.write() as session:
        row = session.get_one(CaseRow, before.id)
        row.state, row.reason, row.review, row.checks = before.state, before.reason, before.review, before.checks
        session.add(row)


def _check(control: str, *, hard: bool) -> Check:
    return Check(
        control=control, value=Decimal("0.03"), limit=Decimal("0.02"), unit="share", verdict="block", rule="house",
        message=f"{control.replace('_', ' ')} 3.00 %, above the limit of 2.00 %", hard=hard,
    )  # fmt: skip


def test_a_soft_block_names_the_override_and_a_hard_one_says_there_is_none(changed: Store) -> None:
    case_id = _blocked(changed, "adv_share: too much", checks=[_check("adv_share", hard=False)])
    told = why_not(changed, case_id)
    assert told.override == "possible"
    assert any("Only soft limits blocked it (adv share)" in line for line in told.sentences)
    _restate(changed, case_id, [_check("adv_share", hard=False), _check("trade_share", hard=True)])
    told = why_not(changed, case_id)
    assert told.override == "none"
    assert "Nobody may override it: hard is the limit of trade share." in told.sentences


def _restate(store: Store, case_id: str, checks: list[Check]) -> None:
    with store.db.write() as session:
        row = session.get_one(CaseRow, case_id)
        row.checks = [item.model_dump(mode="json") for item in checks]
        session.add(row)


def test_what_controls_blocked_is_run_again_from_its_recording(changed: Store) -> None:
    case_id = _blocked(changed, "trade_share: too much", checks=[_check("trade_share", hard=True)])
    fields = {item.field for item in why_not(changed, case_id).changes}
    assert {"quantity", "price", "limit", "equity"} <= fields


def test_another_vote_would_have_brought_back_what_was_vetoed(changed: Store) -> None:
    with changed.db.read() as session:
        planned = planned_of(session, cases(changed, "done")[0].cycle_id)
    assert planned is not None
    order = planned.proposals[0]
    kept = planned.review_of(order.id)
    assert kept is not None
    vetoed = kept.model_copy(update={"verdict": "veto", "factor": Decimal(0)})
    other = alternatives.Planned(planned.proposals, (vetoed, *planned.reviews[1:]), planned.capacity, None)
    (found,) = alternatives.votes(other, order)
    assert (found.verdict, found.name) == ("pass", "keep")
    assert found.text == "With a keep of the reviewer instead of a veto the coordinator would have asked it."
    assert alternatives.confidence_for_place(other, order) == []


def test_a_case_that_was_carried_out_or_does_not_exist_has_no_why_not(desk: Store) -> None:
    for case_id, code in ((cases(desk, "done")[0].id, "invalid"), ("case_nobody", "unknown")):
        with pytest.raises(ApprovalError) as refused:
            why_not(desk, case_id)
        assert refused.value.code == code


def test_asking_why_not_writes_nothing(desk: Store) -> None:
    def records() -> int:
        with desk.db.read() as session:
            return len(session.exec(select(LedgerRow.seq)).all())

    before = records()
    for case in cases(desk, "not_selected"):
        why_not(desk, case.id)
    assert records() == before


def test_the_operator_gives_the_same_sentences(desk: Store) -> None:
    case = cases(desk, "not_selected")[0]
    tools = operator_tools(desk, Identity("ann", "viewer", "person", SCOPES_OF["viewer"]))
    text = asyncio.run(answer_text(f"why was {case.id} not bought?", tools, chat_context(desk)))
    assert "\n".join(why_not(desk, case.id).sentences) in text
