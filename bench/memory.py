"""What recall costs over a bare query of the index, with many items on one shelf.

    python -m bench.memory [--items 100000] [--queries 200] [--json]

Items are vectors of real situations (a few hundred encoded texts) with noise, one shelf of one run, written straight
into SQL. Then, in turn: a bare Chroma query (five results, no filter) on that very collection, and a whole recall
(encode the text, ask the index, read the candidates' rows, re-rank exactly, collapse near-duplicates, weigh). The
multiple is p95 over p95, once over the query alone and once over encoding the text and the query, as bare Chroma with
an embedding function does. Beside it the exact answer from SQL that stands in when the index is down.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from memory.database import Database
from memory.embedding import DIMENSIONS, SentenceEncoder
from memory.migrations import upgrade
from memory.recall import Recall
from memory.remembered import Question, Vector
from memory.tables import MemoryRow
from memory.vector_index import Shelf

SECTORS = ("Energy", "Technology", "Health Care", "Utilities", "Financials", "Materials", "Industrials", "Telecom")
MOODS = (
    "broke above the highest high of the fifty-five sessions before", "keeps its momentum above its average",
    "closed four times in a row below its twenty-session band", "gapped up after earnings on heavy trade",
    "stands far below its twenty-session average while that rises",
)  # fmt: skip
NOISE = 0.35
BATCH = 5000
SESSIONS = 750
EXACT_QUERIES = 5


def texts(count: int) -> list[str]:
    return [
        f"trend order.entry buy N{n} Company {n}, {SECTORS[n % 8]}. N{n} {MOODS[n % 5]}, momentum {n % 37}.{n % 10} %."
        for n in range(count)
    ]


def fill(database: Database, items: int, encoder: SentenceEncoder) -> None:
    """Write `items` rows: unit vectors round those of real texts."""
    rng = np.random.default_rng(7)
    seeds = np.stack([encoder.encode(text) for text in texts(400)])
    outcomes, regimes = (
        ("filled", "refused", None),
        ("calm_rising", "calm_falling", "turbulent_rising", "turbulent_falling"),
    )
    for start in range(0, items, BATCH):
        size = min(BATCH, items - start)
        noise = rng.normal(size=(size, DIMENSIONS)).astype(np.float32) * (NOISE / DIMENSIONS**0.5)
        vectors = seeds[rng.integers(0, len(seeds), size)] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = [
            {
                "id": f"case_{start + n:08d}", "run_id": "run_1", "kind": "case", "symbol": f"N{(start + n) % 400}",
                "strategy": "trend", "known_index": (start + n) * SESSIONS // items, "text": "synthetic",
                "vector": vectors[n].tobytes(), "subject": f"case_{start + n:08d}",
                "cluster": f"case_{start + n:08d}", "outcome": outcomes[n % 3], "regime": regimes[n % 4],
                "encoder": encoder.fingerprint, "taint": False,
            }
            for n in range(size)
        ]  # fmt: skip
        with database.write() as session:
            session.connection().execute(insert(MemoryRow), rows)


def spread(took: Sequence[float]) -> tuple[float, float]:
    """Median and p95."""
    return float(np.median(took)), float(np.quantile(took, 0.95))


def in_turn(calls: dict[str, Callable[[int], object]], count: int) -> dict[str, list[float]]:
    """Milliseconds of each call, one after the other, `count` times: what the machine does besides hits all alike."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    for n in range(count):
        for name, call in calls.items():
            began = time.perf_counter()
            call(n)
            took[name].append((time.perf_counter() - began) * 1000)
    return took


def measure(items: int, queries: int) -> dict[str, object]:
    encoder = SentenceEncoder()
    asked = [f"{text} Volume is {n} % above its average." for n, text in enumerate(texts(queries))]
    vectors: Sequence[Vector] = [encoder.encode(text) for text in asked]
    question = Question("run_1", SESSIONS, strategy="trend", regime_now="calm_rising")
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'desk.sqlite'}")
        upgrade(database)
        fill(database, items, encoder)
        began = time.perf_counter()
        recall = Recall(database, Path(folder) / "chroma")
        build = time.perf_counter() - began
        collection = recall._index._collection(Shelf("run_1", "case", "trend"))
        recall.recall(asked[0], question)

        def bare(n: int) -> object:
            return collection.query(query_embeddings=[vectors[n]], n_results=question.limit, include=[])

        def encoded_bare(n: int) -> object:
            vector = encoder.encode(asked[n])
            return collection.query(query_embeddings=[vector], n_results=question.limit, include=[])

        bare(0)
        recall._encode.cache_clear()
        took = in_turn(
            {
                "bare query": bare, "bare text and query": encoded_bare,
                "recall": lambda n: recall.recall(asked[n], question), "encode": lambda n: encoder.encode(asked[n]),
            },
            queries,
        )  # fmt: skip
        indexed = [recall.recall(text, question) for text in asked[:EXACT_QUERIES]]
        recall.trouble = "left out"
        exact: list[object] = []
        took |= in_turn({"recall from SQL": lambda n: exact.append(recall.recall(asked[n], question))}, EXACT_QUERIES)
        recall.close()
        database.dispose()
    shown = {name: spread(values) for name, values in took.items()}
    p95 = {name: found[1] for name, found in shown.items()}
    return {
        "items": items, "queries": queries, "build_s": round(build, 1), "same_as_exact": exact == indexed,
        "milliseconds": {name: {"median": round(m, 2), "p95": round(p, 2)} for name, (m, p) in shown.items()},
        "multiple_of_query_p95": round(p95["recall"] / p95["bare query"], 2),
        "multiple_of_text_query_p95": round(p95["recall"] / p95["bare text and query"], 2),
        "load": os.getloadavg()[0],
        "python": platform.python_version(), "cores": os.cpu_count(),
    }  # fmt: skip


def main() -> None:
    """Measure on a scratch database and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.items, given.queries)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:14s} {value}")


if __name__ == "__main__":
    main()
