"""E-mail by SMTP. STARTTLS with a verified certificate unless the server is on this machine.

The subject is ours and fixed per event; the text says which case it is about and where to look, nothing else.
"""

from __future__ import annotations

import asyncio
import smtplib
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from pipeline.notify.message import TITLES, Message, Receipt, tls_context
from pipeline.notify.targets import Mailbox
from tools.canonical import instant_text

STEP_S = 8.0
"""Patience with each answer of the server."""
DEADLINE_S = 60.0


def compose(target: Mailbox, message: Message, at: datetime) -> EmailMessage:
    """Render one message; Message-ID is the delivery id, so that a repeat can be told."""
    mail = EmailMessage()
    mail["Subject"] = f"[Quarterdeck {message.mode}] {TITLES[message.event]}"
    mail["From"] = target.sender
    mail["To"] = ", ".join(target.to)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{message.id}@{target.sender.rpartition('@')[2]}>"
    mail["X-Quarterdeck-Event"] = message.event
    mail["Auto-Submitted"] = "auto-generated"
    facts = {"event": message.event, "subject": message.subject_id, "at": instant_text(message.created)}
    lines = [f"{name}: {_shown(value)}" for name, value in {**facts, **message.content}.items()]
    mail.set_content(
        f"{TITLES[message.event]}.\n\n" + "\n".join(lines) + "\n\nOpen the console to see it. Answers to this mail are "
        "not read, and nothing can be approved by mail.\n"
    )
    return mail


def _shown(value: object) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


async def send(target: Mailbox, message: Message, password: str | None, at: datetime) -> Receipt:
    """Hand one message to the server, in a thread; it counts when the server took it for at least one recipient."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.to_thread(_hand_over, target, compose(target, message, at), password)
    except TimeoutError:
        return Receipt(f"no end in {DEADLINE_S:.0f} s")


def _hand_over(target: Mailbox, mail: EmailMessage, password: str | None) -> Receipt:
    """The server's own words are left out of the answer: it may repeat what it was sent."""
    try:
        with smtplib.SMTP(target.host, target.port, local_hostname="localhost", timeout=STEP_S) as server:
            if target.encrypts:
                server.starttls(context=tls_context(target.ca_file))
            if target.username is not None and password is not None:
                server.login(target.username, password)
            server.send_message(mail)
    except smtplib.SMTPAuthenticationError as error:
        return Receipt(f"the server refused the login ({error.smtp_code})")
    except smtplib.SMTPRecipientsRefused:
        return Receipt("the server refused every recipient")
    except smtplib.SMTPResponseException as error:
        return Receipt(f"the server answered {error.smtp_code}")
    except (smtplib.SMTPException, OSError) as error:
        return Receipt(f"{type(error).__name__}: not delivered")
    return Receipt()
