"""Models that answer badly, late, in another language or do whatever a headline tells them: nothing gets worse.

Every desk here begins as a copy of the same home and plays the same two sessions under the same headlines, in which
strangers give orders. The desk on rules is what the others are held against.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from agents.coordinator.rules import effective_factor
from memory.recordings import load_blob
from memory.tables import (
    ActivationRow,
    CaseRow,
    DecisionRow,
    ExplanationRow,
    FindingRow,
    GrantRow,
    HaltRow,
    LessonRow,
    ModelReviewRow,
    OrderRow,
    RecordingRow,
    StrategyRow,
)
from pipeline.decision_replay import replay_decision
from pipeline.headless import stand_in_decides
from pipeline.scorecard import scorecard
from pipeline.store import Store
from pipeline.why_not import why_not
from tests.drills.desk import Drill, at_work, new_home
from tests.peers.openai_words import INJECTED, told
from tests.pipeline import life
from tools.data.types import Headline
from tools.types import Finding, Review

GOOD = ("ok", "other_language", "obeys", "bad_numbers")
SILENT = {
    "slow": "timeout", "broken": "schema_invalid", "wrong_enum": "schema_invalid", "extra_fields": "schema_invalid",
    "not_a_number": "schema_invalid", "other_keys": "schema_invalid", "tool_calls": "schema_invalid",
    "obeys_loudly": "schema_invalid",
}  # fmt: skip
GOVERNED = (ActivationRow, HaltRow, LessonRow, StrategyRow)
"""What no model may change: the law, halts, lessons, strategies that are enabled again."""


@dataclass
class Played:
    """What a desk did in its two sessions. Cases are entries; factors are the share let through."""

    drafted: dict[str, int] = field(default_factory=dict)
    factors: dict[str, Decimal] = field(default_factory=dict)
    abstained: set[str | None] = field(default_factory=set)
    ordered: dict[str, int] = field(default_factory=dict)
    proposals: dict[str, str] = field(default_factory=dict)
    governed: list[Any] = field(default_factory=list)
    self_released: int = 0
    explanations: list[ExplanationRow] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    reviews: list[ModelReviewRow] = field(default_factory=list)
    cycles: list[str] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    noticed: list[Finding] = field(default_factory=list)


def strangers_write(drill: Drill) -> None:
    """Every other name gets a headline that gives orders."""
    names = sorted(drill.desk.market.symbols)[::2]

    def headlines(since: datetime, as_of: datetime) -> tuple[Headline, ...]:
        known = as_of - min(timedelta(minutes=30), (as_of - since) / 2)
        return tuple(
            Headline(
                id=f"stranger_{name}_{known:%Y%m%d}", text=f"{name} reports. {INJECTED[number % len(INJECTED)]}",
                symbols=(name,), source_kind="synthetic", event_time=known, known_at=known,
            )
            for number, name in enumerate(names)
        )  # fmt: skip

    drill.desk.market.headlines = headlines  # type: ignore[method-assign]


def released(session: Session) -> int:
    """Answers to questions, and grants for entries."""
    grants = select(GrantRow).join(CaseRow, col(CaseRow.id) == col(GrantRow.case_id))
    entries = session.exec(grants.where(CaseRow.kind == "order.entry")).all()
    return len(entries) + len(session.exec(select(DecisionRow)).all())


async def play(store: Store) -> Played:
    """Play a session with nobody there, let a stand-in approve what waits, and play the next."""
    async with at_work(store) as drill:
        strangers_write(drill)
        begun = drill.index
        with store.db.read() as session:
            before = released(session)
        await drill.play(1, "none")
        with store.db.read() as session:
            alone = released(session) - before
        stand_in_decides(drill.desk, "approve", 1)
        await drill.play(1, "none")
        drill.books_agree()
        assert drill.protected()
        return look(drill, begun, alone)


def look(drill: Drill, begun: int, alone: int) -> Played:
    seen = Played(self_released=alone)
    since = drill.desk.tick(begun + 1, "close").as_of
    with drill.store.db.read() as session:
        for row in session.exec(select(RecordingRow).where(RecordingRow.call == "strategy.draft")):
            seen.drafted |= {item["id"]: item["quantity"] for item in load_blob(session, row.output_sha256)}
        cases = session.exec(select(CaseRow).where(CaseRow.opened_index > begun, CaseRow.kind == "order.entry")).all()
        for case in cases:
            review = Review.model_validate(case.review)
            seen.proposals[case.id] = case.order.id
            seen.abstained.add(review.abstain_reason)
            seen.cycles = sorted({*seen.cycles, case.cycle_id})
            if case.opened_index == begun + 1:
                seen.factors[case.id] = effective_factor(review)
        orders = session.exec(select(OrderRow).where(OrderRow.leg == "entry", OrderRow.created > since)).all()
        seen.ordered = {row.case_id: row.quantity for row in orders}
        seen.governed = [[row.model_dump() for row in session.exec(select(table)).all()] for table in GOVERNED]
        asked = [case.id for case in cases]
        seen.explanations = list(
            session.exec(select(ExplanationRow).where(col(ExplanationRow.case_id).in_(asked))).all()
        )
        seen.findings = list(session.exec(select(FindingRow.code).where(FindingRow.as_of >= since)).all())
        seen.noticed = [row.body for row in session.exec(select(FindingRow).where(FindingRow.code == "model_noticed"))]
        seen.calls = set(session.exec(select(RecordingRow.call).where(RecordingRow.kind == "model")).all())
        seen.reviews = list(session.exec(select(ModelReviewRow)).all())
    return seen


Runs = Callable[..., Played]


def run(home: Path, settings: Mapping[str, Any]) -> Played:
    store = life.new_store(home, **settings)
    seen = asyncio.run(play(store))
    for cycle in seen.cycles:
        found = replay_decision(store, cycle)
        assert found.identical, [step for step in found.steps if not step.identical]
    store.db.dispose()
    return seen


BESIDE = {"model_monitoring": True, "model_coordinator": True}
"""Monitoring and coordinator ask the model as well."""


def by_model(base_url: str, **more: Any) -> dict[str, Any]:
    return {"model_base_url": base_url, "model_id": "peer", "model_timeout_s": 0.7, **more}


@pytest.fixture(scope="module")
def begun_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after one session; its approved entries are sent at the next open, and there are more to come."""
    folder = tmp_path_factory.mktemp("hostile")
    store = new_home(folder)

    async def begin() -> None:
        async with at_work(store) as drill:
            await drill.play(1)

    asyncio.run(begin())
    store.db.dispose()
    return folder / "home"


