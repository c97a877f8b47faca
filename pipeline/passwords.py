"""Passwords: argon2id with the parameters of RFC 9106's second choice (64 MiB, three passes)."""

from __future__ import annotations

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr

from tools.errors import AccessError

SHORTEST, LONGEST = 10, 256
HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4, hash_len=32, salt_len=16)
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$kE2ZsXBWxD+89uQdCF8RCg$eyluZ6iVMB/A+dcbPdXTrKcAptNg9IgbB3B31AyRdGI"
"""A hash that belongs to nobody: checking it costs what checking a person's costs."""
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each computation takes 64 MiB; more of them at once would let strangers fill the machine's memory."""


def check_password(name: str, password: SecretStr) -> None:
    """AccessError(invalid) when a new password is too short, too long or little more than the person's name."""
    text = password.get_secret_value()
    if not SHORTEST <= len(text) <= LONGEST:
        raise AccessError(f"a password has {SHORTEST} to {LONGEST} characters, this has {len(text)}", code="invalid")
    if name and name in text.lower() and len(text) < len(name) + SHORTEST:
        raise AccessError("the password is little more than the name: choose another", code="invalid")


def hash_password(name: str, password: SecretStr) -> str:
    """Hash a new password; AccessError(invalid) as `check_password`."""
    check_password(name, password)
    with _AT_ONCE:
        return HASHER.hash(_plain(password))


def is_password(stored: str | None, password: SecretStr) -> bool:
    """Whether the password fits; takes the same time when there is none to fit."""
    with _AT_ONCE:
        try:
            HASHER.verify(stored or NOBODY, _plain(password))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def _plain(password: SecretStr) -> bytes:
    """The same characters typed on another keyboard are the same bytes."""
    return unicodedata.normalize("NFC", password.get_secret_value()).encode("utf-8", "surrogatepass")
