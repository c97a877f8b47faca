"""The append-only record. Content is hashed and chained; the envelope (wall time, keys, latency) is not.

leaf = SHA-256 of the canonical content; hash = SHA-256 of the previous hash followed by the leaf. `prev_hash`
is UNIQUE, so the chain cannot fork. A run's `content_sha256` is the SHA-256 over its leaves in ledger order
(desk time, stage, rank, leaf): it does not depend on who appended first on the wall clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import Session, col, select

from memory.database import WRITE_LOCK, Database
from memory.heads import Head, read_heads
from memory.tables import LedgerRow
from tools.canonical import canonical_bytes, plain, sha256_hex

GENESIS = "0" * 64


class Stage(IntEnum):
    """Order of records that share a desk time."""

    RUN = 0
    ACTION = 1
    EXPIRE = 2
    SUBMIT = 3
    ORDER = 4
    FILL = 5
    MARK = 6
    SETTLE = 7
    LEARN = 8
    EVIDENCE = 10
    FINDING = 11
    DRAFT = 12
    REVIEW = 13
    CASE = 14
    REQUEST = 15
    DECIDE = 20
    GRANT = 21
    HALT = 30
    SYSTEM = 40


class Entry(NamedTuple):
    """What is to be remembered. `case_id` with `step` and `revision` is unique for ever."""

    kind: str
    step: str
    content: Mapping[str, Any]
    desk_time: datetime
    stage: Stage
    rank: int = 0
    run_id: str | None = None
    case_id: str | None = None
    revision: int = 0
    envelope: Mapping[str, Any] = {}


class Problem(NamedTuple):
    """One thing wrong with the ledger: edited, deleted, reordered, truncated, forged_head."""

    kind: str
    seq: int | None
    message: str


class Verification(NamedTuple):
    entries: int
    head: str
    verified: bool
    problems: tuple[Problem, ...]


def append(session: Session, entry: Entry) -> LedgerRow:
    """Append inside the caller's write transaction, so that state and record live or die together."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
    session.flush()
    last = session.exec(select(LedgerRow.seq, LedgerRow.hash).order_by(col(LedgerRow.seq).desc()).limit(1)).first()
    seq, prev = (last[0] + 1, last[1]) if last else (1, GENESIS)
    content = {
        "kind": entry.kind, "step": entry.step, "run": entry.run_id, "case": entry.case_id,
        "revision": entry.revision, "desk_time": entry.desk_time, "stage": int(entry.stage),
        "rank": entry.rank, "body": entry.content,
    }  # fmt: skip
    data = canonical_bytes(content)
    leaf = sha256_hex(data)
    row = LedgerRow(
        seq=seq, run_id=entry.run_id, kind=entry.kind, case_id=entry.case_id, step=entry.step,
        revision=entry.revision, desk_time=entry.desk_time, stage=int(entry.stage), rank=entry.rank,
        content=data.decode(), leaf=leaf, prev_hash=prev, hash=chain(prev, leaf),
        envelope=plain({"at": datetime.now(UTC), **entry.envelope}),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def chain(prev: str, leaf: str) -> str:
    return sha256_hex(bytes.fromhex(prev) + bytes.fromhex(leaf))


def head(session: Session) -> tuple[int, str]:
    """Sequence and hash of the newest record; (0, GENESIS) for an empty ledger."""
    last = session.exec(select(LedgerRow.seq, LedgerRow.hash).order_by(col(LedgerRow.seq).desc()).limit(1)).first()
    return (last[0], last[1]) if last else (0, GENESIS)


def count(session: Session, run_id: str) -> int:
    return len(session.exec(select(LedgerRow.seq).where(LedgerRow.run_id == run_id)).all())


def content_sha256(session: Session, run_id: str) -> str:
    """Hash of what a run recorded, independent of home, wall clock and append order."""
    order = (col(LedgerRow.desk_time), col(LedgerRow.stage), col(LedgerRow.rank), col(LedgerRow.leaf))
    digest = hashlib.sha256()
    for leaf in session.exec(select(LedgerRow.leaf).where(LedgerRow.run_id == run_id).order_by(*order)):
        digest.update(bytes.fromhex(leaf))
    return digest.hexdigest()


def _rows(session: Session) -> Iterator[LedgerRow]:
    yield from session.exec(select(LedgerRow).order_by(col(LedgerRow.seq)).execution_options(yield_per=500))


class _Stored(NamedTuple):
    """A record as the database holds it, unconverted: damage must be named, not stumbled over."""

    seq: int
    revision: Any
    stage: Any
    rank: Any
    run_id: str | None
    kind: str | None
    case_id: str | None
    step: str | None
    desk_time: str | None
    content: str
    leaf: str
    prev_hash: str
    hash: str


def _stored(session: Session) -> Iterator[_Stored]:
    """Every record in order. SQLite may hold any bytes in a text column, so they are read as bytes."""
    numbers, words = _Stored._fields[:4], [*_Stored._fields[4:]]
    if session.get_bind().dialect.name == "sqlite":
        words = [f"CAST({name} AS BLOB)" for name in words]
    query = text(f"SELECT {', '.join((*numbers, *words))} FROM ledger ORDER BY seq")
    for row in session.connection().execute(query.execution_options(yield_per=500)):
        yield _Stored._make(item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in row)


def _is_sound(row: _Stored) -> bool:
    """The hashes must fit the content, and the columns that queries use must say what the content says."""
    try:
        body = json.loads(row.content)
        said = tuple(body[name] for name in ("kind", "step", "run", "case", "revision", "stage", "rank"))
        at = datetime.fromisoformat(body["desk_time"]).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return bool(
            sha256_hex(row.content.encode()) == row.leaf
            and chain(row.prev_hash, row.leaf) == row.hash
            and said == (row.kind, row.step, row.run_id, row.case_id, row.revision, row.stage, row.rank)
            and at == row.desk_time
        )
    except (ValueError, KeyError, TypeError):
        return False


def verify(database: Database, heads_files: tuple[Path, ...] = (), public_key: str | None = None) -> Verification:
    """Walk the chain and hold it against the signed heads; name every record that is wrong.

    With `public_key` (hex) a head that another key signed counts as forged.
    """
    problems: list[Problem] = []
    by_seq: dict[int, str] = {}
    expected_seq, prev, entries = 1, GENESIS, 0
    with database.read() as session:
        for row in _stored(session):
            entries += 1
            if row.seq != expected_seq:
                gap = f"{expected_seq}" if row.seq == expected_seq + 1 else f"{expected_seq}..{row.seq - 1}"
                problems.append(Problem("deleted", expected_seq, f"record {gap} is missing"))
            elif row.prev_hash != prev:
                problems.append(Problem("reordered", row.seq, f"record {row.seq} does not follow record {row.seq - 1}"))
            if not _is_sound(row):
                problems.append(Problem("edited", row.seq, f"record {row.seq} ({row.kind}) was edited"))
            by_seq[row.seq] = row.hash
            expected_seq, prev = row.seq + 1, row.hash
    for path in heads_files:
        problems += _against_heads(read_heads(path, public_key), path, by_seq, expected_seq - 1)
    return Verification(entries, prev, not problems, tuple(problems))


def _against_heads(heads: tuple[Head | str, ...], path: Path, by_seq: dict[int, str], newest: int) -> list[Problem]:
    problems: list[Problem] = []
    for item in heads:
        if isinstance(item, str):
            problems.append(Problem("forged_head", None, f"{path.name}: {item}"))
        elif item.seq > newest:
            problems.append(
                Problem("truncated", newest + 1, f"records {newest + 1}..{item.seq} are gone: a signed head saw them")
            )
        elif item.seq and by_seq.get(item.seq) != item.hash:
            problems.append(Problem("edited", item.seq, f"record {item.seq} differs from its signed head"))
    seen: set[tuple[str, int | None]] = set()
    return [p for p in problems if (p.kind, p.seq) not in seen and not seen.add((p.kind, p.seq))]  # type: ignore[func-returns-value]


def export(database: Database, path: Path, run_id: str | None = None) -> int:
    """Write the ledger as JSON lines (seq, content, envelope, hashes); returns the number of records."""
    written = 0
    with database.read() as session, path.open("w", encoding="utf-8") as out:
        for row in _rows(session):
            if run_id is None or row.run_id == run_id:
                line = {
                    "seq": row.seq, "content": json.loads(row.content), "leaf": row.leaf,
                    "prev_hash": row.prev_hash, "hash": row.hash, "envelope": row.envelope,
                }  # fmt: skip
                out.write(json.dumps(line, sort_keys=True) + "\n")
                written += 1
    return written
