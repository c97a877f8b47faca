"""Scratch desks: a home of their own over the embedded market, with the settings and the law that ship.

Nothing of the person's settings, law or home reaches one: not their database, not their model, not their second place
for heads. The law is the shipped one but for `CHANGED`, which puts more on the table at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pipeline.activation import in_force
from pipeline.desk import Desk, RunRequest, start_run
from pipeline.policy import default_policy_text
from pipeline.settings import Settings
from pipeline.store import Store, open_store, require_run
from pipeline.venue import open_broker, open_market
from tools.data.types import MarketData
from tools.errors import ConfigError, ExecutionError
from tools.risk.limits import default_limits_text

SYMBOLS = (
    "ADI", "AEP", "KR", "SLB", "MCK", "UNH", "DE", "JWN", "AVY", "COP", "FDO", "BA", "CRM", "GAS", "HAS", "HOG", "MKC",
    "PCL", "VZ", "F", "PEP", "DD", "FCX", "OXY", "TRV", "WAG", "YUM", "PNC",
)  # fmt: skip
"""Names in which both strategies propose in the sessions from `START` on."""
START = date(2009, 12, 3)
CHANGED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "limits": (("time_stop_sessions: {trend: 20, reversion: 5}", "time_stop_sessions: {trend: 1, reversion: 1}"),),
    "policy": (("\ncapacity: 5 ", "\ncapacity: 24 "), ("\nttl_sessions: 1", "\nttl_sessions: 3")),
}
"""Exits after one session, many questions at once, and questions that still wait at the open after next."""


class DrillError(ExecutionError):
    """A drill could not be set up or did not find what it needs; code `drill`."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="drill")


def open_scratch(home: Path, equity: int | None = None) -> Store:
    """Open a scratch home with the settings that ship, whatever the environment says."""
    plain = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    plain |= {"home": home} | ({} if equity is None else {"equity_start": equity})
    return open_store(Settings(**plain))


def assemble(store: Store, market: MarketData) -> Desk:
    """The desk over a scratch home, without recall, which no drill looks at."""
    with store.db.read() as session:
        run = require_run(session)
    return Desk(
        store=store, run_id=run.id, market=market, broker=open_broker(store, run), law=in_force(store), recall=None,
        seed=run.seed,
    )  # fmt: skip


def new_desk(home: Path, market: MarketData, equity: int | None = None) -> Desk:
    """A scratch desk before its first session."""
    store = open_scratch(home, equity)
    shipped = {"limits": default_limits_text(), "policy": default_policy_text()}
    for name, text in shipped.items():
        (store.home.config / f"{name}.yaml").write_text(_changed(name, text), encoding="utf-8")
    start_run(store, RunRequest(symbols=SYMBOLS, start=START))
    return assemble(store, market)


def _changed(name: str, text: str) -> str:
    for old, new in CHANGED[name]:
        if text.count(old) != 1:
            raise ConfigError(f"the shipped {name} no longer say {old.strip()!r}: correct the drill", code="drill")
        text = text.replace(old, new)
    return text


def scratch_market() -> MarketData:
    return open_market(SYMBOLS)


def close(desk: Desk) -> None:
    """Let go of the files of a scratch desk."""
    desk.store.db.dispose()
    desk.venue.close()
