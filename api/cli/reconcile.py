"""reconcile, and breaks list | explain | adopt | leave: our book against the broker's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_note, print_table

if TYPE_CHECKING:
    from api.cli.desk import Desk
    from pipeline.store import Store

group = typer.Typer(no_args_is_help=True, help="Differences between our book and the broker's, and deciding them.")
Break = Annotated[str, typer.Argument(metavar="BREAK", help="Id of the break, from `breaks list`.")]
Reason = Annotated[str, typer.Option(help="What you found out; it goes to the ledger with your name.")]
OPEN_BREAKS = 1
WAIT_S = 30.0


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("reconcile")(reconcile)
    app.add_typer(group, name="breaks")


def reconcile(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> int:
    """Compare our orders, fills, positions and cash with the broker's now. Exit status 1 while a break is open."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        if desk.store is not None:
            _compare(desk.store)
        else:
            _ask(desk)
        found = desk.get("/reconciliation")
    if call.as_json:
        print_json(found)
    else:
        _report(found)
    return OPEN_BREAKS if found["open"] else 0


def _compare(store: Store) -> None:
    """Without a desk nobody else looks at the broker."""
    from pipeline.desk import open_desk
    from pipeline.reconciliation import reconcile_desk
    from pipeline.store import active_run
    from tools.errors import HomeError

    with store.db.read() as session:
        if active_run(session) is None:
            raise HomeError("this home has no run yet: there are no books to compare", code="no_run")
    if reconcile_desk(open_desk(store, started=True), "asked") is None:
        print_note("a session was interrupted: it is finished first, then compared; this is the report before it")


def _ask(desk: Desk) -> None:
    command = desk.post("/reconciliation")["command"]
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        said = desk.get(f"/desk/commands/{command}")
        if said["status"] != "pending":
            if said["status"] == "refused":
                print_note(f"not compared: {said['detail']}")
            return
        time.sleep(0.2)
    print_note("the engine did not answer yet; this is the last report")


@group.command("list")
def list_breaks(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the breaks that stand, with both sides and what to do."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        found = desk.get("/reconciliation")
    if call.as_json:
        print_json(found)
    else:
        _breaks(found["breaks"])


@group.command("explain")
def explain(
    ctx: typer.Context, break_id: Break, reason: Reason, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Say what the difference is. The block ends; other values are a new break. Needs the role risk_officer."""
    _decide(Call.of(ctx, home, as_json), break_id, "explain", reason)


@group.command("adopt")
def adopt(
    ctx: typer.Context, break_id: Break, reason: Reason, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Take the broker's word into our book, under a manual case. Needs the role risk_officer."""
    _decide(Call.of(ctx, home, as_json), break_id, "adopt", reason)


@group.command("leave")
def leave(
    ctx: typer.Context, break_id: Break, reason: Reason, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Leave it at the broker; its symbol takes nothing that adds risk while it is there. Needs risk_officer."""
    _decide(Call.of(ctx, home, as_json), break_id, "leave", reason)


def _decide(call: Call, break_id: str, decision: str, reason: str) -> None:
    from api.cli.desk import open_desk

    with open_desk(call) as desk:
        found = desk.post(f"/breaks/{quote(break_id, safe='')}", {"decision": decision, "reason": reason})
    if call.as_json:
        print_json(found)
    else:
        _breaks([found])


def _report(found: dict[str, Any]) -> None:
    report = found["report"]
    if report is None:
        print_note("the books were not compared yet")
        return
    compared = f"{report['orders']} orders, {report['fills']} fills, {report['positions']} positions, cash"
    if report["error"] is not None:
        compared = f"nothing: {report['error']}"
    print_fields(
        f"our book of {report['run']} against {report['broker']}",
        {
            "as of": report["as_of"], "compared": compared,
            "fills": "all" if report["whole"] else "since the last booked one", "occasion": report["occasion"],
            "open breaks": found["open"],
        },
    )  # fmt: skip
    _breaks(found["breaks"])


def _breaks(items: list[dict[str, Any]]) -> None:
    columns = ("break", "status", "kind", "about", "ours", "broker", "what to do")
    rows = (
        (b["id"], b["status"], b["kind"].replace("_", " "), b["symbol"] or b["subject"], b["ours"], b["theirs"],
         b["remedy"] if b["status"] in ("open", "left") else f"{b['principal'] or 'the desk'}: {b['reason']}")
        for b in items
    )  # fmt: skip
    print_table("breaks", columns, rows)
