"""Settings: one frozen object; a wrong value names its variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.settings import load_settings
from tools.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"), ("PORT", "-1"), ("PORT", "http"), ("MODE", "demo"), ("SPEED", "0"), ("SPEED", "fast"),
        ("EQUITY_START", "0"), ("START_SESSION", "-3"), ("MODEL_TIMEOUT_S", "0"), ("MODEL_TOKEN_BUDGET", "none"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"QUARTERDECK_{name}", value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert caught.value.code == "bad_settings"
    assert f"QUARTERDECK_{name}" in caught.value.message
    assert value in caught.value.message


def test_a_given_value_beats_the_environment_and_none_means_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_PORT", "9001")
    assert load_settings(port=9002).port == 9002
    assert load_settings(port=None).port == 9001


def test_the_home_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(home="desk").home == tmp_path / "desk"
    assert load_settings(home="~/desk").home == Path.home() / "desk"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load_settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "reasoner"),
    [({}, "rules"), ({"model_api_key": "k"}, "model"), ({"model_base_url": "http://127.0.0.1:1"}, "model")],
)
def test_the_reasoner_follows_from_a_key_or_an_endpoint(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], reasoner: str
) -> None:
    for name in ("QUARTERDECK_MODEL_BASE_URL", "QUARTERDECK_MODEL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert load_settings(**given).reasoner == reasoner


def test_the_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_MODEL_API_KEY", "sk-very-secret")
    settings = load_settings()
    assert "very-secret" not in f"{settings!r} {settings.model_dump_json()} {settings.model_dump()}"


def test_a_bad_setting_beside_a_key_does_not_show_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_MODEL_API_KEY", "sk-very-secret")
    monkeypatch.setenv("QUARTERDECK_PORT", "x")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert "very-secret" not in caught.value.message
