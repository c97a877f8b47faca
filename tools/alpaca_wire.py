"""One attempt, a timeout and exact decimals for the clients of alpaca-py, which repeat and wait for ever."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from alpaca.common.rest import RESTClient

TIMEOUT_S = (5.0, 10.0)
Client = TypeVar("Client", bound="RESTClient")


def single_attempt(client: Client, timeout_s: tuple[float, float] = TIMEOUT_S) -> Client:
    """Make the client send each request once, wait `timeout_s` (connect, read) at most and read numbers as decimals."""
    from requests import Response, Session

    class OneAttempt(Session):
        def request(self, *args: Any, **kwargs: Any) -> Response:
            response = super().request(*args, **{"timeout": timeout_s, **kwargs})
            response.json = partial(response.json, parse_float=Decimal)  # type: ignore[method-assign]
            return response

    client._session = OneAttempt()
    client._retry = 0
    client._retry_codes = []
    return client
