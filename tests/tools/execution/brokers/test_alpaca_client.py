"""One call, one attempt: errors that prove nothing, keys that never show, and the live switch."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest

from tests.peers.alpaca_peer import FAULTS, KEY, SECRET, AlpacaPeer
from tests.tools.execution.brokers.alpaca_help import buy, connect, found
from tools.errors import ConfigError, RetryableToolError
from tools.execution.brokers.alpaca import AlpacaBroker
from tools.execution.types import OrderState

D = Decimal


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_is_ever_evidence_of_absence(peer: AlpacaPeer, fault: str) -> None:
    broker = connect(peer, timeout_s=(2.0, 0.15))
    broker.submit(buy())
    peer.script.append(fault)
    if fault in ("late", "blind"):  # faults of writes: a read under them is an ordinary read
        assert found(broker, "o1").state == OrderState.NEW
        return
    with pytest.raises(RetryableToolError):
        broker.find("o1")


def test_a_404_that_is_not_alpacas_own_is_no_absence(peer: AlpacaPeer) -> None:
    broker = connect(peer, base_url=f"{peer.base_url}/wrong")
    with pytest.raises(RetryableToolError):
        broker.submit(buy())


def test_a_dead_venue_is_unknown(peer: AlpacaPeer) -> None:
    broker = connect(peer, base_url="http://127.0.0.1:9")
    for ask in (lambda: broker.submit(buy()), lambda: broker.find("o1"), broker.positions, lambda: broker.fills(0)):
        with pytest.raises(RetryableToolError) as error:
            ask()
        assert error.value.code == "broker_unreachable"


def test_keys_appear_in_no_error_repr_or_log(
    peer: AlpacaPeer, broker: AlpacaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = connect(peer, secret_key="another-secret-that-must-not-show")
    with pytest.raises(RetryableToolError) as error:
        wrong.submit(buy())
    assert error.value.code == "broker_unauthorized"
    peer.script.append("error")
    with pytest.raises(RetryableToolError) as failed:
        broker.cash()
    for raised in (error.value, failed.value):
        assert (raised.__cause__, raised.__suppress_context__) == (None, True)
    told = " ".join(
        [str(error.value), repr(broker), repr(wrong), str(failed.value), caplog.text, repr(broker.account())]
    )
    for secret in (KEY, SECRET, "another-secret-that-must-not-show", peer.book.account_number):
        assert secret not in told


@pytest.mark.parametrize("typed", [None, "", "PA000000000"])
def test_live_needs_the_accounts_own_number(peer: AlpacaPeer, typed: str | None) -> None:
    with pytest.raises(ConfigError, match="account number") as error:
        connect(peer, live=True, account_number=typed)
    assert error.value.code == "live_not_confirmed"
    assert peer.book.account_number not in error.value.message
    assert connect(peer, live=True, account_number=peer.book.account_number).live


@pytest.mark.parametrize("url", ["https://api.alpaca.markets", "https://API.alpaca.markets:443/"])
def test_the_live_address_needs_the_live_switch(url: str) -> None:
    with pytest.raises(ConfigError, match="ask for live explicitly"):
        AlpacaBroker(key_id=KEY, secret_key=SECRET, base_url=url)


def test_a_key_has_two_halves() -> None:
    with pytest.raises(ConfigError) as error:
        AlpacaBroker(key_id=KEY, secret_key="")
    assert error.value.code == "missing_key"


def test_paper_is_the_default_address() -> None:
    broker = AlpacaBroker(key_id=KEY, secret_key=SECRET)
    assert getattr(broker._client._client._base_url, "value", None) == "https://paper-api.alpaca.markets"
