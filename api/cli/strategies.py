"""strategies list | enable: strategies and their automatic executions."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_json, print_table

group = typer.Typer(no_args_is_help=True, help="Strategies, and enabling one that disabled itself.")


def register(app: typer.Typer) -> None:
    """Add this group to the command line."""
    app.add_typer(group, name="strategies")


@group.command("list")
def list_strategies(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List strategies, their maturity, and how often they went out without a person."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        found = desk.get("/strategies")
    if call.as_json:
        print_json(found)
        return
    _show(found["items"])


@group.command("enable")
def enable(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument()],
    reason: Annotated[str, typer.Option(help="Why; it goes to the ledger with your name.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a strategy that reached its limit of automatic executions go on. Needs the role risk_officer."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        item = desk.post(f"/strategies/{quote(name, safe='')}/enable", {"reason": reason})
    if call.as_json:
        print_json(item)
        return
    _show([item])


def _show(items: list[dict[str, Any]]) -> None:
    rows = (
        (s["name"], s["maturity"], "enabled" if s["enabled"] else "disabled", s["automatic_executions"], s["limit"])
        for s in items
    )
    print_table("strategies", ("strategy", "maturity", "state", "automatic#", "limit#"), rows)
