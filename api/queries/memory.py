"""Long-term memory as people see it: exact search over the vectors in SQL, so that only the engine opens Chroma."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import Integer, cast
from sqlmodel import Session, col, func, select

from api.errors import RequestError, not_found
from memory.embedding import SentenceEncoder
from memory.remembered import WORDS_FLOOR, Question, Recalled, most_similar, rank
from memory.tables import EquityRow, HealthRow, HeartbeatRow, LessonRow, MemoryRow, OutcomeRow, RunRow
from memory.weighing import KINDS, Kind, Weights
from pipeline.long_term import place_of
from pipeline.store import Store, active_run
from tools.strategy.regime import TREND, regime_of


class MemoryQuery(BaseModel):
    """A search. Without `kind` all kinds; `as_of` is the last session that may be known, default the newest."""

    q: Annotated[str, Query(min_length=1, max_length=1000, description="what to look for, in plain words")]
    kind: Annotated[Kind | None, Query()] = None
    symbol: Annotated[str | None, Query(max_length=10)] = None
    strategy: Annotated[str | None, Query(max_length=80)] = None
    regime: Annotated[str | None, Query(max_length=20, description="only cases that opened in this regime")] = None
    run: Annotated[str | None, Query(max_length=80, description="a run id; default: the active run")] = None
    as_of: Annotated[date | None, Query()] = None
    limit: Annotated[int, Query(ge=1, le=50)] = 10


class MemoryBody(BaseModel):
    """One remembered item: what it is about, and every factor of `score` = similarity x outcome x recency x regime.

    `outcome` is a case's disposition, `state` a lesson's; agents are given neither a lesson before it is promoted nor
    the text of anything. `alike` counts near-duplicates that it stands for. `tainted`: a stranger's text bore on it.
    """

    id: str
    kind: Kind
    subject: str
    symbol: str
    strategy: str
    market: str
    text: str
    known_index: int
    age_sessions: int
    outcome: str | None
    excess_return: float | None
    state: str | None
    similarity: float
    weight_outcome: float
    weight_recency: float
    weight_regime: float
    score: float
    alike: int
    tainted: bool
    superseded: bool


class MemoryAnswer(BaseModel):
    """What memory holds on a question, best first. `market_now` is the regime that cases were held against."""

    run: str
    as_of_index: int
    market_now: str
    items: tuple[MemoryBody, ...]


class MemoryCount(BaseModel):
    """How much of one kind one run remembers; runbooks belong to `desk`."""

    run: str
    kind: Kind
    items: int
    alike: int
    tainted: int
    superseded: int
    newest_index: int


class MemoryStatus(BaseModel):
    """What SQL remembers, and how its index does. `other_encoder` items are encoded again at the next start."""

    encoder: str
    items: int
    other_encoder: int
    index: Literal["folder", "server"]
    place: str
    state: str
    detail: str
    at: datetime | None
    kinds: tuple[MemoryCount, ...]


def search(store: Store, encoder: SentenceEncoder, query: MemoryQuery) -> MemoryAnswer:
    """Answer as the engine would, but for all lessons, and without its index."""
    with store.db.read() as session:
        run = _run(session, query.run)
        at = run.session_index if query.as_of is None else _index_at(session, run, query.as_of)
        question = Question(
            run.id, at, kinds=(query.kind,) if query.kind else KINDS, strategy=query.strategy or None,
            symbol=query.symbol.upper() if query.symbol else None, regime=query.regime or None,
            regime_now=_regime(session, run, query.as_of), limit=query.limit, for_agent=False,
            floor=WORDS_FLOOR,
        )  # fmt: skip
        if not query.q.strip():
            raise RequestError("there is nothing to look for: write what it was about", code="invalid")
        vector = encoder.encode(query.q)
        ids = most_similar(session, vector, question, encoder.fingerprint)
        found = rank(session, vector, question, encoder.fingerprint, ids)
        items = tuple(_bodies(session, found))
    return MemoryAnswer(run=run.id, as_of_index=at, market_now=question.regime_now, items=items)


def status(store: Store, encoder: SentenceEncoder) -> MemoryStatus:
    """Counts from SQL, and what the engine last said of the index."""
    row = MemoryRow
    with store.db.read() as session:
        held = session.exec(
            select(  # type: ignore[call-overload]
                row.run_id, row.kind, func.count(), func.count(func.distinct(row.cluster)),
                func.sum(cast(col(row.taint), Integer)), func.count(col(row.superseded_index)),
                func.max(row.known_index),
            )
            .group_by(row.run_id, row.kind)
            .order_by(row.run_id, row.kind)
        ).all()  # fmt: skip
        other = session.exec(select(func.count()).where(row.encoder != encoder.fingerprint)).one()
        beat = session.get(HeartbeatRow, "recall")
    place = place_of(store.settings, store.home.chroma)
    return MemoryStatus(
        encoder=encoder.fingerprint, items=sum(item[2] for item in held), other_encoder=other,
        index="server" if store.settings.chroma_url else "folder", place=str(getattr(place, "url", place)),
        state=beat.state if beat else "off", detail=beat.detail if beat else "the engine has not opened it yet",
        at=beat.at_wall if beat else None,
        kinds=tuple(
            MemoryCount(
                run=run, kind=kind, items=items, alike=items - clusters, tainted=int(tainted), superseded=over,
                newest_index=newest,
            )
            for run, kind, items, clusters, tainted, over, newest in held
        ),
    )  # fmt: skip


def _run(session: Session, run_id: str | None) -> RunRow:
    """The run asked for; without any run only what belongs to the desk is there to be found."""
    run = active_run(session) if run_id is None else session.get(RunRow, run_id)
    if run is None and run_id is not None:
        raise not_found("run", run_id)
    if run is None:
        raise RequestError("this home has no run yet: nothing is remembered", code="not_found")
    return run


def _index_at(session: Session, run: RunRow, day: date) -> int:
    """The last session of the run that closed by a day, -1 for none."""
    query = select(func.max(HealthRow.session_index)).where(HealthRow.run_id == run.id, HealthRow.session <= day)
    found = session.exec(query).one()
    return -1 if found is None else int(found)


def _regime(session: Session, run: RunRow, day: date | None) -> str:
    """The regime by the closes that the run itself has marked; "" while they are too few."""
    query = select(EquityRow.index_close).where(EquityRow.run_id == run.id)
    if day is not None:
        query = query.where(EquityRow.session <= day)
    closes = session.exec(query.order_by(col(EquityRow.session).desc()).limit(TREND)).all()
    return regime_of(closes[::-1])


def _bodies(session: Session, found: Sequence[Recalled]) -> list[MemoryBody]:
    rows = {row.id: row for row in session.exec(select(MemoryRow).where(col(MemoryRow.id).in_([i.id for i in found])))}
    subjects = [item.subject for item in found]
    outcomes = {
        row.case_id: row.body.excess_return
        for row in session.exec(select(OutcomeRow).where(col(OutcomeRow.case_id).in_(subjects), OutcomeRow.settled))
    }
    states = {row.id: row.state for row in session.exec(select(LessonRow).where(col(LessonRow.id).in_(subjects)))}
    return [_body(item, rows[item.id], outcomes.get(item.subject), states.get(item.subject)) for item in found]


def _body(item: Recalled, row: MemoryRow, excess: float | None, state: str | None) -> MemoryBody:
    weights: Weights = item.weights
    return MemoryBody(
        id=item.id, kind=item.kind, subject=item.subject, symbol=item.symbol, strategy=item.strategy,
        market=item.regime, text=row.text, known_index=row.known_index, age_sessions=item.age,
        outcome=row.outcome, excess_return=excess if item.kind == "case" else None, state=state,
        similarity=item.similarity, weight_outcome=weights.outcome, weight_recency=weights.recency,
        weight_regime=weights.regime, score=weights.score, alike=item.alike, tainted=item.taint,
        superseded=item.superseded,
    )  # fmt: skip
