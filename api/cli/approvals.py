"""approvals list | show | approve | reject | edit | ask: the queue in a terminal."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_more, print_table, print_text

queue = typer.Typer(no_args_is_help=True, help="What waits for a person, and the answer to it.")


class Status(StrEnum):
    """Which approvals to list."""

    PENDING = "pending"
    ALL = "all"


class EditCode(StrEnum):
    """Why a proposal was changed."""

    SMALLER_SIZE = "smaller_size"
    TIGHTER_STOP = "tighter_stop"
    OTHER = "other"


def register(app: typer.Typer) -> None:
    """Add this group to the command line."""
    app.add_typer(queue, name="approvals")


@queue.command("list")
def list_approvals(
    ctx: typer.Context,
    status: Annotated[Status, typer.Option(help="Waiting now, or every question there was.")] = Status.PENDING,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    after: Annotated[str | None, typer.Option(help="Cursor of the page before.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what waits for a person."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        page = desk.get("/approvals", {"status": status.value, "limit": limit, "after": after})
    if call.as_json:
        print_json(page)
        return
    columns = (
        "approval",
        "status",
        "side",
        "symbol",
        "quantity#",
        "price#",
        "stop#",
        "band",
        "strategy",
        "sessions left#",
    )
    print_table(f"{page['total']} approvals ({status.value})", columns, (_row(item) for item in page["items"]))
    print_more(page)


@queue.command("show")
def show(
    ctx: typer.Context,
    approval_id: Annotated[str, typer.Argument(metavar="ID")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one question with its evidence, checks and explanation. That you looked is recorded under your name."""
    from urllib.parse import quote

    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    path = f"/approvals/{quote(approval_id, safe='')}"
    with open_desk(call) as desk:
        asked = desk.get(path)
        case = desk.get(f"/cases/{quote(asked['case_id'], safe='')}")
        seen = desk.post(f"{path}/views", {"seconds": 0, "evidence_opened": True})
    if call.as_json:
        print_json({**asked, "evidence": case["evidence"], "checks": case["checks"], "view": seen})
        return
    _print_question(asked, case)


def _print_question(asked: dict[str, Any], case: dict[str, Any]) -> None:
    """The evidence stands before the words about it, as in the console."""
    proposal = asked["case"]["proposal"]
    print_table(
        f"{len(case['evidence'])} items of evidence", ("kind", "source", "known at", "what it says"),
        ((item["kind"], item["source"], item["known_at"], _said(item["payload"])) for item in case["evidence"]),
    )  # fmt: skip
    print_table(
        "checks", ("control", "verdict", "value#", "limit#", "message"),
        ([item[name] for name in ("control", "verdict", "value", "limit", "message")] for item in case["checks"] or ()),
    )  # fmt: skip
    if asked["explanation"] is not None:
        print_text(asked["explanation"]["prose"])
    signed = [_signature(item) for item in asked["signed"]]
    print_fields(
        f"{asked['status']}: {proposal['side']} {proposal['quantity']} {proposal['symbol']}",
        {
            "approval": asked["id"], "case": asked["case_id"], "digest": asked["digest"],
            "price": proposal["reference_price"], "stop": proposal["stop_price"],
            "band": f"{asked['band']['low']} to {asked['band']['high']}", "tier": asked["tier"], "rule": asked["rule"],
            "signed": f"{asked['given']} of {asked['required']}" + (f": {', '.join(signed)}" if signed else ""),
            "expires": asked["expires"], "you may sign": asked["may_not_because"] or "yes",
        },
    )  # fmt: skip


def _signature(item: dict[str, Any]) -> str:
    return f"{_named(item['principal'], item['on_behalf_of'])}: {item['decision']}"


def _named(name: str, giver: str | None) -> str:
    return f"{name} for {giver}" if giver else name


def _said(payload: Any) -> str:
    """The first figures of an item on one line."""
    text = ", ".join(f"{name} {value}" for name, value in payload.items() if not isinstance(value, dict | list))
    return text if len(text) <= 160 else text[:157] + "..."


@queue.command("approve")
def approve(
    ctx: typer.Context,
    approval_id: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    digest: Annotated[str | None, typer.Option(help="Refuse unless the proposal still has this digest.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release the proposal of one approval."""
    _decide(Call.of(ctx, home, as_json), approval_id, "approve", reason, digest)


@queue.command("reject")
def reject(
    ctx: typer.Context,
    approval_id: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    digest: Annotated[str | None, typer.Option(help="Refuse unless the proposal still has this digest.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse the proposal of one approval."""
    _decide(Call.of(ctx, home, as_json), approval_id, "reject", reason, digest)


@queue.command("edit")
def edit(
    ctx: typer.Context,
    approval_id: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    quantity: Annotated[int | None, typer.Option(min=1, help="Fewer shares than proposed.")] = None,
    stop_price: Annotated[str | None, typer.Option(help="A protective stop nearer to the price.")] = None,
    code: Annotated[EditCode, typer.Option(help="Reason code.")] = EditCode.OTHER,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a proposal smaller or its stop tighter; it is checked, explained and asked again under a new digest."""
    change = {"quantity": quantity, "stop_price": stop_price}
    extra = {"reason_code": code.value, "edit": {name: value for name, value in change.items() if value is not None}}
    _decide(Call.of(ctx, home, as_json), approval_id, "edit", reason, None, extra)


@queue.command("ask")
def ask(
    ctx: typer.Context,
    approval_id: Annotated[str, typer.Argument(metavar="ID")],
    question: Annotated[str, typer.Argument(help="What you want to know before you decide.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the agent about a waiting case. The clock keeps running and nothing is decided."""
    _decide(Call.of(ctx, home, as_json), approval_id, "respond", question, None)


def _decide(
    call: Call,
    approval_id: str,
    decision: Literal["approve", "reject", "edit", "respond"],
    reason: str,
    digest: str | None,
    extra: dict[str, Any] | None = None,
) -> None:
    """Answer what is asked now, or what the given digest says."""
    from urllib.parse import quote

    from api.cli.desk import open_desk

    path = f"/approvals/{quote(approval_id, safe='')}"
    with open_desk(call) as desk:
        asked = desk.get(path)
        body = {"decision": decision, "digest": digest or asked["digest"], "reason": reason, **(extra or {})}
        answer: dict[str, Any] = desk.post(f"{path}/decision", body)
    if call.as_json:
        print_json(answer)
        return
    if answer["answer"] is not None:
        print_text(answer["answer"])
        return
    proposal = asked["case"]["proposal"]
    print_fields(
        f"{answer['status']}: {proposal['side']} {proposal['quantity']} {proposal['symbol']}",
        {
            "approval": answer["approval_id"], "case": answer["case_id"], "digest": body["digest"],
            "given": f"{answer['given']} of {answer['required']}",
            "by": _named(answer["decided_by"], answer["on_behalf_of"]),
        },
    )  # fmt: skip
    if answer["repeated"]:
        print_text("The same answer had been given before; nothing changed.")


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    case, band = item["case"], item["band"]
    proposal = case["proposal"]
    return (
        item["id"], item["status"], case["side"], case["symbol"], proposal["quantity"], proposal["reference_price"],
        proposal["stop_price"], f"{band['low']} to {band['high']}", case["strategy"], item["sessions_left"],
    )  # fmt: skip
