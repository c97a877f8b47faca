"""Close the network for this process: whatever tries to leave it fails, whoever tries.

An audit hook of the interpreter sees every connection, datagram and look-up of a name that Python code asks for,
loopback included, so nothing has to be trusted to go through one function. Sockets inside the process stay.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from tools.errors import AccessError

_LEAVES = frozenset({
    "socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr", "socket.getnameinfo",
})  # fmt: skip
_closed = 0


@contextmanager
def closed_network() -> Iterator[None]:
    """AccessError(network_closed) for everything that leaves the process until this ends; may be nested."""
    global _closed  # noqa: PLW0603
    _install()
    _closed += 1
    try:
        yield
    finally:
        _closed -= 1


@cache
def _install() -> None:
    """A hook cannot be taken out again; it does nothing while the network is open."""
    sys.addaudithook(_judge)


def _judge(event: str, args: tuple[Any, ...]) -> None:
    if not _closed or event not in _LEAVES:
        return
    if args and isinstance(args[0], socket.socket) and args[0].family == getattr(socket, "AF_UNIX", None):
        return
    raise AccessError(f"the network is closed while recordings are replayed ({event})", code="network_closed")
