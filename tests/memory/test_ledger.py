"""The ledger names what was done to it: edited, deleted, reordered, truncated, forged."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from memory import ledger
from memory.database import Database
from memory.heads import HEADS_FILE, load_key, public_hex, publish
from memory.ledger import Entry, Stage, append, content_sha256, export, head, verify
from memory.migrations import upgrade
from tools.canonical import canonical_bytes, sha256_hex

START = datetime(2009, 11, 13, 21, 0, tzinfo=UTC)
SIZE = 8


def entry(number: int, **changes: Any) -> Entry:
    given_fields: dict[str, Any] = {
        "kind": "test.kept", "step": f"step:{number}", "run_id": "run_1", "case_id": f"case_{number % 3}",
        "revision": number, "content": {"n": number, "price": 12.5}, "stage": Stage.CASE, "rank": number,
        "desk_time": START + timedelta(hours=number // 2), "envelope": {"latency_ms": number},
    }  # fmt: skip
    return Entry(**{**given_fields, **changes})


def fill(db: Database, entries: Iterable[Entry]) -> None:
    for item in entries:
        with db.write() as session:
            append(session, item)


def change(db: Database, statement: str, **values: Any) -> None:
    with db.write() as session:
        session.connection().execute(text(statement), values)


def kinds(found: ledger.Verification) -> set[tuple[str, int | None]]:
    return {(problem.kind, problem.seq) for problem in found.problems}


@pytest.fixture
def kept(db: Database) -> Database:
    """A ledger of eight records."""
    fill(db, (entry(n) for n in range(1, SIZE + 1)))
    return db


def test_an_untouched_ledger_verifies_and_an_empty_one_too(db: Database) -> None:
    assert verify(db) == ledger.Verification(0, ledger.GENESIS, True, ())
    fill(db, [entry(1), entry(2)])
    found = verify(db)
    with db.read() as session:
        assert (found.entries, found.verified, found.head) == (2, True, head(session)[1])


def test_an_edited_content_is_named_with_its_sequence(kept: Database) -> None:
    change(kept, "UPDATE ledger SET content = replace(content, '12.5', '12.6') WHERE seq = 4")
    found = verify(kept)
    assert not found.verified
    assert kinds(found) == {("edited", 4)}
    assert "record 4" in found.problems[0].message


def test_an_edited_record_whose_hashes_were_made_again_breaks_the_chain_after_it(kept: Database) -> None:
    with kept.read() as session:
        row = session.connection().execute(text("SELECT content, prev_hash FROM ledger WHERE seq = 4")).one()
    forged = row.content.replace("12.5", "99")
    leaf = sha256_hex(forged.encode())
    change(
        kept, "UPDATE ledger SET content = :content, leaf = :leaf, hash = :hash WHERE seq = 4",
        content=forged, leaf=leaf, hash=ledger.chain(row.prev_hash, leaf),
    )  # fmt: skip
    assert ("reordered", 5) in kinds(verify(kept))


def test_a_deleted_record_is_named(kept: Database) -> None:
    change(kept, "DELETE FROM ledger WHERE seq = 3")
    assert kinds(verify(kept)) == {("deleted", 3)}


def test_several_deleted_records_are_named_as_a_range(kept: Database) -> None:
    change(kept, "DELETE FROM ledger WHERE seq IN (3, 4, 5)")
    found = verify(kept)
    assert kinds(found) == {("deleted", 3)}
    assert "3..5" in found.problems[0].message


def test_the_first_record_deleted_is_named(kept: Database) -> None:
    change(kept, "DELETE FROM ledger WHERE seq = 1")
    assert kinds(verify(kept)) == {("deleted", 1)}


def test_two_records_in_each_others_place_are_named_as_reordered(kept: Database) -> None:
    for before, after in ((4, 100), (5, 4), (100, 5)):
        change(kept, "UPDATE ledger SET seq = :after WHERE seq = :before", before=before, after=after)
    assert {("reordered", 4), ("reordered", 5), ("reordered", 6)} <= kinds(verify(kept))


def test_a_truncated_ledger_is_sound_by_itself_and_named_by_a_head_in_a_second_place(
    kept: Database, tmp_path: Path
) -> None:
    key = load_key(tmp_path / "ledger.pem")
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    with kept.read() as session:
        publish(key, *head(session), (home, elsewhere))
    change(kept, "DELETE FROM ledger WHERE seq > 5")
    (home / HEADS_FILE).write_text("")
    assert verify(kept, (home / HEADS_FILE,)).verified
    found = verify(kept, (home / HEADS_FILE, elsewhere / HEADS_FILE))
    assert kinds(found) == {("truncated", 6)}
    assert "6..8" in found.problems[0].message


def test_a_ledger_written_anew_differs_from_its_signed_head(kept: Database, tmp_path: Path) -> None:
    with kept.read() as session:
        publish(load_key(tmp_path / "ledger.pem"), *head(session), (tmp_path,))
    change(kept, "DELETE FROM ledger")
    fill(kept, (entry(n, content={"n": n, "price": 99}) for n in range(1, SIZE + 1)))
    assert verify(kept).verified
    assert kinds(verify(kept, (tmp_path / HEADS_FILE,))) == {("edited", SIZE)}


@pytest.mark.parametrize("field", ["seq", "hash", "at", "public_key", "signature"])
def test_a_head_with_any_field_changed_is_named_as_forged(kept: Database, tmp_path: Path, field: str) -> None:
    key = load_key(tmp_path / "ledger.pem")
    with kept.read() as session:
        publish(key, *head(session), (tmp_path,))
    line = json.loads((tmp_path / HEADS_FILE).read_text())
    other = Ed25519PrivateKey.generate()
    line[field] = {
        "seq": SIZE - 1, "hash": "1" * 64, "at": "2009-11-13T21:00:00Z", "public_key": public_hex(other),
        "signature": "00" * 64,
    }[field]  # fmt: skip
    (tmp_path / HEADS_FILE).write_text(json.dumps(line) + "\n")
    assert ("forged_head", None) in kinds(verify(kept, (tmp_path / HEADS_FILE,)))


def test_a_head_signed_by_a_stranger_is_named_as_forged(kept: Database, tmp_path: Path) -> None:
    ours = load_key(tmp_path / "ledger.pem")
    with kept.read() as session:
        publish(load_key(tmp_path / "stranger.pem"), *head(session), (tmp_path,))
    found = verify(kept, (tmp_path / HEADS_FILE,), public_key=public_hex(ours))
    assert kinds(found) == {("forged_head", None)}


@pytest.mark.parametrize("rubbish", [b"{}\n", b"not json\n", b"[]\n", b"\xff\xfe\x00\n", b'{"seq": "x"}\n'])
def test_rubbish_in_a_heads_file_is_named_and_the_genuine_heads_after_it_still_count(
    kept: Database, tmp_path: Path, rubbish: bytes
) -> None:
    (tmp_path / HEADS_FILE).write_bytes(rubbish)
    with kept.read() as session:
        publish(load_key(tmp_path / "ledger.pem"), *head(session), (tmp_path,))
    change(kept, "DELETE FROM ledger WHERE seq > 5")
    assert kinds(verify(kept, (tmp_path / HEADS_FILE,))) == {("forged_head", None), ("truncated", 6)}


def test_a_record_that_fails_in_its_transaction_leaves_no_gap(db: Database) -> None:
    fill(db, [entry(1)])

    def attempt() -> None:
        with db.write() as session:
            append(session, entry(2))
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        attempt()
    fill(db, [entry(3)])
    found = verify(db)
    assert (found.entries, found.verified) == (2, True)


def test_the_content_hash_ignores_append_order_wall_clock_and_envelope(tmp_path: Path) -> None:
    digests, heads = set(), set()
    for number, order in enumerate((1, 7, 42)):
        database = Database(f"sqlite:///{tmp_path / f'{number}.sqlite'}")
        upgrade(database)
        entries = [entry(n, envelope={"latency_ms": n * order, "host": str(order)}) for n in range(1, 13)]
        random.Random(order).shuffle(entries)
        fill(database, entries)
        with database.read() as session:
            digests.add(content_sha256(session, "run_1"))
            heads.add(head(session)[1])
        database.dispose()
    assert len(digests) == 1
    assert len(heads) == 3, "the shuffles gave the same order: the test proves nothing"


def test_the_content_hash_sees_every_change_of_content_and_only_its_own_run(kept: Database) -> None:
    with kept.read() as session:
        before = content_sha256(session, "run_1")
    fill(kept, [entry(20, run_id="run_2")])
    with kept.read() as session:
        assert content_sha256(session, "run_1") == before
    fill(kept, [entry(21)])
    with kept.read() as session:
        assert content_sha256(session, "run_1") != before


def test_an_export_has_one_line_per_record_that_can_be_checked_alone(kept: Database, tmp_path: Path) -> None:
    assert export(kept, tmp_path / "out.jsonl") == SIZE
    prev = ledger.GENESIS
    for line in (tmp_path / "out.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row["leaf"] == sha256_hex(canonical_bytes(row["content"]))
        assert row["hash"] == ledger.chain(prev, row["leaf"])
        prev = row["hash"]


HASHED = (
    "run_id", "kind", "case_id", "step", "revision", "desk_time", "stage", "rank", "content", "leaf", "prev_hash",
    "hash",
)  # fmt: skip
TAMPERED = st.one_of(
    st.integers(-(2**31), 2**31),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40),
    st.sampled_from(["{}", "[]", "null", "0" * 64, "zz" * 32, "2009-11-13T21:00:00.000000Z", "not hex"]),
    st.binary(max_size=12),
    st.none(),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'desk.sqlite'}")
    upgrade(database)
    fill(database, (entry(n) for n in range(1, SIZE + 1)))
    return database


@given(seq=st.integers(1, SIZE), column=st.sampled_from(HASHED), value=TAMPERED)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_of_any_hashed_column_of_any_record_is_found(
    shared: Database, seq: int, column: str, value: object
) -> None:
    """Whatever is written over a column, `verify` names a record and never falls over it."""
    with shared.engine.connect() as connection:
        transaction = connection.begin()
        try:
            connection.execute(text("PRAGMA ignore_check_constraints = 1"))
            before = connection.execute(text(f"SELECT {column} FROM ledger WHERE seq = {seq}")).scalar_one()
            statement = text(f"UPDATE OR IGNORE ledger SET {column} = :value WHERE seq = :seq")
            connection.execute(statement, {"value": value, "seq": seq})
            after = connection.execute(text(f"SELECT {column} FROM ledger WHERE seq = {seq}")).scalar_one()
            transaction.commit()
        except BaseException:
            transaction.rollback()
            raise
    try:
        found = verify(shared)
    finally:
        change(shared, f"UPDATE ledger SET {column} = :value WHERE seq = :seq", value=before, seq=seq)
    assert verify(shared).verified
    if (type(after), after) == (type(before), before):
        assert found.verified
    else:
        assert any(problem.seq in (seq, seq + 1) for problem in found.problems), found
