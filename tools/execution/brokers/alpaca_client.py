"""alpaca-py's trading client as the desk needs it: one attempt, a timeout, exact decimals, honest errors.

alpaca-py repeats every verb on 429 and 504, POST included, and waits for ever. Here a call is made once: it is
answered, refused by the venue in its own words, or unknown.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from tools.alpaca_wire import TIMEOUT_S, single_attempt
from tools.errors import ConfigError, ExecutionError, RetryableToolError

if TYPE_CHECKING:
    from alpaca.trading.client import TradingClient

LIVE_HOST = "api.alpaca.markets"
REFUSALS = frozenset({400, 403, 404, 405, 409, 422})
Method = Literal["GET", "POST", "PATCH", "DELETE"]


class AlpacaRefusal(ExecutionError):
    """Alpaca answered no, in its own JSON: what was asked was not done. `venue_code` is Alpaca's, e.g. 40310000."""

    def __init__(self, message: str, *, status: int, venue_code: int) -> None:
        super().__init__(message, code="rejected")
        self.status = status
        self.venue_code = venue_code


class AlpacaClient:
    """Calls of one account. `base_url` is without `/v2`; None is Alpaca's paper or live address.

    Raises ConfigError `live_not_confirmed` when the address is the live one and `live` is not set, ConfigError
    `missing_key` without both halves of the key. Neither half ever appears in an error or a repr.
    """

    def __init__(
        self,
        key_id: str,
        secret_key: str,
        *,
        live: bool = False,
        base_url: str | None = None,
        timeout_s: tuple[float, float] = TIMEOUT_S,
    ) -> None:
        if not key_id or not secret_key:
            raise ConfigError("Alpaca needs a key id and a secret key; give both", code="missing_key")
        if base_url is not None and urlsplit(base_url).hostname == LIVE_HOST and not live:
            raise ConfigError(
                f"{LIVE_HOST} is the live account: ask for live explicitly, or leave the address out for paper",
                code="live_not_confirmed",
            )
        self._secrets = (secret_key, key_id)
        self._client = _trading_client(key_id, secret_key, live=live, base_url=base_url, timeout_s=timeout_s)

    def call(self, method: Method, path: str, data: Mapping[str, Any] | None = None) -> Any:
        """Make one call and return its JSON (None for an empty answer).

        Raises AlpacaRefusal for a refusal, RetryableToolError for everything that leaves the result unknown:
        `broker_unreachable` (network, timeout, 5xx, a strange answer), `broker_busy` (429), `broker_unauthorized`.
        """
        from alpaca.common.exceptions import APIError

        verbs: dict[Method, Callable[..., Any]] = {
            "GET": self._client.get, "POST": self._client.post, "PATCH": self._client.patch,
            "DELETE": self._client.delete,
        }  # fmt: skip
        try:
            return verbs[method](path, None if data is None else dict(data))
        except APIError as error:
            failure: Exception = self._judge(method, path, error)
        except OSError as error:
            failure = _unknown(method, path, type(error).__name__)
        raise failure from None  # the cause carries the request, and the request the keys

    def _judge(self, method: str, path: str, error: Any) -> Exception:
        status = int(error.status_code or 0)
        venue_code, said = _body(error)
        for secret in self._secrets:
            said = said.replace(secret, "***")
        if status in REFUSALS and venue_code is not None:
            return AlpacaRefusal(f"Alpaca refused {method} {path}: {said}", status=status, venue_code=venue_code)
        if status == 429:
            return RetryableToolError("Alpaca's rate limit is reached (429); ask less often", code="broker_busy")
        if status in (401, 403):
            return RetryableToolError(
                f"Alpaca does not accept the key ({status}); check the key and whether it is for paper or live",
                code="broker_unauthorized",
            )
        return _unknown(method, path, f"status {status}")


def _unknown(method: str, path: str, why: str) -> RetryableToolError:
    return RetryableToolError(
        f"Alpaca did not answer {method} {path} ({why}): whether it was done is unknown, ask before anything else",
        code="broker_unreachable",
    )


def _body(error: Any) -> tuple[int | None, str]:
    """Alpaca's own error code and message; no code when the body is somebody else's (a proxy, a gateway)."""
    try:
        return int(error.code), str(error.message)
    except (ValueError, KeyError, TypeError):
        return None, "no JSON of Alpaca's"


def _trading_client(
    key_id: str, secret_key: str, *, live: bool, base_url: str | None, timeout_s: tuple[float, float]
) -> TradingClient:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py imports websockets.legacy
        from alpaca.trading.client import TradingClient

    client = TradingClient(key_id, secret_key, paper=not live, raw_data=True, url_override=base_url)
    return single_attempt(client, timeout_s)
