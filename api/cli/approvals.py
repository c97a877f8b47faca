"""approvals list | show | approve | reject | edit | ask: the queue in a terminal."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import typer

from api.cli.changes import figure, sentence, worked
from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_more, print_table, print_text
from api.cli.question import named, show

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
    queue.command("show")(show)
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
    print_fields(
        f"{answer['status']}: {sentence(asked['case'])}",
        {
            "approval": answer["approval_id"], "case": answer["case_id"], "digest": body["digest"],
            "given": f"{answer['given']} of {answer['required']}",
            "by": named(answer["decided_by"], answer["on_behalf_of"]),
        },
    )  # fmt: skip
    if answer["repeated"]:
        print_text("The same answer had been given before; nothing changed.")


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    case, band = item["case"], item["band"]
    return (
        item["id"], item["status"], case["side"], case["symbol"], figure(case, "quantity"),
        figure(case, "reference_price"), figure(case, "stop_price"),
        f"{band['low']} to {band['high']}" if band else None, case["strategy"] + worked(case), item["sessions_left"],
    )  # fmt: skip
