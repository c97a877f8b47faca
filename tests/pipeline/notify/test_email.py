"""E-mail against a real SMTP conversation on loopback, plain and with STARTTLS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.notify import email
from pipeline.notify.message import TITLES, Message, Receipt
from pipeline.notify.targets import EVENTS, Mailbox
from tests.peers.smtp_peer import SmtpPeer
from tests.pipeline.notify.outside import mailbox

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
MESSAGE = Message("msg_1", "approval.asked", "appr_1", {"symbol": "IBM", "roles": ["approver"]}, AT, "paper")
PASSWORD = "correct horse battery"


def target(port: int, **changes: Any) -> Mailbox:
    return Mailbox.model_validate(mailbox(port, **changes))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return folder / "cert.pem", folder / "key.pem"


async def test_a_mail_arrives_with_a_stable_id_and_a_subject_of_ours() -> None:
    with SmtpPeer() as peer:
        assert await email.send(target(peer.port), MESSAGE, None, AT) == Receipt()
    (mail,) = peer.received
    assert mail.recipients == ("ann@example.com", "bob@example.com")
    assert mail.message["Subject"] == "[Quarterdeck paper] A case waits for you"
    assert mail.message["Message-ID"] == "<msg_1@example.com>"
    text = mail.message.get_content()
    assert "symbol: IBM" in text
    assert "roles: approver" in text
    assert mail.login is None


async def test_starttls_is_used_and_verified_and_the_login_follows_it(certificate: tuple[Path, Path]) -> None:
    safe = {"starttls": True, "ca_file": str(certificate[0]), "username": "desk", "password_env": "QD_MAIL"}
    with SmtpPeer("ok", *certificate) as peer:
        assert await email.send(target(peer.port, **safe), MESSAGE, PASSWORD, AT) == Receipt()
    (mail,) = peer.received
    assert mail.encrypted
    assert mail.login == ("desk", PASSWORD)


async def test_an_unknown_certificate_stops_it_before_the_login(certificate: tuple[Path, Path]) -> None:
    unsafe = {"starttls": True, "username": "desk", "password_env": "QD_MAIL"}
    with SmtpPeer("ok", *certificate) as peer:
        receipt = await email.send(target(peer.port, **unsafe), MESSAGE, PASSWORD, AT)
    assert receipt == Receipt("SSLCertVerificationError: not delivered")
    assert peer.received == []


async def test_a_server_that_offers_no_starttls_gets_no_password() -> None:
    with SmtpPeer() as peer:
        wanted = target(peer.port, starttls=True, username="desk", password_env="QD_MAIL")
        receipt = await email.send(wanted, MESSAGE, PASSWORD, AT)
    assert receipt == Receipt("SMTPNotSupportedError: not delivered")
    assert peer.received == []


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("busy", "the server answered 451"), ("refuse", "the server refused every recipient"),
        ("die", "SMTPServerDisconnected: not delivered"),
    ],
)  # fmt: skip
async def test_a_server_that_does_not_take_it_is_a_failure(mode: str, error: str) -> None:
    with SmtpPeer(mode) as peer:
        assert await email.send(target(peer.port), MESSAGE, None, AT) == Receipt(error)
    assert peer.received == []


async def test_a_refused_login_tells_the_code_and_not_what_the_server_said() -> None:
    with SmtpPeer("no_login") as peer:
        given = target(peer.port, username="desk", password_env="QD_MAIL")
        assert await email.send(given, MESSAGE, PASSWORD, AT) == Receipt("the server refused the login (535)")


async def test_nobody_listening_is_a_failure() -> None:
    with SmtpPeer() as peer:
        port = peer.port
    assert await email.send(target(port), MESSAGE, None, AT) == Receipt("ConnectionRefusedError: not delivered")


def test_every_event_has_a_title() -> None:
    assert {*EVENTS, "notify.test"} == set(TITLES)
