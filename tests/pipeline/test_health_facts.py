"""What a close measures: history of the run up to then, and nothing lost over a session without proposals."""

from __future__ import annotations

from decimal import Decimal

from agents.opinion import HealthPoint
from memory.tables import CaseRow, HealthRow
from pipeline import health_facts
from pipeline.desk import Desk
from pipeline.health_facts import Measured, brief_of, health_of, history, keep_history
from pipeline.store import Store, now
from pipeline.work import CycleWork
from tests.pipeline import life
from tools.types import Tick

DRAWDOWN = ("book", "drawdown")
TICK = Tick(session=life.SESSION, phase="close", as_of=life.AS_OF)


def keep(store: Store, index: int, value: float, run_id: str = life.RUN) -> None:
    with store.db.write() as session:
        keep_history(session, run_id, [Measured("book", "drawdown", value, 0.15, "share")], index, TICK)


def test_history_is_that_of_the_run_before_the_session_and_no_longer_than_the_window(store: Store) -> None:
    for index in range(80):
        keep(store, index, float(index))
    keep(store, 40, 99.0, run_id="run_2")
    with store.db.read() as session:
        points = history(session, life.RUN, 70)[DRAWDOWN]
    assert [point.value for point in points] == [float(n) for n in range(10, 70)]


def test_a_close_that_is_computed_again_keeps_what_it_kept(store: Store) -> None:
    keep(store, 60, 0.1)
    keep(store, 60, 0.2)
    with store.db.read() as session:
        assert session.get_one(HealthRow, (life.RUN, 60, *DRAWDOWN)).value == 0.1


def test_a_session_without_proposals_leaves_facts_of_the_agents_as_they_were() -> None:
    points = tuple(HealthPoint(session=life.SESSION, value=v) for v in (0.1, 0.2))
    past = {("agents", "veto_share"): points, ("market", "quality_issues"): points}
    (fact,) = brief_of("run_1", "cyc_1", TICK, (), past).facts
    assert (fact.name, fact.values, fact.session) == ("veto_share", (0.1, 0.2), life.SESSION)


def test_a_control_that_nothing_ever_came_near_stays_out_of_the_brief() -> None:
    point = (HealthPoint(session=life.SESSION, value=0.5),)
    measured = [Measured("proposals", f"near_limit:{name}", 0.0, None, "share") for name in ("never", "once")]
    facts = brief_of("run_1", "cyc_1", TICK, measured, {("proposals", "near_limit:once"): point}).facts
    assert [fact.name for fact in facts] == ["near_limit:once"]


def test_near_is_a_tenth_of_the_limit_and_within_it() -> None:
    checks = [
        {"control": control, "unit": "share", "limit": limit, "distance": left}
        for control, limit, left in (
            ("at", "0.04", "0"), ("near", "0.04", "0.004"), ("far", "0.04", "0.0041"), ("beyond", "0.04", "-0.001"),
            ("none", "0.04", None), ("zero", "0", "0"),
        )
    ]  # fmt: skip
    checks.append({"control": "price_collar", "unit": "price", "limit": "120", "distance": "1"})
    checks.append({"control": "reduce_only", "unit": "quantity", "limit": "100", "distance": "0"})
    found = {item.name.removeprefix("near_limit:"): item.value for item in health_facts._near([checks])}
    assert found == {"at": 1.0, "near": 1.0, "far": 0.0, "beyond": 0.0}


def test_a_desk_tells_the_book_the_market_and_what_its_agents_did(desk: Desk) -> None:
    work = CycleWork(desk, 61)
    body = life.proposal(run_id=desk.run_id)
    with desk.db.write() as session:
        for number, verdict in enumerate(("keep", "veto", "veto", "abstain")):
            session.add(
                CaseRow(
                    id=f"case_{number}", run_id=desk.run_id, cycle_id="cyc_1", strategy="trend", symbol="IBM",
                    side="buy", kind="order.entry", state="settled", rank=0, risk_effect="increases", digest="d",
                    opened=life.SESSION, opened_index=60, review={"verdict": verdict, "dissent": None}, checks=None,
                    body=body, updated_wall=now(),
                )
            )  # fmt: skip
    life.hold(desk.store, 200, run_id=desk.run_id, mark=Decimal(100))
    health = health_of(desk, work)
    values = {(fact.component, fact.name): fact.value for fact in health.brief.facts}
    assert values["agents", "veto_share"] == 0.5
    assert values["agents", "abstention_share"] == 0.25
    largest = next(fact for fact in health.brief.facts if fact.name == "largest_sector")
    assert largest.about == "Technology"
    assert 0 < largest.value < 0.05
    assert {"drawdown", "largest_position", "data_age_hours", "quality_issues"} <= {name for _, name in values}
    assert health_of(desk, work).brief.sha256 == health.brief.sha256
