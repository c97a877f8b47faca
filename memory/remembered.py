"""Questions to long-term memory and their exact answers, from SQL alone.

Whoever asks, the rows decide: what was known later than the question's session, what another run remembers and, for an
agent, what people have not promoted, is not among them. An index only names candidates; `rank` answers.

    candidates   the OVER_FETCH most similar rows that the question may see
    pool         the POOL most similar of them, near-duplicates as one, above SIMILARITY_FLOOR
    answer       the pool by score, ties by id
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from memory.embedding import DIMENSIONS
from memory.inspection import Refusal
from memory.tables import LessonRow, MemoryRow
from memory.weighing import Kind, Weights, weigh

DESK_SCOPE: Final = "desk"
"""The scope of what belongs to every run: runbooks."""
OVER_FETCH: Final = 160
POOL: Final = 32
SIMILARITY_FLOOR: Final = 0.3
"""Same-topic texts begin near here with this encoder (measured on headlines)."""
WORDS_FLOOR: Final = 0.1
"""For people: a few words are never as like to a whole text as another text is."""
CHUNK: Final = 4096
Vector = NDArray[np.float32]


class Question(NamedTuple):
    """What is asked of memory, by a run that stands at session `as_of_index`.

    `kinds`, `strategy`, `symbol` and `regime` filter; `regime_now` is what the regimes of cases are held against.
    `for_agent` leaves out lessons that are not promoted; nothing less similar than `floor` is an answer.
    """

    run_id: str
    as_of_index: int
    kinds: tuple[Kind, ...] = ("case",)
    strategy: str | None = None
    symbol: str | None = None
    regime: str | None = None
    regime_now: str = ""
    limit: int = 5
    for_agent: bool = True
    floor: float = SIMILARITY_FLOOR


class Item(NamedTuple):
    """What is to be remembered; see `MemoryRow`. `taint` is true when a stranger could have written any of `text`."""

    id: str
    run_id: str
    kind: Kind
    subject: str
    text: str
    known_index: int
    symbol: str = ""
    strategy: str = ""
    outcome: str | None = None
    regime: str = ""
    taint: bool = False


class Written(NamedTuple):
    """What became of one item. `known` was there before; a `duplicate` is kept and told as one with its likes."""

    id: str
    status: Literal["new", "duplicate", "known", "refused"]
    refusal: Refusal | None = None


class Recalled(NamedTuple):
    """One remembered item with everything that made its place: cosine in [-1, 1] and the factors of its score.

    `alike` is how many near-duplicates known by then it stands for, itself included; `age` in sessions.
    """

    id: str
    kind: Kind
    subject: str
    symbol: str
    strategy: str
    similarity: float
    weights: Weights
    age: int
    alike: int
    regime: str
    taint: bool
    superseded: bool

    @property
    def score(self) -> float:
        return self.weights.score


def decode(vector: bytes) -> Vector | None:
    """The vector of a row; None where its bytes are no finite vector of the encoder's length."""
    if len(vector) != DIMENSIONS * 4:
        return None
    found: Vector = np.frombuffer(vector, dtype=np.float32)
    return found if np.isfinite(found).all() else None


def visible(question: Question, encoder: str, row: type[MemoryRow] = MemoryRow) -> ColumnElement[bool]:
    """Which rows a question may see at all; vectors of another encoder cannot be compared."""
    parts = [
        or_(
            and_(col(row.run_id) == question.run_id, col(row.known_index) <= question.as_of_index),
            col(row.run_id) == DESK_SCOPE,
        ),
        col(row.kind).in_(question.kinds),
        or_(col(row.kind) != "runbook", col(row.superseded_index).is_(None)),
        col(row.encoder) == encoder,
    ]
    for column, wanted in ((row.strategy, question.strategy), (row.symbol, question.symbol)):
        if wanted is not None:
            parts.append(col(column) == wanted)
    if question.regime is not None:
        parts.append(col(row.regime) == question.regime)
    if question.for_agent and "lesson" in question.kinds:
        promoted = select(LessonRow.id).where(LessonRow.state == "promoted")
        parts.append(or_(col(row.kind) != "lesson", col(row.subject).in_(promoted)))
    return and_(*parts)


def most_similar(session: Session, query: Vector, question: Question, encoder: str) -> list[str]:
    """Ids of the OVER_FETCH most similar rows that the question may see, read one by one from SQL."""
    best: list[tuple[float, str]] = []
    for ids, vectors in _vectors(session, visible(question, encoder)):
        distances = -np.round(vectors.astype(np.float64) @ query.astype(np.float64), 4)
        worst = best[-1][0] if len(best) == OVER_FETCH else np.inf
        best += [(float(distances[n]), ids[n]) for n in np.flatnonzero(distances <= worst)]
        best = sorted(best)[:OVER_FETCH]
    return [memory_id for _, memory_id in best]


