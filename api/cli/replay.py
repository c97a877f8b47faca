"""run, serve and next: moving the desk's clock."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import clean, console, print_fields, print_json, print_note
from tools.errors import ConfigError, QuarterdeckError

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.cli.desk import Desk
    from pipeline.headless import RunSummary
    from pipeline.session import SessionReport

NEXT_TIMEOUT_S = 300.0
NEXT_POLL_S = 0.2


VenueOption = Annotated[
    Path | None,
    typer.Option("--venue", metavar="FILE", help="Terms of the simulated venue in a new run; see `doctor`."),
]


class StandIn(StrEnum):
    """A declared stand-in for a person; replay on the simulation broker only."""

    APPROVE = "approve"
    REJECT = "reject"
    NONE = "none"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("run")(run)
    app.command("serve")(serve)
    app.command("next")(next_session)


def run(
    ctx: typer.Context,
    sessions: Annotated[int, typer.Option(min=1, help="How many sessions to play.")],
    symbols: Annotated[str, typer.Option(help="Comma-separated symbols, or all.")] = "all",
    start: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="First session to play.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulation broker.")] = 0,
    stand_in: Annotated[StandIn, typer.Option(help="Who answers in a person's place.")] = StandIn.NONE,
    continue_run: Annotated[bool, typer.Option("--continue", help="Go on with the run of this home.")] = False,
    new_run: Annotated[bool, typer.Option("--new-run", help="Begin another run beside the earlier ones.")] = False,
    venue: VenueOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay sessions of the embedded market without a screen, and report what came of it."""
    call = Call.of(ctx, home, as_json)
    from api.cli.desk import open_locked
    from pipeline.headless import run_sessions
    from tools.data.universe import parse_symbols

    chosen, first = parse_symbols(symbols), parse_day(start)
    with open_locked(call.settings(venue=venue), create=True) as store, _progress(sessions) as on_session:
        import asyncio

        summary = asyncio.run(
            run_sessions(
                store, sessions=sessions, symbols=chosen, start=first, seed=seed, stand_in=stand_in.value,
                continue_run=continue_run, new_run=new_run, on_session=on_session,
            )
        )  # fmt: skip
    _report(call, summary)


def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default 8000.")] = None,
    speed: Annotated[
        float | None, typer.Option(min=0.01, help="Seconds per session; unset, the clock waits for people.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM certificate chain for HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, without a passphrase.")] = None,
    behind_tls_proxy: Annotated[
        bool, typer.Option("--behind-tls-proxy", help="A proxy ends TLS; needs QUARTERDECK_ALLOWED_HOSTS.")
    ] = False,
    mode: Annotated[
        Literal["replay", "paper", "live"] | None,
        typer.Option(help="Of a new home; paper and live trade at Alpaca. A home keeps its mode.", show_default=False),
    ] = None,
    symbols: Annotated[str, typer.Option(help="Names of a first run: comma-separated symbols, or all.")] = "all",
    venue: VenueOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the desk: engine, API and watchdog under one supervisor, until Ctrl-C.

    Other machines can reach it only when an admin exists and TLS is set up.
    """
    call = Call.of(ctx, home, as_json)
    settings = call.settings(
        host=host, port=port, speed=speed, tls_cert=tls_cert, tls_key=tls_key,
        behind_tls_proxy=behind_tls_proxy or None, mode=mode, venue=venue,
    )  # fmt: skip
    from api.server import bind
    from pipeline.exposure import require_may_listen

    require_may_listen(settings)
    bind(settings.host, settings.port, exposed=settings.exposed).close()
    from pipeline.supervisor import serve as supervise
    from tools.data.universe import parse_symbols

    chosen = parse_symbols(symbols)

    status = supervise(settings, say=print_note if call.as_json else _say, symbols=chosen)
    if call.as_json:
        print_json({"home": str(settings.home), "status": status})
    raise typer.Exit(status)


def next_session(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Play the next session; questions that nobody answered in time expire by it."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        answer = _play_here(desk) if desk.store else _wait(desk, desk.post("/desk/next")["command"])
        view = desk.get("/desk")
    answer = {**answer, "session": view["session"], "phase": view["phase"], "waiting": view["waiting"]}
    if call.as_json:
        print_json(answer)
        return
    print_fields(f"{view['session']}, {view['phase']}", {
        "waiting for a person": view["waiting"], "equity": view["equity"], "positions": view["positions"],
    })  # fmt: skip


def parse_day(text: str | None) -> date | None:
    """An ISO date; ConfigError code "bad_date"."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--start {text!r} is not a date: write it as 2009-11-16", code="bad_date") from None


