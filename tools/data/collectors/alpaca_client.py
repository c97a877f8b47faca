"""Reading Alpaca: its own clients, GET only, bounded tries, and errors that say what to do and never hold a key."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from tools.alpaca_wire import TIMEOUT_S, single_attempt
from tools.errors import ConfigError, DataError, RetryableToolError

if TYPE_CHECKING:
    from alpaca.common.rest import RESTClient

Source = Literal["stocks", "actions", "news", "trading"]
TRIES = 4
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
MAX_PAGES = 1000


class Refused(DataError):
    """Alpaca answered no, in its own words: `said` is safe to show."""

    def __init__(self, message: str, *, said: str) -> None:
        super().__init__(message, code="feed_refused")
        self.said = said


class _Passing(Exception):
    """A failure that may pass: how long the source asks to wait, and what to raise when it does not pass."""

    def __init__(self, error: RetryableToolError, wait_s: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait_s = wait_s


class AlpacaClient:
    """GETs of Alpaca's data and trading addresses; `data_url` and `trading_url` replace them, without a version.

    A rate limit (429) is waited out as `Retry-After` says, at most a minute, and a 5xx or a broken connection with
    doubling pauses, `tries` times in all; nothing but GET is ever sent. Raises ConfigError `missing_key`, `bad_key`
    (401) or `not_permitted` (403), `Refused` for another no, RetryableToolError `feed_busy`, `feed_unreachable` or
    `feed_garbled` when the tries are used up. No key is in an error or a repr.
    """

    def __init__(
        self,
        key_id: str,
        secret_key: str,
        *,
        data_url: str | None = None,
        trading_url: str | None = None,
        live: bool = False,
        tries: int = TRIES,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not key_id or not secret_key:
            raise ConfigError(
                "Alpaca's market data need a key id and a secret key; set alpaca_key and alpaca_secret",
                code="missing_key",
            )
        self._secrets = (secret_key, key_id)
        self._tries, self._sleep = tries, sleep
        self._clients = {
            name: single_attempt(client, timeout_s)
            for name, client in _clients(key_id, secret_key, data_url, trading_url, live=live).items()
        }

    def __repr__(self) -> str:
        return "AlpacaClient()"

    def get(self, source: Source, path: str, params: Mapping[str, str] | None = None) -> Any:
        """One answer as JSON, numbers as decimals."""
        retrying = Retrying(
            retry=retry_if_exception_type(_Passing), stop=stop_after_attempt(self._tries), wait=_wait,
            sleep=self._sleep, reraise=True,
        )  # fmt: skip
        try:
            return retrying(self._once, source, path, params)
        except _Passing as passing:
            error = passing.error
        raise error from None

    def pages(self, source: Source, path: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Every page of a list. A token that comes twice would never end: RetryableToolError `feed_garbled`."""
        seen: set[str] = set()
        query = dict(params)
        while True:
            page = self.get(source, path, query)
            if not isinstance(page, dict):
                raise garbled(path, "a page is no object")
            yield page
            token = page.get("next_page_token")
            if not token:
                return
            if not isinstance(token, str) or token in seen or len(seen) >= MAX_PAGES:
                raise garbled(path, "its pages do not end")
            seen.add(token)
            query["page_token"] = token

    def _once(self, source: Source, path: str, params: Mapping[str, str] | None) -> Any:
        from alpaca.common.exceptions import APIError

        try:
            answer = self._clients[source].get(path, None if params is None else dict(params))
        except APIError as error:
            failure: Exception = self._judge(path, error)
        except ValueError:
            failure = _Passing(garbled(path, "no JSON"))
        except OSError as error:
            failure = _Passing(_unreachable(path, type(error).__name__))
        else:
            if answer is not None:
                return answer
            failure = _Passing(garbled(path, "empty"))
        raise failure from None  # the cause carries the request, and the request the keys

    def _judge(self, path: str, error: Any) -> Exception:
        status = int(error.status_code or 0)
        said = self._said(error)
        if status == 429:
            busy = RetryableToolError(
                f"Alpaca's rate limit is reached (429) on {path}; ask less often", code="feed_busy"
            )
            return _Passing(busy, retry_after(error.response.headers))
        if status >= 500:
            return _Passing(_unreachable(path, f"status {status}"))
        if status == 401:
            return ConfigError(
                "Alpaca does not accept the key (401); check alpaca_key and alpaca_secret, and whether they are of the "
                "paper or the live account", code="bad_key",
            )  # fmt: skip
        if status == 403:
            return ConfigError(
                f"Alpaca does not permit {path} to this key (403: {said}); check alpaca_key and alpaca_secret, or "
                "choose the feed iex", code="not_permitted",
            )  # fmt: skip
        return Refused(f"Alpaca refused {path} ({status}): {said}", said=said)

    def _said(self, error: Any) -> str:
        try:
            said = str(error.message)[:200]
        except (ValueError, KeyError, TypeError):
            return "no JSON of Alpaca's"
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return said


def garbled(path: str, why: str) -> RetryableToolError:
    """The error for an answer that is not what the protocol says."""
    return RetryableToolError(
        f"Alpaca's answer to {path} cannot be used ({why}); nothing was taken from it, ask again", code="feed_garbled"
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a `Retry-After` header asks for, as a number or an HTTP date (RFC 9110, 10.2.3); None without."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.wait_s if isinstance(error, _Passing) else None
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (state.attempt_number - 1) if asked is None else asked)


def _unreachable(path: str, why: str) -> RetryableToolError:
    return RetryableToolError(
        f"Alpaca did not answer {path} ({why}); the data stay as they were, ask again", code="feed_unreachable"
    )


def _clients(
    key_id: str, secret_key: str, data_url: str | None, trading_url: str | None, *, live: bool
) -> dict[str, RESTClient]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py imports websockets.legacy
        from alpaca.data.historical.corporate_actions import CorporateActionsClient
        from alpaca.data.historical.news import NewsClient
        from alpaca.data.historical.stock import StockHistoricalDataClient
        from alpaca.trading.client import TradingClient

    return {
        "stocks": StockHistoricalDataClient(key_id, secret_key, raw_data=True, url_override=data_url),
        "actions": CorporateActionsClient(key_id, secret_key, raw_data=True, url_override=data_url),
        "news": NewsClient(key_id, secret_key, raw_data=True, url_override=data_url),
        "trading": TradingClient(key_id, secret_key, paper=not live, raw_data=True, url_override=trading_url),
    }
