"""Nobody answers: exits that were asked go out when the policy says so, and nothing is increased."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import col, select

from memory.tables import ApprovalRow, CaseRow
from pipeline import queue_time, unattended
from pipeline.approvals import decide
from pipeline.store import Principal, now
from pipeline.work import CycleWork
from tests.drills.desk import Drill, body_of


async def test_exits_nobody_answered_go_out_after_the_sessions_named_and_not_before(drill: Drill) -> None:
    await drill.settle_down()
    drill.exits_need_a_person("nobody_answers")
    drill.time_is_up()
    held, start = drill.held(), drill.index
    await drill.play(1, "none")
    assert drill.protected()
    await drill.play(1, "none")
    assert drill.unattended() == []
    assert drill.protected()
    await drill.play(1, "none")
    gone = drill.unattended()
    assert {case.symbol for case in gone} <= set(held)
    assert {case.occasion for case in gone} == {"nobody_answers"}
    assert all(case.order.quantity <= held[case.symbol] for case in gone)
    assert {case.state for case in gone} == {"done"}
    assert set(drill.held()) == set(held) - {case.symbol for case in gone} - _stopped(drill, held)
    assert drill.bought(start) == []
    assert drill.protected()
    drill.books_agree()


def _stopped(drill: Drill, held: dict[str, int]) -> set[str]:
    """Symbols that left by their own stop meanwhile."""
    return set(held) - set(drill.held()) - {case.symbol for case in drill.unattended()}


async def test_every_act_names_its_occasion_and_rule_in_the_ledger_and_in_a_finding(drill: Drill) -> None:
    drill.exits_need_a_person("nobody_answers")
    drill.time_is_up()
    await drill.play(3, "none")
    gone = drill.unattended()
    assert gone
    said = [body_of(row) for row in drill.recorded("exit.unattended")]
    assert {(item["occasion"], item["rule"], item["sessions"]) for item in said} == {
        ("nobody_answers", "exit_unattended", 2)
    }
    assert {item.symbol for item in drill.findings("unattended_exit")} == {case.symbol for case in gone}


async def test_without_a_rule_that_names_the_occasion_nothing_leaves_and_stops_stay(drill: Drill) -> None:
    drill.exits_need_a_person()
    drill.time_is_up()
    await drill.play(4, "none")
    assert drill.unattended() == []
    assert drill.findings("unattended_exit") == []
    assert drill.protected()
    drill.books_agree()


async def test_a_person_who_refuses_the_exit_has_answered(drill: Drill) -> None:
    drill.exits_need_a_person("nobody_answers", "night", "desk_half_dead")
    drill.time_is_up()
    await drill.play(4, "reject")
    assert drill.unattended() == []
    assert drill.held()
    assert drill.protected()


async def test_a_part_is_reduced_once_when_the_whole_desk_of_people_is_silent(drill: Drill) -> None:
    await drill.settle_down()
    drill.exits_need_a_person("nobody_answers")
    exits = drill.desk.law.limits.exits
    reduce = exits.nobody_answers.model_copy(
        update={"reductions": ("reduce",), "reduce_to_share": exits.nobody_answers.cap_share / 2}
    )
    drill.exit_policy(silent_sessions=2, nobody_answers=reduce)
    held = drill.held()
    await drill.play(6, "none")
    gone = drill.unattended()
    assert gone
    assert len({case.symbol for case in gone}) == len(gone)
    for case in gone:
        assert 0 < case.order.quantity <= held[case.symbol] // 2
    assert drill.protected()
    drill.books_agree()


async def test_an_answer_in_time_wins_over_the_policy(drill: Drill) -> None:
    drill.exits_need_a_person("nobody_answers")
    drill.time_is_up()
    await drill.play(2, "none")
    with drill.store.db.read() as session:
        waiting = session.exec(
            select(ApprovalRow)
            .join(CaseRow, col(CaseRow.id) == col(ApprovalRow.case_id))
            .where(ApprovalRow.status == "pending", CaseRow.kind == "order.exit")
        ).all()
    assert waiting
    for row in waiting:
        decide(
            drill.store, row.id, principal=Principal("ann", "person"), decision="reject", digest=row.digest,
            reason="hold it",
        )  # fmt: skip
    await drill.play(1, "none")
    assert drill.unattended() == []


async def test_an_exit_whose_minutes_ran_out_is_released_in_the_night_and_leaves_at_the_open(drill: Drill) -> None:
    drill.exits_need_a_person("nobody_answers")
    drill.exit_policy(unanswered_sessions=1)
    drill.time_is_up()
    await drill.play(1, "none")
    run_out_of_minutes(drill)
    assert await drill.player.open_unattended(CycleWork(drill.desk, drill.index, "night")) > 0
    assert await drill.player.open_unattended(CycleWork(drill.desk, drill.index, "night")) == 0
    released = drill.unattended()
    assert {case.state for case in released} <= {"approved", "done"}
    await drill.play(1, "none")
    assert {case.state for case in drill.unattended()} == {"done"}
    assert drill.protected()
    drill.books_agree()


def run_out_of_minutes(drill: Drill) -> None:
    """Every waiting question had a minute and it is over; the watch loop expires it."""
    past = now() - timedelta(minutes=1)
    with drill.store.db.write() as session:
        for row in session.exec(select(ApprovalRow).where(ApprovalRow.status == "pending")).all():
            row.asked_wall, row.expires_wall = past - timedelta(minutes=1), past
            session.add(row)
    queue_time.attend(drill.store, drill.desk.run_id)
    with drill.store.db.read() as session:
        assert unattended.ran_out_of_minutes(session, drill.desk.run())