def _say(text: str) -> None:
    """A line for people, at once: whoever pipes `serve` must see where to open the browser."""
    typer.echo(clean(text))


def _wait(desk: Desk, command: str) -> dict[str, Any]:
    until = time.monotonic() + NEXT_TIMEOUT_S
    while time.monotonic() < until:
        answer: dict[str, Any] = desk.get(f"/desk/commands/{command}")
        if answer["status"] == "done":
            return answer
        if answer["status"] == "refused":
            raise QuarterdeckError(answer["detail"] or "the engine refused the next session", code="refused")
        time.sleep(NEXT_POLL_S)
    raise QuarterdeckError(
        f"the engine has not played the session in {NEXT_TIMEOUT_S:.0f} s: see `quarterdeck doctor`",
        code="engine_silent",
    )


def _play_here(desk: Desk) -> dict[str, Any]:
    import asyncio

    from pipeline.headless import run_sessions
    from pipeline.store import require_run

    assert desk.store is not None
    with desk.store.db.read() as session:
        require_run(session)
    with _progress(1) as on_session:
        asyncio.run(
            run_sessions(
                desk.store, sessions=1, symbols=None, start=None, seed=0, stand_in="none", continue_run=True,
                new_run=False, on_session=on_session,
            )
        )  # fmt: skip
    return {"id": None, "kind": "next", "status": "done", "detail": "played in this process"}


@contextmanager
def _progress(total: int) -> Iterator[Callable[[SessionReport], None]]:
    """Progress on stderr: a bar that goes away on a terminal, else one line per session."""
    if not sys.stderr.isatty():
        played = 0

        def note(report: SessionReport) -> None:
            nonlocal played
            played += 1
            print_note(f"{report.session}  {played}/{total}  equity {report.equity:,.0f}")

        yield note
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading the market", total=total, note="")

        def advance(report: SessionReport) -> None:
            bar.update(task, advance=1, description=report.session, note=f"equity {report.equity:,.0f}")

        yield advance


def _report(call: Call, summary: RunSummary) -> None:
    data = summary.model_dump(mode="json")
    if call.as_json:
        print_json(data)
        return
    cases = ", ".join(f"{state} {count}" for state, count in sorted(data["cases"].items()))
    told, chain = data["explanations"], data["ledger"]
    counts = ", ".join(f"{told[name]} {name}" for name in ("claims", "numbers", "unresolved", "dropped"))
    print_fields(
        f"run {data['run']} ({data['label']})",
        {
            "sessions": data["sessions"], "proposals": data["proposals"], "cases": cases, "orders": data["orders"],
            "fills": data["fills"], "equity": f"{data['equity_start']} -> {data['equity_end']}",
            "max drawdown": data["max_drawdown"], "abstentions": data["abstentions"],
            "model calls": data["model_calls"],
            "ledger": f"{chain['entries']} entries, {'verified' if chain['verified'] else 'NOT VERIFIED'}",
            "content sha256": chain["content_sha256"],
            "explanations": counts,
        },
    )  # fmt: skip
    for reason in data["safe_mode"]:
        print_note(f"safe mode: the desk only watched, cancelled and reduced: {reason}")
    if not chain["verified"]:
        print_note("the ledger does not verify: `quarterdeck ledger verify` names the record")
