"""Settings: one frozen object; a wrong value names its variable."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.model_settings import Fallback, secret
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


def test_one_line_of_the_env_file_is_enough_for_a_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings().reasoner == "rules"
    (tmp_path / ".env").write_text("QUARTERDECK_MODEL_BASE_URL=http://127.0.0.1:8080/v1\nOTHER=1\n")
    assert load_settings().reasoner == "model"
    monkeypatch.setenv("QUARTERDECK_MODEL_BASE_URL", "http://127.0.0.1:9090/v1")
    assert load_settings().model_base_url == "http://127.0.0.1:9090/v1"


def test_each_fallback_is_one_line_and_they_keep_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        'QUARTERDECK_MODEL_FALLBACK_2="http://127.0.0.1:2/v1 second"\n'
        'QUARTERDECK_MODEL_FALLBACK_1="https://models.example/v1 first SPARE_KEY"\nSPARE_KEY=sk-spare\n'
    )
    assert load_settings().fallbacks == (
        Fallback("https://models.example/v1", "first", "SPARE_KEY"), Fallback("http://127.0.0.1:2/v1", "second", None),
    )  # fmt: skip
    assert secret("SPARE_KEY") == "sk-spare"
    monkeypatch.setenv("SPARE_KEY", "sk-of-the-shell")
    assert secret("SPARE_KEY") == "sk-of-the-shell"
    assert secret("NOBODY_SET_THIS") is None


@pytest.mark.parametrize(
    "line", ["tiny", "http://127.0.0.1:1/v1", "127.0.0.1:1 tiny", "http://h/v1 tiny sk-secret-1", "http://h/v1 a B c"]
)
def test_a_fallback_that_is_none_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setenv("QUARTERDECK_MODEL_FALLBACK_1", line)
    with pytest.raises(ConfigError, match="QUARTERDECK_MODEL_FALLBACK_1") as caught:
        load_settings()
    assert "sk-secret-1" not in caught.value.message


def test_prices_are_for_a_thousand_tokens_by_model() -> None:
    prices = load_settings(model_prices="gpt-4o-mini=0.15/0.60, org/tiny=0/0").prices
    assert prices["gpt-4o-mini"].of(2000, 500) == Decimal("0.6")
    assert prices["org/tiny"].of(10**6, 10**6) == 0


@pytest.mark.parametrize("text", ["tiny", "tiny=1", "tiny=1/x", "=1/1", "tiny=-1/1", "tiny=NaN/1", "tiny=1/2/3"])
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="QUARTERDECK_MODEL_PRICES"):
        load_settings(model_prices=text)


def test_settings_survive_the_way_to_a_child_process() -> None:
    given = load_settings(
        model_prices="tiny=0.1/0.4", model_fallback_1="http://127.0.0.1:2/v1 second", model_money_per_day="1.50"
    )
    assert load_settings(**json.loads(given.model_dump_json(exclude_none=True))) == given


@pytest.mark.parametrize("token", ["s3cret\x00", "s3 cret", "s3crét", "s3\ncret", " "])
def test_a_token_that_fits_no_header_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    with pytest.raises(ConfigError, match="QUARTERDECK_CHROMA_TOKEN") as caught:
        load_settings(chroma_token=token)
    assert "s3" not in caught.value.message


def test_the_line_end_of_a_token_is_no_part_of_it() -> None:
    token = load_settings(chroma_token="s3cret\n").chroma_token
    assert token is not None
    assert token.get_secret_value() == "s3cret"
