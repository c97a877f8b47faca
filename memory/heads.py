"""Signed heads of the ledger, one JSON line each, in every place that was configured.

A head says: at this moment the ledger had `seq` records and ended in `hash`. Kept outside the home it is what
makes truncation visible, since a chain cut at its end is still a sound chain.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import ValidationError

from memory.private_file import create_private
from tools.canonical import canonical_bytes
from tools.errors import HomeError
from tools.types import Frozen, Instant

HEADS_FILE = "heads.jsonl"


class Head(Frozen):
    """One signed head; `signature` is Ed25519 over the canonical form of the other fields, in hex."""

    seq: int
    hash: str
    at: Instant
    public_key: str
    signature: str = ""

    def signed_bytes(self) -> bytes:
        return canonical_bytes(self.model_copy(update={"signature": ""}))

    def is_genuine(self, public_key: str | None = None) -> bool:
        if public_key is not None and public_key != self.public_key:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key)).verify(
                bytes.fromhex(self.signature), self.signed_bytes()
            )
        except (InvalidSignature, ValueError):
            return False
        return True


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read an Ed25519 key, or make one with mode 0600 when there is none yet."""
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        create_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        loaded = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError:
        raise HomeError(f"{path.name} is not a readable key: restore it from a backup", code="home_corrupted") from None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise HomeError(f"{path.name} is not an Ed25519 key: restore it from a backup", code="home_corrupted")
    return loaded


def public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def publish(key: Ed25519PrivateKey, seq: int, head_hash: str, directories: tuple[Path, ...]) -> Head:
    """Sign a head and append it to `heads.jsonl` in every directory; flushed to disk before it returns."""
    unsigned = Head(seq=seq, hash=head_hash, at=datetime.now(UTC), public_key=public_hex(key))
    signed = unsigned.model_copy(update={"signature": key.sign(unsigned.signed_bytes()).hex()})
    line = (signed.model_dump_json() + "\n").encode()
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / HEADS_FILE, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return signed


def read_heads(path: Path, public_key: str | None = None) -> tuple[Head | str, ...]:
    """All heads of a file; a line that is no genuine head of this key comes back as a sentence saying so."""
    if not path.exists():
        return ()
    found: list[Head | str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            item = Head.model_validate(json.loads(line))
        except (ValueError, ValidationError):
            found.append(f"line {number} is not a head")
            continue
        found.append(item if item.is_genuine(public_key) else f"line {number} has a wrong signature")
    return tuple(found)
