"""What lessons do in the cycles of a real desk: promoted ones tighten, those in shadow only leave a note."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import col, select

from memory.ledger import content_sha256
from memory.recordings import load_blob
from memory.tables import CaseRow, ExplanationRow, LessonShadowRow, RecordingRow, RunRow
from pipeline.activation import activate
from pipeline.decision_replay import replay_decision
from pipeline.desk import RunRequest, open_desk, start_run
from pipeline.headless import open_player
from pipeline.policy import default_policy_text
from pipeline.store import Store
from tests.pipeline import life, parked, taught
from tests.pipeline.life import ANN
from tools.types import Review


@dataclass
class Played:
    """A desk that played sessions 60 and 61, in which GIS and XOM are candidates of trend."""

    store: Store
    run_id: str
    sha256: str
    lesson_id: str | None

    def cases(self) -> dict[tuple[int, str], CaseRow]:
        with self.store.db.read() as session:
            rows = session.exec(select(CaseRow).where(CaseRow.kind == "order.entry")).all()
        return {(row.opened_index, row.symbol): row for row in rows}

    def briefs(self) -> list[dict[str, object]]:
        with self.store.db.read() as session:
            rows = session.exec(
                select(RecordingRow)
                .where(RecordingRow.call == "decision.review_candidates")
                .order_by(col(RecordingRow.id))
            ).all()
            return [load_blob(session, row.input_sha256) for row in rows]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home whose run stands at the close of session 59, with real four eyes."""
    home = tmp_path_factory.mktemp("lessons") / "base"
    store = life.new_store(home)
    (home / "config").mkdir(exist_ok=True)
    text = default_policy_text().replace("profile: single_operator", "profile: desk")
    (home / "config" / "policy.yaml").write_text(text)
    activate(store, "policy", principal=ANN, reason="test")
    run = start_run(store, RunRequest(symbols=parked.SYMBOLS))
    with store.db.write() as session:
        row = session.get_one(RunRow, run.id)
        row.session_index, row.stage = 59, "closed"
        session.add(row)
    store.db.dispose()
    return home, run.id


def play(base: tuple[Path, str], home: Path, *states: str) -> Played:
    shutil.copytree(base[0], home)
    store = life.new_store(home)
    lesson_id = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taught, "RUN", base[1])
        if states:
            lesson_id = taught.write(store)
            taught.move(store, lesson_id, "shadow")
        if "promoted" in states and lesson_id:
            taught.try_out(store, lesson_id, first=30, count=20)
            taught.move(store, lesson_id, "promoted")

    async def sessions() -> None:
        async with open_player(open_desk(store)) as player:
            await player.play()
            await player.play()

    asyncio.run(sessions())
    with store.db.read() as session:
        sha256 = content_sha256(session, base[1])
    return Played(store, base[1], sha256, lesson_id)


@pytest.fixture(scope="module")
def desks(base: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Played]]:
    folder = tmp_path_factory.mktemp("played")
    made = {
        "none": play(base, folder / "none"), "shadow": play(base, folder / "shadow", "shadow"),
        "promoted": play(base, folder / "promoted", "shadow", "promoted"),
        "again": play(base, folder / "again", "shadow", "promoted"),
    }  # fmt: skip
    yield made
    for played in made.values():
        played.store.db.dispose()


def reviews_of(played: Played) -> dict[tuple[int, str], Review]:
    return {key: Review.model_validate(row.review) for key, row in played.cases().items()}


def test_a_promoted_lesson_makes_every_entry_in_its_scope_smaller_and_is_cited(desks: dict[str, Played]) -> None:
    plain, taught_ = desks["none"].cases(), desks["promoted"].cases()
    assert plain.keys() == taught_.keys()
    for key, row in taught_.items():
        review = Review.model_validate(row.review)
        assert "lesson_against" in {reason.code for reason in review.reasons}, key
        assert review.factor <= Review.model_validate(plain[key].review).factor
        assert row.order.quantity <= plain[key].order.quantity
    assert any(row.order.quantity < plain[key].order.quantity for key, row in taught_.items())


def test_the_explanation_that_people_approve_names_the_lesson(desks: dict[str, Played]) -> None:
    played = desks["promoted"]
    with played.store.db.read() as session:
        told = session.exec(select(ExplanationRow).where(ExplanationRow.run_id == played.run_id)).all()
    entries = [row for row in told if any(claim["kind"] == "sizing" for claim in row.body["claims"])]
    assert entries
    for row in entries:
        assert [claim for claim in row.body["claims"] if claim["kind"] == "lesson"]
        assert row.unresolved == 0


def test_in_shadow_no_brief_holds_it_and_every_review_is_as_without_it(desks: dict[str, Played]) -> None:
    assert reviews_of(desks["shadow"]) == reviews_of(desks["none"])
    for name, holds in (("none", False), ("shadow", False), ("promoted", True)):
        kinds = [{item["kind"] for item in brief["evidence"]} for brief in desks[name].briefs()]  # type: ignore[attr-defined]
        assert [("lesson" in found) for found in kinds] == [holds] * len(kinds), name


def test_in_shadow_what_it_would_have_done_is_noted_beside_each_review(desks: dict[str, Played]) -> None:
    played = desks["shadow"]
    with played.store.db.read() as session:
        notes = {row.case_id: row for row in session.exec(select(LessonShadowRow)).all()}
    cases = played.cases().values()
    assert set(notes) == {row.id for row in cases}
    for row in cases:
        assert notes[row.id].would_factor <= notes[row.id].factor
    assert any(note.would_factor < note.factor for note in notes.values())
    assert "lesson.shadowed" in taught.kinds(played.store)


def test_two_homes_with_the_same_lesson_say_the_same_and_replay_to_it(desks: dict[str, Played]) -> None:
    assert desks["promoted"].sha256 == desks["again"].sha256 != desks["none"].sha256
    cycle = next(iter(desks["promoted"].cases().values())).cycle_id
    assert replay_decision(desks["promoted"].store, cycle).identical
    assert desks["promoted"].store.verify_ledger().verified
