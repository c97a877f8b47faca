"""A loopback SMTP server (RFC 5321) with STARTTLS and AUTH PLAIN: enough to be mailed to.

Modes: `ok`, `busy` (451 after the data), `refuse` (550 for every recipient), `no_login` (535), `die` (hangs up).
"""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import socketserver
import ssl
import threading
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple, Self, cast


class Mail(NamedTuple):
    """One message as it arrived."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    encrypted: bool
    login: tuple[str, str] | None


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    peer: SmtpPeer


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            self._talk(self.server.peer)
        with contextlib.suppress(OSError):
            self.rfile.close()
            self.wfile.close()
            self.request.close()

    def _say(self, line: str) -> None:
        self.wfile.write((line + "\r\n").encode())
        self.wfile.flush()

    def _talk(self, peer: SmtpPeer) -> None:
        encrypted, login, sender, recipients = False, None, "", []
        self._say("220 peer ready")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "EHLO":
                offer = ["AUTH PLAIN"] if encrypted or peer.tls is None else ["STARTTLS"]
                self._say("250-peer")
                self._say(f"250 {offer[0]}")
            elif verb == "STARTTLS" and peer.tls is not None:
                self._say("220 go ahead")
                self.request = self.connection = peer.tls.wrap_socket(self.request, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), cast(Any, self.connection.makefile("wb"))
                encrypted = True
            elif verb == "AUTH":
                if peer.mode == "no_login":
                    self._say("535 who are you, with your secret " + line)
                    continue
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                login = (user, password)
                self._say("235 welcome")
            elif verb == "MAIL":
                sender = line.partition("<")[2].partition(">")[0]
                self._say("250 ok")
            elif verb == "RCPT":
                recipients.append(line.partition("<")[2].partition(">")[0])
                self._say("550 nobody here" if peer.mode == "refuse" else "250 ok")
            elif verb == "DATA":
                if peer.mode == "die":
                    return
                self._say("354 go on")
                lines: list[bytes] = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part.removeprefix(b".") if part.startswith(b"..") else part)
                message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                if peer.mode == "busy":
                    self._say("451 later")
                    continue
                peer.received.append(Mail(sender, tuple(recipients), message, encrypted, login))
                self._say("250 taken")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")


class SmtpPeer:
    """`with SmtpPeer() as peer:` listens on a free port; with `certificate` and `key` it offers STARTTLS."""

    def __init__(self, mode: str = "ok", certificate: Path | None = None, key: Path | None = None) -> None:
        self.mode = mode
        self.received: list[Mail] = []
        self.tls: ssl.SSLContext | None = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate, key)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.peer = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