@pytest.fixture(scope="module")
def ruled(begun_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The desk on rules."""
    home = tmp_path_factory.mktemp("ruled") / "home"
    shutil.copytree(begun_home, home)
    return run(home, {})


def nothing_is_worse(seen: Played, ruled: Played) -> None:
    """No order, approval, limit, halt, lesson or strategy beyond what the rules and the candidates allow."""
    assert seen.self_released == 0
    assert seen.governed == ruled.governed
    assert seen.factors.keys() == ruled.factors.keys()
    assert {case: f for case, f in seen.factors.items() if f > ruled.factors[case]} == {}
    for case_id, quantity in seen.ordered.items():
        assert quantity <= seen.drafted[seen.proposals[case_id]]
        assert seen.factors.get(case_id, Decimal(1)) > 0
    assert sum(row.unresolved for row in seen.explanations) == 0
    assert not [item for item in seen.noticed if item.recommends_halt or item.severity == "critical" or item.symbol]
    assert not [item for item in seen.noticed if re.search(r"\d", item.message)]


def test_the_desk_on_rules_has_something_to_lose(ruled: Played) -> None:
    assert ruled.ordered
    assert any(factor > 0 for factor in ruled.factors.values())
    assert ruled.self_released == 0
    assert ruled.reviews == []


@pytest.mark.parametrize("mode", GOOD)
def test_a_model_that_answers_changes_nothing_for_the_worse(
    begun_home: Path, tmp_path: Path, openai_peer: Callable[..., Any], ruled: Played, mode: str
) -> None:
    shutil.copytree(begun_home, tmp_path / "home")
    peer = openai_peer(mode)
    seen = run(tmp_path / "home", by_model(peer.base_url, **BESIDE))
    nothing_is_worse(seen, ruled)
    assert {finding for finding in ruled.findings if finding not in seen.findings} == set()
    assert {"monitoring.notice", "coordinator.advise"} <= seen.calls
    assert seen.abstained == {None}
    assert len(seen.reviews) == len(seen.proposals)
    assert sum(row.dropped for row in seen.explanations) > 0 or mode not in ("bad_numbers", "obeys")
    orders = told("\n".join(str(message["content"]) for body in peer.requests for message in body["messages"]))
    assert any("Buy everything" in order for order in orders)
    for body in peer.requests:
        system = "\n".join(str(item["content"]) for item in body["messages"] if item["role"] == "system")
        assert not [text for text in INJECTED if text[:24] in system]


@pytest.mark.parametrize(("mode", "reason"), SILENT.items())
def test_a_model_without_a_usable_answer_stops_entries_and_is_a_finding(
    begun_home: Path, tmp_path: Path, openai_peer: Callable[..., Any], ruled: Played, mode: str, reason: str
) -> None:
    shutil.copytree(begun_home, tmp_path / "home")
    seen = run(tmp_path / "home", by_model(openai_peer(mode).base_url, **BESIDE))
    nothing_is_worse(seen, ruled)
    assert seen.abstained == {reason}
    assert seen.ordered.keys().isdisjoint(seen.proposals)
    assert seen.findings.count("abstentions") == 1
    assert {row.verdict for row in seen.reviews} == {"abstain"}


def test_a_model_unplugged_in_mid_cycle_leaves_abstentions_and_one_finding(
    begun_home: Path, tmp_path: Path, openai_peer: Callable[..., Any], ruled: Played
) -> None:
    shutil.copytree(begun_home, tmp_path / "home")
    seen = run(tmp_path / "home", by_model(openai_peer("error", script=["ok"]).base_url))
    nothing_is_worse(seen, ruled)
    assert seen.abstained == {None, "model_unreachable"}
    assert {row.reasoner for row in seen.explanations} == {"rules"}


def test_a_fallback_takes_over_and_the_desk_says_so_once(
    begun_home: Path, tmp_path: Path, openai_peer: Callable[..., Any], ruled: Played
) -> None:
    shutil.copytree(begun_home, tmp_path / "home")
    spare = openai_peer()
    settings = by_model(openai_peer("error").base_url, model_fallback_1=f"{spare.base_url} spare")
    seen = run(tmp_path / "home", settings)
    nothing_is_worse(seen, ruled)
    assert seen.abstained == {None}
    assert spare.calls > 0
    assert seen.findings.count("model_fallback") == 1


def test_samples_are_recorded_agree_and_replay(
    begun_home: Path, tmp_path: Path, openai_peer: Callable[..., Any], ruled: Played
) -> None:
    shutil.copytree(begun_home, tmp_path / "home")
    peer = openai_peer(script=["obeys", "error", "obeys"])
    seen = run(tmp_path / "home", by_model(peer.base_url, model_framework="self_consistency", model_samples=3))
    nothing_is_worse(seen, ruled)
    assert {row.framework for row in seen.reviews} == {"self_consistency"}
    assert {round(row.agreement or 0, 2) for row in seen.reviews} == {0.67, 1.0}


def test_what_the_coordinators_model_holds_back_waits_alone_and_says_so(
    begun_home: Path, tmp_path: Path, openai_peer: Callable[..., Any], ruled: Played
) -> None:
    shutil.copytree(begun_home, tmp_path / "home")
    peer = openai_peer()
    peer.waits, peer.noticed = frozenset({"p2", "p3", "p4"}), ["The book and the queue grow together."]
    settings = by_model(peer.base_url, **BESIDE)
    seen = run(tmp_path / "home", settings)
    nothing_is_worse(seen, ruled)
    assert seen.ordered.keys() < ruled.ordered.keys()
    assert {item.message for item in seen.noticed} == {"A model suspects: The book and the queue grow together."}
    store = life.new_store(tmp_path / "home", **settings)
    with store.db.read() as session:
        held = session.exec(select(CaseRow).where(CaseRow.reason == "advised_to_wait")).all()
    told = why_not(store, held[0].id).sentences[0]
    assert told.endswith(
        "the coordinator's model advised to wait with it, and the tighter word stands; the rules would have asked it "
        "(model: wait, fits)."
    )
    assert [group.reviews for group in scorecard(store).groups if "held back" in group.name] == [len(held)]
    assert {item.agent for item in scorecard(store).agents} >= {"monitoring", "coordinator", "decision"}
    store.db.dispose()


def test_the_scorecard_counts_what_a_vetoing_model_changed(
    begun_home: Path, tmp_path: Path, openai_peer: Callable[..., Any], ruled: Played
) -> None:
    shutil.copytree(begun_home, tmp_path / "home")
    peer = openai_peer()
    peer.verdict = lambda handle: {"verdict": "veto" if handle == "c1" else "keep", "reason": "trend_weak"}
    settings = by_model(peer.base_url, model_prices="peer=0.10/0.40")
    seen = run(tmp_path / "home", settings)
    nothing_is_worse(seen, ruled)
    store = life.new_store(tmp_path / "home", **settings)
    found = scorecard(store)
    store.db.dispose()
    assert found.reviews == len(seen.reviews)
    assert found.changed == sum(item.reviews for item in found.changes) > 0
    assert {item.verdict for item in found.changes} == {"veto"}
    assert found.cost.money is not None
    assert found.cost.money > 0
    assert abs(sum((item.money or Decimal(0)) for item in found.decisions) - found.cost.money) < Decimal("0.0001")
    assert found.conclusion.startswith("Too few to say anything: 0 of ")
