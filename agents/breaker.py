"""When an endpoint that keeps failing is left alone: a dead model must not cost a timeout for every question."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from agents.opinion import Abstain

FAILURES = 3
COOL_DOWN_S = 60.0


class Breaker:
    """Opens after `failures` in a row that another endpoint may be asked for; one question tries again later.

    While it is open nothing is sent. After `cool_down_s` on the monotonic `clock` one call goes through as a probe: an
    answer closes the breaker, another failure opens it for a further cool-down. Engine threads share it.
    """

    def __init__(
        self,
        failures: int = FAILURES,
        cool_down_s: float = COOL_DOWN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._cool_down_s, self._clock = failures, cool_down_s, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._opened: float | None = None
        self._probing = False
        self._last = Abstain(reason="model_unreachable", detail="")

    def refusal(self) -> Abstain | None:
        """Why the endpoint is not asked now; None lets the call go, which then must be reported once.

        The reason is that of the failure which opened the breaker, so that an outage has one name.
        """
        with self._lock:
            if self._opened is None:
                return None
            if not self._probing and self._clock() - self._opened >= self._cool_down_s:
                self._probing = True
                return None
            detail = f"the endpoint failed {self._most} times in a row and is left alone for a while"
            return Abstain(reason=self._last.reason, detail=detail)

    def failed(self, trouble: Abstain) -> None:
        """A call found the endpoint out of reach, late, busy or broken."""
        with self._lock:
            self._failed += 1
            self._last = trouble
            if self._probing or self._failed >= self._most:
                self._opened, self._probing = self._clock(), False

    def answered(self) -> None:
        """A call was answered, well or badly: the endpoint is there."""
        with self._lock:
            self._failed, self._opened, self._probing = 0, None, False

    def given_up(self) -> None:
        """A call was cancelled, or ended in a way that says nothing of the endpoint; another may probe."""
        with self._lock:
            self._probing = False
