from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompts import lock
from tools.errors import ConfigError


def test_every_prompt_is_what_the_lock_says_or_has_a_new_version() -> None:
    assert lock.locked() == lock.computed(), "a prompt changed: raise its version, then run prompts.lock.regenerate"


def test_a_changed_body_under_the_same_version_is_found() -> None:
    old = {"a/b": {"version": "1", "sha256": "0" * 64}}
    assert lock.differences(old, {"a/b": {"version": "1", "sha256": "1" * 64}}) == ["a/b"]
    assert lock.differences(old, {"a/b": {"version": "2", "sha256": "1" * 64}}) == []
    assert lock.differences(old, {"c/d": {"version": "1", "sha256": "1" * 64}}) == []


def test_the_lock_is_not_written_over_a_changed_body(tmp_path: Path) -> None:
    path = tmp_path / "LOCK.json"
    first = lock.regenerate(path)
    assert json.loads(path.read_text()) == first == lock.computed()
    spoilt = {**first, "decision/review": {**first["decision/review"], "sha256": "0" * 64}}
    path.write_text(json.dumps(spoilt))
    with pytest.raises(ConfigError, match="decision/review"):
        lock.regenerate(path)
    assert json.loads(path.read_text()) == spoilt