def _vectors(session: Session, where: ColumnElement[bool]) -> Iterator[tuple[list[str], Vector]]:
    """Ids and their vectors, shape (n, DIMENSIONS), in parts; rows without a usable vector are left out."""
    query = select_columns(col(MemoryRow.id), col(MemoryRow.vector)).where(where)
    for part in session.connection().execute(query.execution_options(yield_per=CHUNK)).partitions(CHUNK):
        held = [(memory_id, raw) for memory_id, raw in part if len(raw) == DIMENSIONS * 4]
        vectors = np.frombuffer(b"".join(raw for _, raw in held), dtype=np.float32).reshape(-1, DIMENSIONS)
        sound = np.flatnonzero(np.isfinite(vectors).all(axis=1))
        yield [held[n][0] for n in sound], vectors[sound]


def rank(session: Session, query: Vector, question: Question, encoder: str, ids: Sequence[str]) -> tuple[Recalled, ...]:
    """The answer to a question from its candidates; those that it may not see are left out."""
    pool: dict[str, _Weighed] = {}
    for similarity, row in _by_similarity(session, query, question, encoder, ids):
        cluster = row.cluster or row.id
        if cluster not in pool and len(pool) >= max(POOL, question.limit):
            break
        found = _weighed(similarity, row, question)
        pool[cluster] = min(found, pool.get(cluster, found), key=_place)
    ordered = sorted(pool.values(), key=_place)[: question.limit]
    counts = _counts(session, question, [row.cluster for _, row, _ in ordered if row.cluster])
    return tuple(
        Recalled(
            id=row.id, kind=row.kind, subject=row.subject, symbol=row.symbol, strategy=row.strategy,
            similarity=similarity, weights=weights, age=_age(row, question), alike=counts.get(row.cluster, 1),
            regime=row.regime, taint=row.taint, superseded=_over(row, question),
        )
        for similarity, row, weights in ordered
    )  # fmt: skip


class _Weighed(NamedTuple):
    similarity: float
    row: Any
    weights: Weights


def _weighed(similarity: float, row: Any, question: Question) -> _Weighed:
    weights = weigh(
        similarity, kind=row.kind, outcome=row.outcome, age=_age(row, question), superseded=_over(row, question),
        regime_then=row.regime, regime_now=question.regime_now,
    )  # fmt: skip
    return _Weighed(similarity, row, weights)


def _place(item: _Weighed) -> tuple[float, float, str]:
    return (-item.weights.score, -item.similarity, item.row.id)


def _by_similarity(
    session: Session, query: Vector, question: Question, encoder: str, ids: Sequence[str]
) -> list[tuple[float, Any]]:
    table = getattr(MemoryRow, "__table__").columns  # noqa: B009  (SQLModel does not type it)
    named = select_columns(*(c for c in table if c.name != "text")).where(col(MemoryRow.id).in_(ids))
    few = named.cte("few").prefix_with("MATERIALIZED")  # else SQLite walks the whole shelf to find them
    row = aliased(MemoryRow, few)
    held = session.connection().execute(select_columns(few).where(visible(question, encoder, row))).all()
    sound = [(item, vector) for item in held if (vector := decode(item.vector)) is not None]
    if not sound:
        return []
    exact = np.stack([vector for _, vector in sound]).astype(np.float64) @ query.astype(np.float64)
    scored = [(round(float(s), 4), item) for s, (item, _) in zip(exact, sound, strict=True)]
    return sorted((s for s in scored if s[0] >= question.floor), key=lambda s: (-s[0], s[1].id))


def _age(row: Any, question: Question) -> int:
    return 0 if row.run_id == DESK_SCOPE else question.as_of_index - int(row.known_index)


def _over(row: Any, question: Question) -> bool:
    return row.superseded_index is not None and row.superseded_index <= question.as_of_index


def _counts(session: Session, question: Question, clusters: Sequence[str]) -> dict[str, int]:
    """How many items of each cluster were known by the question's session."""
    found = session.exec(
        select(MemoryRow.cluster, func.count())
        .where(col(MemoryRow.cluster).in_(clusters), MemoryRow.known_index <= question.as_of_index)
        .group_by(MemoryRow.cluster)
    ).all()
    return {cluster: int(count) for cluster, count in found}
