"""findings list | acknowledge | silence: what monitoring noticed, and who has seen to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table

group = typer.Typer(no_args_is_help=True, help="What monitoring noticed, and who has seen to it.")
FindingArgument = Annotated[str, typer.Argument(metavar="FINDING", help="Its id, from `findings list`.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it goes to the ledger with your name.")]


class State(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    CLEARED = "cleared"


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def register(app: typer.Typer) -> None:
    """Add this group to the command line."""
    app.add_typer(group, name="findings")


@group.command("list")
def list_findings(
    ctx: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only those that stand so.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only those as bad as this now.")] = None,
    code: Annotated[str | None, typer.Option(help="Only those of one code, e.g. concentration_creep.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List findings, last seen first: what is wrong, since when, how often it was seen, and what to do."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    asked = {
        "state": state.value if state else None, "severity": severity.value if severity else None, "code": code,
        "limit": limit,
    }  # fmt: skip
    with open_desk(call) as desk:
        found = desk.get("/findings", asked)
    if call.as_json:
        print_json(found)
        return
    rows = (
        (f["id"], f["state"], f["severity"], f["code"], f["first_as_of"][:10], f["as_of"][:10], f["times_seen"],
         f["message"], f["recommendation"])
        for f in found["items"]
    )  # fmt: skip
    columns = ("id", "state", "severity", "code", "since", "last seen", "seen#", "message", "remedy")
    print_table(f"findings ({found['total']})", columns, rows)


@group.command("acknowledge")
def acknowledge(
    ctx: typer.Context,
    finding: FindingArgument,
    reason: ReasonOption,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that somebody has seen to it. One that was critical needs the role approver."""
    _answer(Call.of(ctx, home, as_json), finding, "acknowledge", {"reason": reason})


@group.command("silence")
def silence(
    ctx: typer.Context,
    finding: FindingArgument,
    reason: ReasonOption,
    hours: Annotated[float | None, typer.Option(min=0.1, help="Until so many hours from now.")] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], help="Until this time, in UTC.")
    ] = None,
    sessions: Annotated[int | None, typer.Option(min=1, help="For so many sessions of its run.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Silence it until an end; give one of --hours, --until and --sessions.

    The longest: info 720 hours or 20 sessions, warning 168 hours or 10, critical 4 hours or 1, by the worst that it
    was. Getting worse breaks the silence; controls act whatever is silenced.
    """
    if sum(item is not None for item in (hours, until, sessions)) != 1:
        raise typer.BadParameter("give one of --hours, --until and --sessions")
    end = datetime.now(UTC) + timedelta(hours=hours) if hours is not None else until and until.replace(tzinfo=UTC)
    wish = {"reason": reason, "until": end.isoformat() if end else None, "sessions": sessions}
    _answer(Call.of(ctx, home, as_json), finding, "silence", wish)


def _answer(call: Call, finding: str, what: str, body: dict[str, Any]) -> None:
    from api.cli.desk import open_desk

    with open_desk(call) as desk:
        item = desk.post(f"/findings/{quote(finding, safe='')}/{what}", body)
    if call.as_json:
        print_json(item)
        return
    shown = (
        "id", "state", "severity", "message", "acknowledged_by", "silenced_by", "silenced_until", "silenced_sessions",
    )  # fmt: skip
    print_fields(f"{what}d", {name: item[name] for name in shown})
