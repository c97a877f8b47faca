"""orders, orders show and orders stop: worked orders child by child, and the newest orders of the book."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_note, print_table

group = typer.Typer(
    invoke_without_command=True,
    help="Orders, and worked ones child by child. Without a command: what is worked, and the newest orders.",
)
Worked = Annotated[str, typer.Argument(metavar="ID", help="Id of the worked order (parent) or of its case.")]


def register(app: typer.Typer) -> None:
    """Add this group to the command line."""
    app.add_typer(group, name="orders")


@group.callback()
def orders(
    ctx: typer.Context,
    symbol: Annotated[str | None, typer.Option(help="Keep to one symbol.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List worked orders and the newest single ones."""
    if ctx.invoked_subcommand is not None:
        return
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    query = {"symbol": symbol.upper() if symbol else None, "limit": limit}
    with open_desk(call) as desk:
        worked, found = desk.get("/parents", query), desk.get("/orders", query)
    if call.as_json:
        print_json({"parents": worked, "orders": found})
        return
    rows = (
        (p["id"], p["status"], p["side"], p["symbol"], p["quantity"], p["sent"], p["filled"], p["remaining"],
         f"{p['algorithm']}, {_done(p)} of {p['sessions']} sessions", p["reason"])
        for p in worked["items"]
    )  # fmt: skip
    columns = ("parent", "status", "side", "symbol", "shares#", "sent#", "filled#", "left#", "worked by", "why")
    print_table(f"{worked['total']} worked orders", columns, rows)
    print_table(
        f"{len(found['items'])} of {found['total']} orders",
        ("order", "created", "leg", "side", "symbol", "shares#", "filled#", "average#", "state"),
        ((o["client_order_id"], o["created"][:16], o["leg"], o["side"], o["symbol"], o["quantity"],
          o["filled_quantity"], o["average_price"], o["state"]) for o in found["items"]),
    )  # fmt: skip


@group.command("show")
def show(ctx: typer.Context, key: Worked, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show one worked order: its slices, and what it cost against the arrival price and the interval VWAP."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        _answer(call, desk.get(f"/parents/{quote(key, safe='')}"))


@group.command("stop")
def stop(
    ctx: typer.Context,
    key: Worked,
    reason: Annotated[str, typer.Option(help="Why; it goes to the ledger with your name.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send no further child and cancel one that lives; what was filled stays. An exit needs the role approver."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        _answer(call, desk.post(f"/parents/{quote(key, safe='')}/stop", {"reason": reason}))


def _done(parent: dict[str, Any]) -> int:
    return sum(item["state"] != "planned" for item in parent["slices"])


def _answer(call: Call, item: dict[str, Any]) -> None:
    if call.as_json:
        print_json(item)
        return
    print_fields(
        f"{item['side']} {item['quantity']} {item['symbol']}: {item['status']}" + _because(item["reason"]),
        {
            "parent": item["id"], "case": item["case_id"],
            "worked by": f"{item['algorithm']} over {item['sessions']} sessions ({item['basis']}), each child at most "
            f"{float(item['participation'] or 0) * 100:.2f} % of its session's expected volume",
            "sent": item["sent"], "filled": item["filled"], "left": item["remaining"],
            "average": item["average_price"],
        },
    )  # fmt: skip
    columns = ("slice#", "session", "planned#", "at most#", "state", "sent#", "filled#", "average#", "why")
    rows = (
        (s["number"] + 1, s["session"], s["planned"], s["capacity"], s["state"].replace("_", " "), s["sent"],
         s["filled"], s["average_price"], s["reason"])
        for s in item["slices"]
    )  # fmt: skip
    print_table("slices", columns, rows)
    _cost(item["cost"], item["cost_unknown"])


def _because(reason: str | None) -> str:
    return "" if reason is None else f" ({reason})"


def _cost(cost: dict[str, Any] | None, unknown: str | None) -> None:
    if cost is None:
        print_note(f"what it cost is not known: {unknown}" if unknown else "nothing was filled: there is no cost yet")
        return
    print_fields(
        "cost (positive is a cost)",
        {
            "against arrival": f"{_bps(cost['arrival_bps'])} ({cost['average_price']} against {cost['arrival_price']})",
            "against the interval VWAP": f"{_bps(cost['vwap_bps'])} (against {cost['interval_vwap']})",
            "with fees and what was left undone": f"{_bps(cost['shortfall_bps'])}: {cost['price_cost']} by price, "
            f"{cost['fees']} fees, {cost['opportunity_cost']} left undone",
            "interval VWAP of": cost["interval"],
        },
    )  # fmt: skip


def _bps(value: str | None) -> str:
    return "not known" if value is None else f"{value} bps"
