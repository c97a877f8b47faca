"""Recordings are kept under the hash of their content, once, and damage is noticed."""

from __future__ import annotations

import zlib
from decimal import Decimal

import pytest
from sqlmodel import func, select

from memory.database import Database
from memory.recordings import CycleRecorder, load_blob, record, store_blob
from memory.tables import BlobRow, RecordingRow
from tools.canonical import canonical_bytes, content_sha256
from tools.errors import LedgerError

REQUEST = {"symbol": "IBM", "price": Decimal("120.50")}


def count(db: Database, row: type[BlobRow] | type[RecordingRow]) -> int:
    with db.read() as session:
        return session.exec(select(func.count()).select_from(row)).one()


def keep(db: Database, **changes: object) -> tuple[str, str]:
    given: dict[str, object] = {
        "run_id": "run_1", "cycle_id": "cyc_1", "kind": "tool", "call": "risk.check_order", "request": REQUEST,
        "response": {"verdict": "pass"},
    }  # fmt: skip
    with db.write() as session:
        return record(session, **{**given, **changes})  # type: ignore[arg-type]


def test_a_blob_is_named_by_its_canonical_content_and_reads_back(any_db: Database) -> None:
    with any_db.write() as session:
        digest = store_blob(session, REQUEST)
    assert digest == content_sha256(REQUEST)
    with any_db.read() as session:
        assert load_blob(session, digest) == {"symbol": "IBM", "price": "120.5"}


def test_the_same_content_is_kept_once_whatever_the_order_of_its_keys(any_db: Database) -> None:
    with any_db.write() as session:
        first = store_blob(session, {"a": 1, "b": 2.0})
        second = store_blob(session, {"b": 2.0, "a": 1})
    assert first == second
    assert count(any_db, BlobRow) == 1


def test_a_missing_blob_is_named(db: Database) -> None:
    with db.read() as session, pytest.raises(LedgerError) as caught:
        load_blob(session, "a" * 64)
    assert caught.value.code == "recording_missing"


@pytest.mark.parametrize(
    "damaged",
    [
        zlib.compress(canonical_bytes({"symbol": "MSFT"})),
        zlib.compress(canonical_bytes(REQUEST))[:-3],
        b"not zlib at all",
        b"",
    ],
)
def test_a_damaged_blob_is_named_and_never_returned(db: Database, damaged: bytes) -> None:
    with db.write() as session:
        digest = store_blob(session, REQUEST)
    with db.write() as session:
        row = session.get_one(BlobRow, digest)
        row.data = damaged
        session.add(row)
    with db.read() as session, pytest.raises(LedgerError) as caught:
        load_blob(session, digest)
    assert caught.value.code == "recording_edited"


def test_a_call_recorded_again_adds_nothing_and_another_attempt_does(db: Database) -> None:
    assert keep(db) == keep(db)
    assert count(db, RecordingRow) == 1
    keep(db, attempt=1, response={"verdict": "block"})
    assert count(db, RecordingRow) == 2
    assert count(db, BlobRow) == 3


def test_a_recording_dies_with_the_transaction_it_belongs_to(db: Database) -> None:

    def attempt() -> None:
        with db.write() as session:
            record(
                session, run_id="run_1", cycle_id="cyc_1", kind="tool", call="x", request=REQUEST, response=REQUEST
            )  # fmt: skip
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        attempt()
    assert count(db, RecordingRow) == count(db, BlobRow) == 0


def test_the_recorder_of_a_cycle_counts_and_keeps_model_calls(db: Database) -> None:
    recorder = CycleRecorder(db, "run_1", "cyc_1")
    for attempt in (0, 1):
        recorder.record_model_call(
            call="decision.review", attempt=attempt, request={"n": 1}, response={"text": "x"},
            meta={"gen_ai.usage.input_tokens": 3}, case_id="case_1",
        )  # fmt: skip
    assert recorder.model_calls == count(db, RecordingRow) == 2
    with db.read() as session:
        row = session.exec(select(RecordingRow)).first()
        assert row is not None
        assert (row.kind, row.case_id, row.meta) == ("model", "case_1", {"gen_ai.usage.input_tokens": 3})
        assert load_blob(session, row.output_sha256) == {"text": "x"}
