"""lessons list | show | propose: what was learnt, how it did in shadow, and the case that moves it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table, print_text

group = typer.Typer(
    no_args_is_help=True,
    help="What was learnt from outcomes: read it, try it in shadow, promote or retire it by a case.",
)
LessonArgument = Annotated[str, typer.Argument(metavar="LESSON", help="Its id, from `lessons list`.")]


class State(StrEnum):
    """Where a lesson stands."""

    QUARANTINED = "quarantined"
    SHADOW = "shadow"
    PROMOTED = "promoted"
    RETIRED = "retired"


class To(StrEnum):
    """Where a lesson may go."""

    SHADOW = "shadow"
    PROMOTED = "promoted"
    RETIRED = "retired"


def register(app: typer.Typer) -> None:
    """Add this group to the command line."""
    app.add_typer(group, name="lessons")


@group.command("list")
def list_lessons(
    ctx: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only those that stand so.")] = None,
    about: Annotated[str | None, typer.Option(help="Only scopes with this part, e.g. trend or regime:falling.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List lessons, newest first. Means and intervals are over the index; only promoted ones enter a brief."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    asked = {"state": state.value if state else None, "about": about, "limit": limit}
    with open_desk(call) as desk:
        found = desk.get("/lessons", asked)
    if call.as_json:
        print_json(found)
        return
    rows = (
        (i["id"], i["state"], i["about"], (i["reading"] or "-").replace("_", " "), i["sample_size"],
         _percent(i["mean_excess_return"]), _interval(i), i["as_of"][:10])
        for i in found["items"]
    )  # fmt: skip
    columns = ("id", "state", "about", "reading", "outcomes#", "mean#", "interval", "as of")
    print_table(f"lessons ({found['total']})", columns, rows)


@group.command("show")
def show(ctx: typer.Context, lesson: LessonArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show one lesson: figures, its time in shadow, its history, and what it may become or why not."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        item = desk.get(f"/lessons/{quote(lesson, safe='')}")
    if call.as_json:
        print_json(item)
        return
    print_text(item["claim"])
    if item["hypothesis"]:
        print_text(f"A model's hypothesis: {item['hypothesis']}")
    print_fields(
        f"{item['id']} ({item['state']})",
        {
            "about": item["about"], "scope": item["scope"], "outcomes": item["sample_size"],
            "worth independent": item["effective_size"], "horizons": item["blocks"],
            "mean over the index": _percent(item["mean_excess_return"]), "interval": _interval(item),
            "confidence": _percent(item["confidence"]), "scopes examined": item["scopes_examined"],
            "as of": item["as_of"], "trouble": item["trouble"], "open question": item["pending_approval"],
        },
    )  # fmt: skip
    if item["shadow"]:
        print_fields("in shadow", _shadow(item["shadow"]))
    history = ((h["seq"], h["at"], h["kind"], h["content"].get("why") or h["content"].get("reason"))
               for h in item["history"])  # fmt: skip
    print_table("history", ("seq#", "at", "what", "why"), history)
    print_table("what it may become", ("to", "refused because"), ((m["to"], m["refused"]) for m in item["next"]))


@group.command("propose")
def propose(
    ctx: typer.Context,
    lesson: LessonArgument,
    to: Annotated[To, typer.Option(help="Where it is to go.")],
    reason: Annotated[str, typer.Option(help="Why; it goes to the ledger with your name.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a case that tries a lesson in shadow, promotes or retires it; people decide it like any other."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        opened = desk.post(f"/lessons/{quote(lesson, safe='')}/changes", {"to": to.value, "reason": reason})
    if call.as_json:
        print_json(opened)
        return
    print_fields("proposed", opened)
    print_text(f"People decide: quarterdeck approvals show {opened['approval_id']}")


def _shadow(found: dict[str, Any]) -> dict[str, Any]:
    seen = found["outcomes"]
    return {
        "since session": found["since_index"], "reviews": found["reviews"], "would have changed": found["changed"],
        "agreed": _percent(found["agreement"]), "outcomes": seen["size"], "mean over the index": _percent(seen["mean"]),
        "enough to promote": found["enough"],
    }  # fmt: skip


def _interval(item: dict[str, Any]) -> str:
    if item["interval_low"] is None:
        return "-"
    return f"{_percent(item['interval_low'])} to {_percent(item['interval_high'])}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:+.2f} %"
