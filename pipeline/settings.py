"""The one frozen settings object. Limits and policy are not here: they are versioned files with a hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tools.errors import ConfigError
from tools.types import Mode

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """Read from `QUARTERDECK_*` variables and command-line flags, built once per process."""

    model_config = SettingsConfigDict(env_prefix="QUARTERDECK_", frozen=True, extra="ignore")

    home: Path = Field(default_factory=lambda: Path.home() / ".quarterdeck", description="folder with the desk's state")
    mode: Mode = Field(default="replay", description="replay, paper or live; stamped on the home")
    database_url: str | None = Field(default=None, description="SQL database; default: SQLite in the home")
    heads_dir: Path | None = Field(default=None, description="second place for signed ledger heads")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    speed: float | None = Field(default=None, gt=0, description="seconds per session; unset holds for people")
    equity_start: int = Field(default=1_000_000, gt=0)
    start_session: int = Field(default=60, ge=0, description="index of the first session played by default")
    model_base_url: str | None = Field(default=None, description="any OpenAI-compatible endpoint")
    model_api_key: SecretStr | None = None
    model_id: str = "gpt-4o-mini"
    model_timeout_s: float = Field(default=30.0, gt=0)
    model_token_budget: int = Field(default=2_000_000, gt=0, description="tokens per run")

    @field_validator("home", "heads_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else value

    @property
    def reasoner(self) -> str:
        return "model" if self.model_base_url or self.model_api_key else "rules"


def load_settings(**overrides: Any) -> Settings:
    """Build the settings; None among the overrides means not given. ConfigError names the bad field."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        where = "QUARTERDECK_" + "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigError(f"{where}: {first['msg']} (got {first['input']!r})", code="bad_settings") from None
