"""notify test | list, and sla: who was told, and how long the queue lets people wait."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_json, print_more, print_note, print_table

group = typer.Typer(no_args_is_help=True, help="Webhooks and e-mail: config/notifications.yaml in the home.")
BAD_NEWS = 1


class Status(StrEnum):
    """Which messages to list."""

    PENDING = "pending"
    SENT = "sent"
    GIVEN_UP = "given_up"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="notify")
    app.command("sla")(sla)


@group.command("test")
def try_targets(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Send a test to every target; exit code 1 when one did not take it."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        answer = desk.post("/notifications/test")
    if call.as_json:
        print_json(answer)
    elif answer["items"]:
        rows = ((item["target"], item["channel"], item["ok"], item["error"]) for item in answer["items"])
        print_table("test", ("target", "channel", "taken", "why not"), rows)
    else:
        print_note("no targets: write config/notifications.yaml in the home")
    if not all(item["ok"] for item in answer["items"]):
        raise typer.Exit(BAD_NEWS)


@group.command("list")
def list_notifications(
    ctx: typer.Context,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    target: Annotated[str | None, typer.Option(help="Only to this target.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    after: Annotated[str | None, typer.Option(help="Cursor of the page before.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the outbox, newest first."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    filters = {"status": status.value if status else None, "target": target, "limit": limit, "after": after}
    with open_desk(call) as desk:
        page = desk.get("/notifications", filters)
    if call.as_json:
        print_json(page)
        return
    columns = ("delivery", "event", "about", "target", "status", "attempts#", "next attempt", "last error")
    names = ("id", "event", "subject_id", "target", "status", "attempts", "next_attempt", "last_error")
    print_table(f"{page['total']} notifications", columns, ([item[name] for name in names] for item in page["items"]))
    print_more(page)


def sla(
    ctx: typer.Context,
    days: Annotated[
        int | None, typer.Option(min=1, max=3_650, help="Questions of the last days; default: all.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how long questions wait to be seen and decided, what share expires, and what was not asked at all."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        answer = desk.get("/sla", {"days": days})
    if call.as_json:
        print_json(answer)
        return
    for title, lines in (("by tier", [*answer["tiers"], answer["total"]]), ("by rule", answer["rules"]),
                         ("by person", answer["people"])):  # fmt: skip
        print_table(title, COLUMNS, (_row(line) for line in lines))
    cost = answer["capacity"]
    columns = ("entries", "count#", "settled#", "mean excess return#")
    lines = [cost["asked"], cost["not_selected"], *cost["reasons"]]
    print_table("what was not asked for want of people", columns, (_cost(line) for line in lines))


COLUMNS = (
    "name", "questions#", "pending#", "expired#", "expired share#", "seen p50#", "seen p90#", "decided p50#",
    "decided p90#",
)  # fmt: skip


def _row(line: dict[str, Any]) -> tuple[Any, ...]:
    times = (
        "median_seconds_to_acknowledge", "p90_seconds_to_acknowledge", "median_seconds_to_decide",
        "p90_seconds_to_decide",
    )  # fmt: skip
    share = line["expired_share"]
    return (
        line["name"], line["questions"], line["pending"], line["expired"],
        None if share is None else f"{share:.0%}", *(_duration(line[name]) for name in times),
    )  # fmt: skip


def _cost(line: dict[str, Any]) -> tuple[Any, ...]:
    mean = line["mean_excess_return"]
    return line["name"], line["entries"], line["settled"], None if mean is None else f"{mean:+.2%}"


def _duration(seconds: float | None) -> str | None:
    """Seconds as a person would say them: 41 s, 12 min, 3.5 h."""
    if seconds is None:
        return None
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"
