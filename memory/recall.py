"""Long-term memory: remember, recall, and keep the index in step. Only the engine opens it.

SQL holds text, vector and truth; the index names candidates and can be lost at any time. What it cannot name (a
narrower question, an earlier session, an index that is down or behind) is read from SQL, with the same answer: it
depends neither on the order in which the index was built nor on whether there is one.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from memory.database import Database, insert_if_absent
from memory.embedding import SentenceEncoder
from memory.inspection import CLOSE_SESSIONS, NEAR_DUPLICATE, Refusal, inspect, usable
from memory.remembered import (
    DESK_SCOPE,
    OVER_FETCH,
    Item,
    Question,
    Recalled,
    Vector,
    Written,
    decode,
    most_similar,
    rank,
)
from memory.tables import MemoryRow
from memory.vector_index import ChromaServer, Shelf, VectorIndex
from memory.weighing import Kind
from tools.errors import RetryableToolError

READ = 1000
ENCODED = 256
"""Texts whose vectors are kept at hand: a proposal is asked about for its review, its lessons and its explanation."""


class Held(NamedTuple):
    """What the index holds of one shelf, and the newest session that any of it became known at."""

    size: int
    newest: int


class Recall:
    """Remember and recall. `trouble` says why the index does not answer, None while it does; `note` what was mended."""

    def __init__(self, database: Database, place: Path | ChromaServer, *, stamp: str = "local") -> None:
        self._database = database
        self._encoder = SentenceEncoder()
        self._encode = lru_cache(maxsize=ENCODED)(self._encoder.encode)
        self._index = VectorIndex(place, stamp, self._encoder.fingerprint)
        self._held: dict[Shelf, Held] = {}
        self._writing = threading.RLock()
        self.trouble: str | None = "it was not opened yet"
        self.note = ""
        self._encode_again()
        self.attend()

    def remember(self, *items: Item) -> tuple[Written, ...]:
        """Inspect and keep items, in one transaction; the same id again changes nothing."""
        with self._writing:
            rows: list[MemoryRow] = []
            said = []
            with self._database.write() as session:
                for item in items:
                    written, row = self._write(session, item)
                    said.append(written)
                    rows += [row] if row else []
            self._put(rows)
        return tuple(said)

    def recall(self, text: str, question: Question) -> tuple[Recalled, ...]:
        """The most telling items that the question may see, best first; nothing below the similarity floor."""
        query = self._encode(text)
        if not text.strip() or not usable(query):
            return ()
        named = self._named(query, question)
        with self._database.read() as session:
            ids = most_similar(session, query, question, self._encoder.fingerprint) if named is None else named
            return rank(session, query, question, self._encoder.fingerprint, ids)

    def supersede(self, ids: Iterable[str], index: int) -> None:
        """Say that something newer stands for items from session `index` on; they stay, and weigh less."""
        wanted = list(ids)
        if not wanted:
            return
        with self._database.write() as session:
            for row in session.exec(select(MemoryRow).where(col(MemoryRow.id).in_(wanted))):
                row.superseded_index = index if row.superseded_index is None else row.superseded_index
                session.add(row)

    def in_use(self, kind: Kind, ids: Sequence[str]) -> None:
        """Say which of the desk's own items of a kind are in use; the others stay, superseded."""
        with self._database.write() as session:
            for row in session.exec(select(MemoryRow).where(MemoryRow.run_id == DESK_SCOPE, MemoryRow.kind == kind)):
                over = None if row.id in ids else 0
                if row.superseded_index != over:
                    row.superseded_index = over
                    session.add(row)

    def attend(self) -> bool:
        """See that the index answers, and bring one that did not back to what SQL says; True when it answers."""
        with self._writing:
            try:
                if self.trouble is None:
                    self._index.ping()
                else:
                    self._index.open()
                    self._synchronise()
                    self.note = self._index.note
            except RetryableToolError as error:
                self.trouble = error.message
            else:
                self.trouble = None
            return self.trouble is None

    def rebuild(self) -> int:
        """Build the index anew from SQL; returns how many items it holds. RetryableToolError while it is down."""
        with self._writing:
            self._encode_again()
            if self.trouble is not None:
                self._index.open()
            self._index.clear()
            self._synchronise()
            self.trouble, self.note = None, ""
            return self.count()

    def count(self) -> int:
        """Items in the index."""
        return sum(held.size for held in self._held.values())

    def close(self) -> None:
        """Let go of the index; it can be opened again."""
        self._index.close()
        self.trouble = "it was closed"

    def _write(self, session: Session, item: Item) -> tuple[Written, MemoryRow | None]:
        if session.get(MemoryRow, item.id) is not None:
            return Written(item.id, "known"), None
        refusal = inspect(item.text, kind=item.kind, taint=item.taint)
        if refusal is not None:
            return Written(item.id, "refused", refusal), None
        vector = self._encoder.encode(item.text)
        if not usable(vector):
            no_vector = Refusal("no_vector", "the encoder made no usable vector of it")
            return Written(item.id, "refused", no_vector), None
        cluster = self._cluster(session, item, vector)
        values: dict[str, Any] = {
            **item._asdict(), "vector": vector.tobytes(), "encoder": self._encoder.fingerprint, "cluster": cluster,
        }  # fmt: skip
        insert_if_absent(session, MemoryRow, values)
        return Written(item.id, "new" if cluster == item.id else "duplicate"), MemoryRow(**values)

    def _cluster(self, session: Session, item: Item, vector: Vector) -> str:
        """The cluster of the most similar near-duplicate told lately, else one of its own."""
        if item.kind != "case":
            return item.id
        near = session.exec(
            select(MemoryRow.id, MemoryRow.cluster, MemoryRow.vector).where(
                MemoryRow.run_id == item.run_id, MemoryRow.kind == item.kind, MemoryRow.strategy == item.strategy,
                MemoryRow.symbol == item.symbol, MemoryRow.regime == item.regime,
                MemoryRow.known_index >= item.known_index - CLOSE_SESSIONS, MemoryRow.known_index <= item.known_index,
            )
        ).all()  # fmt: skip
        alike = [
            (-round(float(found @ vector), 4), name, cluster or name)
            for name, cluster, raw in near
            if (found := decode(raw)) is not None
        ]
        best = min(alike, default=None)
        return best[2] if best is not None and -best[0] >= NEAR_DUPLICATE else item.id

    def _named(self, query: Vector, question: Question) -> list[str] | None:
        """Candidates by the index; None when it cannot know them all."""
        narrow = question.symbol is not None or question.regime is not None or question.strategy is None
        if self.trouble is not None or narrow or len(question.kinds) != 1:
            return None
        kind = question.kinds[0]
        if question.for_agent and kind == "lesson":
            return None
        shelf = Shelf(DESK_SCOPE if kind == "runbook" else question.run_id, kind, question.strategy or "")
        held = self._held.get(shelf, Held(0, -1))
        if held.size == 0:
            return []
        if question.as_of_index < held.newest:
            return None
        try:
            found = self._index.nearest(shelf, query, min(OVER_FETCH, held.size))
        except RetryableToolError as error:
            self.trouble = error.message
            return None
        return found if len(found) >= min(OVER_FETCH, held.size) else None

    def _put(self, rows: Sequence[MemoryRow]) -> None:
        """Put new rows into the index, unless it is down: then it gets them when it is back."""
        shelves: dict[Shelf, list[MemoryRow]] = defaultdict(list)
        for row in rows:
            shelves[Shelf(row.run_id, row.kind, row.strategy)].append(row)
        for shelf, held in shelves.items():
            if self.trouble is not None:
                return
            try:
                self._add(shelf, held)
            except RetryableToolError as error:
                self.trouble = error.message
            else:
                before = self._held.get(shelf, Held(0, -1))
                newest = max(before.newest, *(row.known_index for row in held))
                self._held[shelf] = Held(before.size + len(held), newest)

    def _synchronise(self) -> None:
        """Bring the index to what SQL says: forget what SQL does not hold, add what the index lacks."""
        self._index.drop_named(self._index.strangers())
        columns = (col(MemoryRow.run_id), col(MemoryRow.kind), col(MemoryRow.strategy))
        with self._database.read() as session:
            kept = {
                Shelf(run, kind, strategy): Held(int(size), int(newest))
                for run, kind, strategy, size, newest in session.connection().execute(
                    select_columns(*columns, func.count(), func.max(MemoryRow.known_index)).group_by(*columns)
                )
            }  # fmt: skip
            for shelf in self._index.shelves() - set(kept):
                self._index.drop(shelf)
            for shelf in sorted(kept):
                self._fill(session, shelf)
        self._held = kept

    def _fill(self, session: Session, shelf: Shelf) -> None:
        of_shelf = (
            MemoryRow.run_id == shelf.run_id, MemoryRow.kind == shelf.kind, MemoryRow.strategy == shelf.strategy,
        )  # fmt: skip
        known = set(session.exec(select(MemoryRow.id).where(*of_shelf)).all())
        indexed = self._index.ids(shelf)
        self._index.forget(shelf, sorted(indexed - known))
        missing = sorted(known - indexed)
        for start in range(0, len(missing), READ):
            query = select(MemoryRow).where(col(MemoryRow.id).in_(missing[start : start + READ]))
            rows = list(session.exec(query.order_by(col(MemoryRow.id))).all())
            self._add(shelf, rows)

    def _add(self, shelf: Shelf, rows: Sequence[MemoryRow]) -> None:
        """A row without a usable vector stays out, so that its shelf is short of it and is read from SQL."""
        found = [(row.id, vector) for row in rows if (vector := decode(row.vector)) is not None]
        if found:
            self._index.add(shelf, [memory_id for memory_id, _ in found], np.stack([vector for _, vector in found]))

    def _encode_again(self) -> None:
        """Make the vectors anew that another encoder made, or that cannot be used, and drop those from the index."""
        with self._database.read() as session:
            other = session.exec(select(MemoryRow.id).where(MemoryRow.encoder != self._encoder.fingerprint)).all()
        for start in range(0, len(other), READ):
            with self._database.write() as session:
                query = select(MemoryRow).where(col(MemoryRow.id).in_(other[start : start + READ]))
                for row in session.exec(query):
                    row.vector, row.encoder = self._encoder.encode(row.text).tobytes(), self._encoder.fingerprint
                    session.add(row)
