"""Keys and signed heads: private files, one key for ever, every place gets the same line."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from memory.heads import HEADS_FILE, Head, load_key, public_hex, publish, read_heads
from tools.errors import HomeError


def test_a_new_key_is_readable_by_its_owner_only_and_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ledger.pem"
    first = load_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_hex(load_key(path)) == public_hex(first)
    assert os.listdir(path.parent) == ["ledger.pem"]


def test_many_at_once_agree_on_one_new_key(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    load_key(tmp_path / "warm.pem")
    with ThreadPoolExecutor(1) as pool:
        keys = list(pool.map(lambda _: public_hex(load_key(path)), range(8)))
    assert len(set(keys)) == 1


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff"])
def test_a_damaged_key_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.pem").write_bytes(content)
    with pytest.raises(HomeError, match=r"ledger\.pem") as caught:
        load_key(tmp_path / "ledger.pem")
    assert caught.value.code == "home_corrupted"


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ledger.pem").write_bytes(rsa)
    with pytest.raises(HomeError, match="Ed25519"):
        load_key(tmp_path / "ledger.pem")


def test_every_place_gets_every_head_in_order(tmp_path: Path) -> None:
    key = load_key(tmp_path / "ledger.pem")
    places = (tmp_path / "home", tmp_path / "away" / "deep")
    for seq in (1, 2, 3):
        publish(key, seq, f"{seq:064d}", places)
    for place in places:
        heads = read_heads(place / HEADS_FILE, public_hex(key))
        assert [(head.seq, head.hash) for head in heads if isinstance(head, Head)] == [
            (seq, f"{seq:064d}") for seq in (1, 2, 3)
        ]
        assert stat.S_IMODE((place / HEADS_FILE).stat().st_mode) == 0o600


def test_a_place_without_heads_has_none(tmp_path: Path) -> None:
    assert read_heads(tmp_path / HEADS_FILE) == ()
