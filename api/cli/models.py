"""scorecard | budget: what a model changed against the rules, and what it may cost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table, print_text
from api.cli.risk import percent


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("scorecard")(scorecard)
    app.command("budget")(budget)


def scorecard(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Option(help="A run id; default: the active run.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=0, max=1_000, help="Decisions to list, newest first.")] = 20,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show rules against model: what the model changed, what it cost, and how it turned out."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        found: dict[str, Any] = desk.get("/models/scorecard", {"run": run, "limit": limit})
    if call.as_json:
        print_json(found)
        return
    cost = found["cost"]
    print_fields(
        f"rules against model, run {found['run'] or 'none'}",
        {
            "reviews": f"{found['reviews']}, {found['changed']} changed, {found['abstained']} abstained, "
            f"{found['overruled']} times looser than the rules, which stood",
            "cost": f"{cost['calls']} calls, {cost['input_tokens']} tokens asked, {cost['output_tokens']} answered, "
            f"money {cost['money'] or 'unknown (no price)'}",
            "money per change": found["money_per_change"] or "-",
        },
    )  # fmt: skip
    print_table(
        "what it changed", ("rules said", "came out", "reviews#"),
        ((item["ruled"], item["verdict"], item["reviews"]) for item in found["changes"]),
    )  # fmt: skip
    print_table(
        "how it turned out", ("views", "reviews#", "settled#", "mean excess#", "lost#", "won#", "p#"),
        (
            (g["name"], g["reviews"], g["settled"], percent(g["mean_excess_return"]), g["sign_test"]["below_zero"],
             g["sign_test"]["above_zero"], _p(g["sign_test"]["p_value"]))
            for g in found["groups"]
        ),
    )  # fmt: skip
    print_table(
        "decisions", ("opened", "symbol", "rules", "model", "came out", "tokens#", "money#", "excess#"),
        (
            (d["opened"], d["symbol"], d["ruled"], d["said"], _came_out(d), d["tokens"], d["money"] or "-",
             percent(d["excess_return"]))
            for d in found["decisions"]
        ),
    )  # fmt: skip
    print_table(
        "calls by agent", ("agent", "calls#", "without a usable answer#", "tokens#", "money#"),
        (
            (a["agent"], a["cost"]["calls"], a["unusable"], a["cost"]["input_tokens"] + a["cost"]["output_tokens"],
             a["cost"]["money"] or "-")
            for a in found["agents"]
        ),
    )  # fmt: skip
    print_text(found["conclusion"])
    print_text(found["caution"])


def budget(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what model calls spent and may still spend, per call, cycle, day and run."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        found: dict[str, Any] = desk.get("/models/budget")
    if call.as_json:
        print_json(found)
        return
    rows = ((i["scope"], i["unit"], i["limit"] or "none", i["spent"], i["left"] or "-") for i in found["lines"])
    print_table(f"model budgets on {found['day']} (UTC)", ("per", "in", "limit#", "spent#", "left#"), rows)
    print_table(
        "prices for 1000 tokens", ("model", "asked#", "answered#"),
        ((i["model"], i["asked"] or "unknown", i["answered"] or "unknown") for i in found["models"]),
    )  # fmt: skip
    if found["unsettled"]:
        print_text(
            f"{found['unsettled']} calls of today are under way or were cut off; what was set aside stays spent."
        )


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _came_out(decision: dict[str, Any]) -> str:
    factor = "" if decision["factor"] in ("0", "1") else f" to {decision['factor']}"
    return f"{decision['verdict']}{factor}"
