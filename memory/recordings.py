"""Recordings of every tool and model call, content-addressed: what a past decision replays from."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from memory.database import Database, insert_if_absent
from memory.tables import BlobRow, RecordingRow
from tools.canonical import canonical_bytes, plain, sha256_hex
from tools.errors import LedgerError


def store_blob(session: Session, value: Any) -> str:
    """Keep canonical JSON under its own SHA-256; the same content is kept once."""
    data = canonical_bytes(value)
    digest = sha256_hex(data)
    insert_if_absent(session, BlobRow, {"sha256": digest, "data": zlib.compress(data, 6)})
    return digest


def load_blob(session: Session, digest: str) -> Any:
    """Read a blob back and hold it against its name; LedgerError when missing or damaged."""
    row = session.get(BlobRow, digest)
    if row is None:
        raise LedgerError(f"recording {digest[:12]} is missing", code="recording_missing")
    try:
        data = zlib.decompress(row.data)
    except zlib.error:
        data = b""
    if sha256_hex(data) != digest:
        raise LedgerError(f"recording {digest[:12]} was edited or damaged", code="recording_edited")
    return json.loads(data)


def record(
    session: Session,
    *,
    run_id: str,
    cycle_id: str,
    kind: str,
    call: str,
    request: Any,
    response: Any,
    attempt: int = 0,
    case_id: str | None = None,
    meta: Mapping[str, Any] | None = None,
) -> tuple[str, str]:
    """Record one call in the caller's transaction; a recomputed call that says the same adds nothing."""
    asked, answered = store_blob(session, request), store_blob(session, response)
    insert_if_absent(
        session,
        RecordingRow,
        {
            "run_id": run_id, "cycle_id": cycle_id, "case_id": case_id, "kind": kind, "call": call,
            "attempt": attempt, "input_sha256": asked, "output_sha256": answered,
            "meta": plain(dict(meta or {})), "at_wall": datetime.now(UTC),
        },
    )  # fmt: skip
    return asked, answered


class CycleRecorder:
    """The recorder handed to agents for one cycle."""

    def __init__(self, database: Database, run_id: str, cycle_id: str) -> None:
        self._database = database
        self._run_id = run_id
        self._cycle_id = cycle_id
        self.model_calls = 0

    def record_model_call(
        self,
        *,
        call: str,
        attempt: int,
        request: Any,
        response: Any,
        meta: Mapping[str, Any],
        case_id: str | None = None,
    ) -> None:
        self.model_calls += 1
        with self._database.write() as session:
            record(
                session, run_id=self._run_id, cycle_id=self._cycle_id, case_id=case_id, kind="model", call=call,
                request=request, response=response, attempt=attempt, meta=meta,
            )  # fmt: skip
