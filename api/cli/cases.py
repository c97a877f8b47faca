"""cases list | show, explain and report: what was proposed, where it stands and why."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.changes import figure, sentence, show_change
from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_more, print_table, print_text

group = typer.Typer(no_args_is_help=True, help="Proposals and what became of them.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="cases")
    app.command("explain")(explain)
    app.command("report")(report)


@group.command("override")
def override(
    ctx: typer.Context,
    case: Annotated[str, typer.Argument(help="A case that only soft limits blocked, in the session just closed.")],
    reason: Annotated[str, typer.Option(help="Why this order may pass; it goes to the ledger with your name.")],
    control: Annotated[
        list[str] | None, typer.Option(help="A control to let it past, all that block it; may be given again.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask to let one blocked order past soft limits. Needs the role risk_officer, and another person to agree."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    wish = {"reason": reason, **({"controls": control} if control else {})}
    with open_desk(call) as desk:
        asked = desk.post(f"/cases/{quote(case, safe='')}/override", wish)
    if call.as_json:
        print_json(asked)
        return
    print_fields("override asked; another person answers it in the queue", asked)


@group.command("list")
def list_cases(
    ctx: typer.Context,
    state: Annotated[list[str] | None, typer.Option(help="Keep to a state; may be given again.")] = None,
    symbol: Annotated[str | None, typer.Option()] = None,
    strategy: Annotated[str | None, typer.Option()] = None,
    run: Annotated[str | None, typer.Option(help="A run id, or all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    after: Annotated[str | None, typer.Option(help="Cursor of the page before.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List cases, the newest session first."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    query = {
        "state": state, "symbol": symbol, "strategy": strategy, "run": run, "limit": limit, "after": after,
    }  # fmt: skip
    with open_desk(call) as desk:
        page = desk.get("/cases", query)
    if call.as_json:
        print_json(page)
        return
    columns = ("case", "opened", "state", "reason", "side", "symbol", "quantity#", "notional#", "strategy", "rank#")
    print_table(f"{page['total']} cases", columns, (_row(item) for item in page["items"]))
    print_more(page)


@group.command("show")
def show_case(
    ctx: typer.Context,
    case_id: Annotated[str, typer.Argument(metavar="ID")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one case: proposal, checks, decisions, orders, fills, outcome and history."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        case = desk.get(f"/cases/{quote(case_id, safe='')}")
    if call.as_json:
        print_json(case)
        return
    _show(case)


def explain(
    ctx: typer.Context,
    case: Annotated[str, typer.Argument(metavar="CASE")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell why a case was proposed, what bound it and what would have changed it, or why it was not carried out."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    name = quote(case, safe="")
    with open_desk(call) as desk:
        unasked = desk.get(f"/cases/{name}")["state"] in ("not_selected", "blocked")
        told = desk.get(f"/cases/{name}/why-not" if unasked else f"/explanations/{name}")
    if call.as_json:
        print_json(told)
        return
    if unasked:
        print_text("\n".join(told["sentences"]))
        return
    print_text(told["prose"])
    rows = ((claim["id"], claim["kind"], claim["text"], " ".join(claim["evidence_ids"])) for claim in told["claims"])
    print_table(
        f"claims of {told['case_id']} ({told['reasoner']}), sha256 {told['sha256'][:16]}",
        ("id", "kind", "claim", "evidence"),
        rows,
    )


def report(
    ctx: typer.Context,
    case: Annotated[str, typer.Argument(metavar="CASE")],
    audience: Annotated[str, typer.Option(help="operator (short) or regulator (everything).")] = "operator",
    page: Annotated[bool, typer.Option("--html", help="A page to print, in one file, instead of Markdown.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a case: who, what, when, why, on what evidence, and what would have changed it."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    form = "json" if call.as_json else "html" if page else "markdown"
    with open_desk(call) as desk:
        told = desk.get(f"/cases/{quote(case, safe='')}/report", {"format": form, "audience": audience})
    if call.as_json:
        print_json(told)
        return
    typer.echo(told)


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    return (
        item["id"], item["opened"], item["state"], item["reason"], item["side"], item["symbol"],
        figure(item, "quantity"), figure(item, "notional"), item["strategy"], item["rank"],
    )  # fmt: skip


def _show(case: dict[str, Any]) -> None:
    if case["change"]:
        show_change(case)
    elif case["proposal"]:
        _show_order(case)
    else:
        print_fields(sentence(case), {"state": case["state"], "reason": case["reason"], "digest": case["digest"]})
    _show_life(case)


def _show_order(case: dict[str, Any]) -> None:
    proposal = case["proposal"]
    print_fields(
        f"{case['id']}: {case['side']} {proposal['quantity']} {case['symbol']} ({case['state']})",
        {
            "reason": case["reason"], "opened": case["opened"], "strategy": case["strategy"],
            "notional": proposal["notional"], "reference price": proposal["reference_price"],
            "stop": proposal["stop_price"], "band": f"{proposal['band']['low']} to {proposal['band']['high']}",
            "risk": case["risk_effect"], "thesis": proposal["thesis"], "approval": case["approval_id"],
            "digest": case["digest"],
        },
    )  # fmt: skip


def _show_life(case: dict[str, Any]) -> None:
    if case["review"]:
        reasons = "; ".join(reason["text"] for reason in case["review"]["reasons"])
        print_fields("review", {"verdict": case["review"]["verdict"], "reasons": reasons})
    checks = ((c["control"], c["verdict"], c["value"], c["limit"], c["message"]) for c in case["checks"] or ())
    print_table("checks", ("control", "verdict", "value#", "limit#", "message"), checks)
    decisions = ((d["principal"], d["decision"], d["reason"], d["at"]) for d in case["decisions"])
    print_table("decisions", ("who", "said", "why", "when"), decisions)
    orders = (
        (o["client_order_id"], o["leg"], o["side"], o["quantity"], o["filled_quantity"], o["average_price"], o["state"])
        for o in case["orders"]
    )
    print_table("orders", ("order", "leg", "side", "quantity#", "filled#", "average#", "state"), orders)
    history = ((h["seq"], h["kind"], h["at"]) for h in case["history"])
    print_table("history", ("seq#", "what", "when"), history)
