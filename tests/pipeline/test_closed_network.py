"""With the network closed nothing leaves the process, whoever asks; afterwards it is as before."""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.closed_network import closed_network
from tools.errors import AccessError


def by_look_up() -> None:
    socket.getaddrinfo("example.org", 443)


def by_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"x", ("127.0.0.1", 9))


def by_url() -> None:
    with urllib.request.urlopen("http://127.0.0.1:9/"):
        pass


@pytest.mark.parametrize("leave", [by_look_up, by_datagram, by_url])
def test_every_way_out_is_closed(leave: Callable[[], None]) -> None:
    with closed_network(), closed_network(), pytest.raises(AccessError, match="network is closed"):
        leave()


def test_a_model_on_loopback_is_out_of_reach_and_then_there_again(openai_peer: Callable[..., Any]) -> None:
    url = f"{openai_peer().base_url}/models"
    with closed_network(), pytest.raises(AccessError):
        urllib.request.urlopen(url)
    with urllib.request.urlopen(url) as answer:
        assert answer.status == 200


def test_what_stays_in_the_process_goes_on() -> None:
    with closed_network():
        assert asyncio.run(asyncio.to_thread(lambda: 1)) == 1
