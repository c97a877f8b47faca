"""The REST side of an Alpaca peer without sockets: requests are answered in the caller's thread, faults and all.

Everything of the client stays as it is but the transport; silence costs no time and nothing depends on the machine.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from tests.peers.alpaca_peer import BEFORE, STATUS, AlpacaPeer
from tools.execution.brokers.alpaca import AlpacaBroker


def attach(broker: AlpacaBroker, peer: AlpacaPeer) -> AlpacaBroker:
    """Let a broker on `peer.base_url` talk to the peer directly."""
    session: requests.Session = broker._client._client._session
    session.trust_env = False
    session.mount(peer.base_url, _Direct(peer))
    return broker


class _Direct(BaseAdapter):
    def __init__(self, peer: AlpacaPeer) -> None:
        super().__init__()
        self.peer = peer

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url, method = urlsplit(str(request.url)), str(request.method)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        raw = request.body or b"{}"
        assert isinstance(raw, str | bytes)
        body = json.loads(raw, parse_float=str)
        path = url.path.removeprefix("/v2/")
        fault = self.peer.step(method, path)
        status, answer = (0, None) if fault in BEFORE else self.peer.carry_out(fault, method, path, query, body)
        if fault in STATUS:
            return _answer(request, STATUS[fault], {"message": f"the peer is in fault {fault}"})
        if fault.startswith("timeout"):
            raise requests.ReadTimeout("silence", request=request)
        if fault.startswith("die") or status == 0:
            raise requests.ConnectionError("closed", request=request)
        if fault == "cut_after":
            raise requests.exceptions.ChunkedEncodingError("cut short", request=request)
        return _answer(
            request, 200 if fault == "garbage_after" else status, "<html>" if fault == "garbage_after" else answer
        )

    def close(self) -> None:
        """Nothing is open."""


def _answer(request: requests.PreparedRequest, status: int, body: Any) -> requests.Response:
    made = requests.Response()
    made.status_code, made.request, made.url = status, request, str(request.url)
    made.headers = CaseInsensitiveDict({"content-type": "application/json"})
    text = "" if status == 204 else body if isinstance(body, str) else json.dumps(body)
    made.raw = BytesIO(text.encode())
    made.encoding = "utf-8"
    return made
