"""What every service function takes: the database, the home and the settings, with what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from sqlmodel import Session, col, func, select

from memory import ledger
from memory.database import BUSY_TIMEOUT_S, Database
from memory.heads import HEADS_FILE, load_key, public_hex, publish
from memory.tables import HeartbeatRow, HomeRow, RunRow
from pipeline.home import Home, open_home
from pipeline.settings import Settings
from tools.errors import HomeError

if TYPE_CHECKING:
    from agents.breaker import Breaker
    from agents.gate import Gate


class Principal(NamedTuple):
    """Who acts. People come from a login, a stand-in declares itself, policy and controls name themselves."""

    name: str
    kind: Literal["person", "stand_in", "policy", "control"]
    address: str | None = None
    session_id: str | None = None
    """The login session or API key (`key:<id>`) that a person acts by; None for what acts inside the desk."""


@dataclass(frozen=True)
class Store:
    """One home, opened."""

    db: Database
    home: Home
    settings: Settings
    reduce_only: list[str] = field(default_factory=list)
    """Why this desk may only watch, cancel and reduce; empty when nothing is wrong."""
    law_trouble: list[str] = field(default_factory=list)
    """Those of the reasons that a file of the home gave at the start."""
    gates: dict[str, Gate] = field(default_factory=dict)
    """By base URL of a model: how many calls this process has under way there."""
    breakers: dict[tuple[str, str], Breaker] = field(default_factory=dict)
    """By base URL and model: whether this process asks it now."""

    @property
    def gone(self) -> bool:
        """True when the database file is no longer where it was; an open connection would not notice."""
        return self.settings.database_url is None and not self.home.database_file.exists()

    @property
    def heads_directories(self) -> tuple[Path, ...]:
        extra = (self.settings.heads_dir,) if self.settings.heads_dir else ()
        return (self.home.heads, *extra)

    @property
    def heads_files(self) -> tuple[Path, ...]:
        return tuple(directory / HEADS_FILE for directory in self.heads_directories)

    def publish_head(self) -> None:
        """Sign where the ledger stands and put it in every configured place."""
        with self.db.read() as session:
            seq, digest = ledger.head(session)
        publish(load_key(self.home.ledger_key), seq, digest, self.heads_directories)

    def verify_ledger(self) -> ledger.Verification:
        return ledger.verify(self.db, self.heads_files, public_hex(load_key(self.home.ledger_key)))


def open_store(settings: Settings, *, create: bool = True, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Store:
    """Open the home of the settings, in the mode that is stamped on it; HomeError says what is wrong with it."""
    home, database = open_home(settings, create=create, busy_timeout_s=busy_timeout_s)
    with database.read() as session:
        stamped = session.get_one(HomeRow, 1).mode
    return Store(database, home, settings.model_copy(update={"mode": stamped}))


def active_run(session: Session) -> RunRow | None:
    """The run whose book is open."""
    return session.exec(select(RunRow).where(RunRow.active).order_by(col(RunRow.ordinal).desc()).limit(1)).first()


def require_run(session: Session) -> RunRow:
    run = active_run(session)
    if run is None:
        raise HomeError(
            "this home has no run yet: start one with `quarterdeck run` or `quarterdeck serve`", code="no_run"
        )
    return run


def now() -> datetime:
    """Wall clock, aware UTC."""
    return datetime.now(UTC)


def never_back(session: Session, at: datetime) -> datetime:
    """`at`, or the latest wall time that this home has written, whichever is later: a clock turned back counts for
    nothing."""
    seen = session.exec(select(func.max(col(HeartbeatRow.at_wall)))).one()
    return max(at, seen) if seen is not None else at
