"""The one frozen settings object. Limits and policy are not here: they are versioned files with a hash."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.model_settings import ENV_FILE, BesideRules, Fallback, Price, parse_prices
from tools.errors import ConfigError
from tools.types import Mode

HOST_NAME = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]{1,5})?")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """Read from command-line flags, `QUARTERDECK_*` variables and the file `.env` here; built once per process."""

    model_config = SettingsConfigDict(env_prefix="QUARTERDECK_", env_file=ENV_FILE, frozen=True, extra="ignore")

    home: Path = Field(default_factory=lambda: Path.home() / ".quarterdeck", description="folder with the desk's state")
    mode: Mode = Field(default="replay", description="replay, paper or live; stamped on the home")
    database_url: str | None = Field(default=None, description="SQL database; default: SQLite in the home")
    heads_dir: Path | None = Field(default=None, description="second place for signed ledger heads")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    tls_cert: Path | None = Field(default=None, description="PEM certificate chain; with tls_key the desk speaks HTTPS")
    tls_key: Path | None = None
    behind_tls_proxy: bool = Field(default=False, description="a proxy in front of the desk ends TLS")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="host names, with or without a port, that the desk answers to; comma-separated"
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("127.0.0.1", "::1"), description="addresses of that proxy, whose X-Forwarded-For is believed"
    )
    api_key: SecretStr | None = Field(default=None, description="key that the command line sends to the desk")
    idle_lock_minutes: float = Field(default=15.0, gt=0, le=1440, description="a login locks after this pause")
    login_hours: float = Field(default=12.0, gt=0, le=168, description="a login ends after this time, used or not")
    speed: float | None = Field(default=None, gt=0, description="seconds per session; unset holds for people")
    equity_start: int = Field(default=1_000_000, gt=0)
    start_session: int = Field(default=60, ge=0, description="index of the first session played by default")
    venue: Path | None = Field(default=None, description="YAML file with the simulated venue's terms in a new run")
    broker: str | None = Field(
        default=None, description="simulation, alpaca or an installed broker; unset: simulation in replay, else alpaca"
    )
    market: Literal["embedded", "alpaca"] | None = Field(
        default=None, description="where prices come from; unset: embedded in replay, else alpaca"
    )
    allow_live: bool = Field(default=False, description="the explicit switch without which live mode sends nothing")
    alpaca_key_id: SecretStr | None = None
    alpaca_secret_key: SecretStr | None = None
    alpaca_account: str | None = Field(default=None, description="number of the live account, typed out")
    alpaca_url: str | None = Field(default=None, description="another address of the trading API, without /v2")
    alpaca_data_url: str | None = Field(default=None, description="another address of the data API")
    alpaca_status_url: str | None = Field(default=None, description="another address of the data stream, whole")
    alpaca_feed: Literal["iex", "sip"] = "iex"
    alpaca_history: int = Field(default=260, ge=130, description="sessions of history before the first one played")
    alpaca_horizon: int = Field(default=250, ge=1, description="sessions that a run may last")
    alpaca_stream_url: str | None = Field(default=None, description="another address of the trading stream")
    chroma_url: str | None = Field(
        default=None, description="a Chroma server for the index of memory; unset: a folder of the home"
    )
    chroma_token: SecretStr | None = None
    chroma_header: Literal["Authorization", "X-Chroma-Token"] = "Authorization"
    chroma_ca: Path | None = Field(default=None, description="PEM authority of a Chroma server that speaks HTTPS")
    model_base_url: str | None = Field(default=None, description="any OpenAI-compatible endpoint")
    model_api_key: SecretStr | None = None
    model_id: str = Field(default="gpt-4o-mini", description="the fast model: words and routing")
    model_id_deep: str | None = Field(default=None, description="the model for judgement; default: the fast one")
    model_fallback_1: str | None = Field(default=None, description="URL MODEL [VARIABLE OF ITS KEY]: asked next")
    model_fallback_2: str | None = Field(default=None, description="asked after the first fallback")
    model_fallback_3: str | None = Field(default=None, description="asked after the second fallback")
    model_timeout_s: float = Field(default=30.0, gt=0, description="for a whole answer")
    model_concurrency: int = Field(default=4, ge=1, le=64, description="calls at a time to one endpoint")
    model_breaker_failures: int = Field(default=3, ge=1, description="in a row, until an endpoint is left alone")
    model_breaker_cool_down_s: float = Field(default=60.0, gt=0, description="until one question tries it again")
    model_monitoring: bool = Field(default=False, description="ask a model beside the monitoring rules")
    model_coordinator: bool = Field(default=False, description="ask a model beside the coordinator's rules")
    model_framework: Literal["direct", "self_consistency"] = "direct"
    model_samples: int = Field(default=3, ge=2, le=9, description="askings under self_consistency")
    model_prices: str = Field(default="", description="MODEL=ASKED/ANSWERED, ...: money for 1000 tokens")
    model_token_budget: int = Field(default=2_000_000, gt=0, description="tokens per run")
    model_tokens_per_call: int | None = Field(default=None, gt=0)
    model_tokens_per_cycle: int | None = Field(default=None, gt=0)
    model_tokens_per_day: int | None = Field(default=None, gt=0, description="a UTC day of the wall clock")
    model_money_per_call: Decimal | None = Field(default=None, gt=0)
    model_money_per_cycle: Decimal | None = Field(default=None, gt=0)
    model_money_per_day: Decimal | None = Field(default=None, gt=0)

    @field_validator("model_fallback_1", "model_fallback_2", "model_fallback_3")
    @classmethod
    def _is_fallback(cls, value: str | None) -> str | None:
        if value is not None:
            Fallback.parse(value)
        return value

    @field_validator("model_prices")
    @classmethod
    def _are_prices(cls, value: str) -> str:
        parse_prices(value)
        return value

    @property
    def fallbacks(self) -> tuple[Fallback, ...]:
        """In the order in which they are asked."""
        given = (self.model_fallback_1, self.model_fallback_2, self.model_fallback_3)
        return tuple(Fallback.parse(text) for text in given if text)

    @property
    def prices(self) -> Mapping[str, Price]:
        """Money for a thousand tokens, by model."""
        return parse_prices(self.model_prices)

    @property
    def models_beside(self) -> frozenset[BesideRules]:
        """Agents whose rules judge and beside which a model is asked."""
        given: dict[BesideRules, bool] = {"monitoring": self.model_monitoring, "coordinator": self.model_coordinator}
        return frozenset(name for name, wanted in given.items() if wanted)

    @field_validator("allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())

    @field_validator("allowed_hosts")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in value if not HOST_NAME.fullmatch(name)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not a host name: write desk.example.com or desk.example.com:8443")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _addressed(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            ip_network(part, strict=False)
        return value

    @field_validator("chroma_url")
    @classmethod
    def _is_server(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("write http://host:port or https://host:port, without a path")
        if parts.username or parts.password:
            raise ValueError("leave the secret out of the address: QUARTERDECK_CHROMA_TOKEN takes it")
        return value.rstrip("/")

    @field_validator("chroma_token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        """An HTTP client repeats a header that it cannot send in its error, so such a token is refused here."""
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a token is visible ASCII characters without a space")
        return SecretStr(text)

    @field_validator("home", "heads_dir", "tls_cert", "tls_key", "venue", "chroma_ca")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else value

    @property
    def exposed(self) -> bool:
        """True when other machines can reach the desk, directly or through a proxy."""
        return self.host not in LOOPBACK or self.behind_tls_proxy

    @property
    def secure(self) -> bool:
        """True when browsers reach the desk by HTTPS."""
        return self.tls_cert is not None or self.behind_tls_proxy

    @property
    def broker_name(self) -> str:
        return self.broker or ("simulation" if self.mode == "replay" else "alpaca")

    @property
    def feed(self) -> str:
        return self.market or ("embedded" if self.mode == "replay" else "alpaca")

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
        secret = any(name in where for name in ("FALLBACK", "CHROMA_URL", "CHROMA_TOKEN"))  # a key may stand there
        shown = "" if secret else f" (got {first['input']!r})"
        raise ConfigError(f"{where}: {first['msg']}{shown}", code="bad_settings") from None
