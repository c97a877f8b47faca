"""Long-term recall. SQL holds text, vector and truth; Chroma is an index that can be rebuilt at any time.

The index over-fetches, the candidates are re-ranked exactly from the SQL vectors, ties break by id: an answer
does not depend on the order in which the index was built. Only the engine opens Chroma.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sqlmodel import col, select

from memory.database import Database, insert_if_absent
from memory.embedding import DIMENSIONS, SentenceEncoder
from memory.tables import MemoryRow
from tools.errors import ConfigError

OVER_FETCH = 64
SIMILARITY_FLOOR = 0.3


class Recalled(NamedTuple):
    """One remembered item and its cosine similarity in [-1, 1]."""

    id: str
    similarity: float


class Recall:
    """Remember and recall texts within one run, as of a session index."""

    def __init__(self, database: Database, folder: Path) -> None:
        os.environ["ANONYMIZED_TELEMETRY"] = "False"
        import chromadb
        from chromadb.config import Settings as ChromaSettings
        from chromadb.errors import ChromaError

        self._database = database
        self._encoder = SentenceEncoder()
        try:
            client = chromadb.PersistentClient(str(folder), settings=ChromaSettings(anonymized_telemetry=False))
            self._collection: Any = client.get_or_create_collection(
                "cases",
                embedding_function=None,
                metadata={"hnsw:space": "cosine", "encoder": self._encoder.fingerprint},
            )
        except (ChromaError, ValueError) as error:
            raise ConfigError(
                f"the recall index cannot be opened ({error}): delete the `chroma` folder of the home, it is rebuilt",
                code="recall_unreadable",
            ) from None
        self._reindex()

    def remember(self, *, memory_id: str, run_id: str, symbol: str, strategy: str, known_index: int, text: str) -> None:
        """Keep a text under its id; the same id again changes nothing."""
        vector = self._encoder.encode(text).tobytes()
        values: dict[str, Any] = {
            "id": memory_id, "run_id": run_id, "kind": "case", "symbol": symbol, "strategy": strategy,
            "known_index": known_index, "text": text, "vector": vector,
        }  # fmt: skip
        with self._database.write() as session:
            insert_if_absent(session, MemoryRow, values)
        self._index([MemoryRow(**values)])

    def recall(
        self, text: str, *, run_id: str, as_of_index: int, strategy: str, limit: int = 5
    ) -> tuple[Recalled, ...]:
        """Most similar items of the run known by `as_of_index`, above the similarity floor, best first."""
        query = self._encoder.encode(text)
        with self._database.read() as session:
            known = session.exec(
                select(MemoryRow.id).where(
                    MemoryRow.run_id == run_id, MemoryRow.strategy == strategy, MemoryRow.known_index <= as_of_index
                )
            ).all()
            if not known:
                return ()
            where = {
                "$and": [
                    {"run_id": run_id}, {"strategy": strategy}, {"known_index": {"$lte": as_of_index}},
                ]
            }  # fmt: skip
            found = self._collection.query(
                query_embeddings=[query.tolist()],
                n_results=min(OVER_FETCH * limit, len(known)),
                where=where,
                include=[],
            )["ids"][0]
            allowed = sorted(set(found) & set(known))
            rows = session.exec(select(MemoryRow).where(col(MemoryRow.id).in_(allowed))).all()
        exact = [Recalled(row.id, round(float(np.frombuffer(row.vector, dtype=np.float32) @ query), 4)) for row in rows]
        ranked = sorted(
            (item for item in exact if item.similarity >= SIMILARITY_FLOOR), key=lambda i: (-i.similarity, i.id)
        )
        return tuple(ranked[:limit])

    def count(self) -> int:
        return int(self._collection.count())

    def _reindex(self) -> None:
        """Bring the index to what SQL says: forget what SQL does not hold, add what the index lacks."""
        with self._database.read() as session:
            known = set(session.exec(select(MemoryRow.id)).all())
            indexed = set(self._collection.get(include=[])["ids"])
            missing = sorted(known - indexed)
            for start in range(0, len(missing), 1000):
                query = select(MemoryRow).where(col(MemoryRow.id).in_(missing[start : start + 1000]))
                self._index(list(session.exec(query.order_by(col(MemoryRow.id))).all()))
        surplus = sorted(indexed - known)
        for start in range(0, len(surplus), 1000):
            self._collection.delete(ids=surplus[start : start + 1000])

    def _index(self, rows: list[MemoryRow]) -> None:
        self._collection.upsert(
            ids=[row.id for row in rows],
            embeddings=[np.frombuffer(row.vector, dtype=np.float32, count=DIMENSIONS).tolist() for row in rows],
            metadatas=[
                {"run_id": row.run_id, "strategy": row.strategy, "known_index": row.known_index} for row in rows
            ],
        )
