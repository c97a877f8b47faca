"""Where notifications go: `<home>/config/notifications.yaml`, versioned like limits and policy. No file, no targets.

    version: "1"
    webhooks:
      - name: ops
        url: https://hooks.example.com/quarterdeck
        secret_env: QUARTERDECK_HOOK_SECRET        # name of a variable that holds whsec_... (base64)
        events: [approval.asked, halt.engaged]     # left out: all of them
    emails:
      - name: desk
        host: smtp.example.com
        from: desk@example.com
        to: [ann@example.com]
        username: desk
        password_env: QUARTERDECK_SMTP_PASSWORD

The file is a candidate; `sync` puts it in force by a row, and the outbox reads only rows, so that every process
sends by the same list. Secrets stand in environment variables; the file, the rows and every error carry names only.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator
from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import ActivationRow
from pipeline.store import Store, now
from tools.canonical import sha256_hex
from tools.errors import ConfigError
from tools.types import Frozen

Event = Literal[
    "approval.asked", "approval.warning", "approval.escalated", "approval.decided", "approval.expired",
    "case.voided", "halt.engaged", "halt.released", "finding.critical", "canary.passed",
]  # fmt: skip
EVENTS: tuple[Event, ...] = get_args(Event)
KIND = "notifications"
SHOWN = frozenset({"version", "name", "events", "port", "host", "starttls"})
"""Fields whose bad value an error may repeat; any other might be a secret in the wrong place."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,39}$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{2,79}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._%+\-]+@[A-Za-z0-9.\-]+$", max_length=254)]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:\-]{1,253}$")]


def is_loopback(host: str) -> bool:
    """True for `localhost` and the loopback addresses."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Webhook(Frozen):
    """An HTTPS endpoint that takes signed JSON (Standard Webhooks)."""

    name: Name
    url: str = Field(max_length=2_000, repr=False)
    secret_env: Variable
    events: tuple[Event, ...] = EVENTS
    ca_file: str | None = None

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        if re.search(r"[\s\x00-\x1f]", value):
            raise ValueError("a URL has no spaces or control characters")
        parts = urlsplit(value)
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise ValueError("an https:// URL is needed")
        if parts.username is not None or parts.password is not None:
            raise ValueError("no user or password in the URL: the signature says who we are")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("http:// is taken for this machine only: use https://")
        return value


class Mailbox(Frozen):
    """People reached by e-mail through one SMTP server."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    name: Name
    host: HostName
    port: int = Field(default=587, ge=1, le=65_535)
    sender: Address = Field(alias="from")
    to: tuple[Address, ...] = Field(min_length=1, max_length=50)
    username: str | None = Field(default=None, max_length=254, repr=False)
    password_env: Variable | None = None
    events: tuple[Event, ...] = EVENTS
    starttls: bool | None = Field(default=None, description="default: yes, except on this machine")
    ca_file: str | None = None

    @property
    def encrypts(self) -> bool:
        return not is_loopback(self.host) if self.starttls is None else self.starttls

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.encrypts and not is_loopback(self.host):
            raise ValueError("starttls: false is taken for this machine only")
        if (self.username is None) != (self.password_env is None):
            raise ValueError("username and password_env go together")
        return self


Target = Webhook | Mailbox


class TargetFile(Frozen):
    """The whole file."""

    version: str = Field(max_length=40)
    webhooks: tuple[Webhook, ...] = ()
    emails: tuple[Mailbox, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        return (*self.webhooks, *self.emails)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [target.name for target in self.targets]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two targets are named {twice[0]}")
        return self


@lru_cache(maxsize=8)
def parse(text: str) -> TargetFile:
    """Read a file's text; an empty one has no targets. ConfigError names the field, never a possible secret."""
    if not text.strip():
        return TargetFile(version="none")
    try:
        raw: Any = yaml.safe_load(text)
        return TargetFile.model_validate(raw)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"notifications.yaml is not YAML: {where}{error.problem}", code="bad_notifications") from None
    except yaml.YAMLError:
        raise ConfigError("notifications.yaml is not YAML", code="bad_notifications") from None
    except ValidationError as error:
        raise ConfigError(_complaint(error), code="bad_notifications") from None


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "file"
    fields = {str(part) for part in first["loc"] if not isinstance(part, int)} - {"webhooks", "emails"}
    plain = isinstance(first["input"], str | int | bool)
    told = f"(got {first['input']!r})" if plain and fields and fields <= SHOWN else "(its value is not shown)"
    return f"notifications.yaml: {where}: {first['msg']} {told}"


def latest(session: Session) -> ActivationRow | None:
    query = select(ActivationRow).where(ActivationRow.kind == KIND).order_by(col(ActivationRow.id).desc())
    return session.exec(query.limit(1)).first()


def in_force(session: Session) -> tuple[Target, ...]:
    """The targets that the newest row names."""
    row = latest(session)
    return parse(row.body).targets if row else ()


def sync(store: Store) -> bool:
    """Put the file of the home in force when it changed; True when it did. ConfigError leaves the old one standing."""
    path = store.home.config / "notifications.yaml"
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {type(error).__name__}", code="bad_notifications") from None
    digest = sha256_hex(text.encode())
    with store.db.read() as session:
        if _stands(latest(session), digest, text):
            return False
    found = parse(text)
    with store.db.write() as session:
        if _stands(latest(session), digest, text):
            return False
        session.add(
            ActivationRow(
                kind=KIND, version=found.version, sha256=digest, body=text, principal="setup", activated_wall=now()
            )
        )
        append(
            session,
            Entry(
                kind="notifications.activated", step="activate", desk_time=now(), stage=Stage.SYSTEM,
                content={
                    "sha256": digest, "version": found.version, "targets": [target.name for target in found.targets]
                },
            ),
        )  # fmt: skip
    return True


def _stands(row: ActivationRow | None, digest: str, text: str) -> bool:
    return text == "" if row is None else row.sha256 == digest
