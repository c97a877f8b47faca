"""memory status | search | runbook | rebuild: what the desk remembers, and how to bring its index back."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table, print_text
from tools.errors import QuarterdeckError

if TYPE_CHECKING:
    from api.cli.desk import Desk
    from pipeline.store import Store

group = typer.Typer(no_args_is_help=True, help="What the desk remembers: cases, lessons, explanations, runbooks.")
WAIT_S = 120.0


class Kind(StrEnum):
    """What is remembered."""

    CASE = "case"
    LESSON = "lesson"
    RUNBOOK = "runbook"
    EXPLANATION = "explanation"


def register(app: typer.Typer) -> None:
    """Add this group to the command line."""
    app.add_typer(group, name="memory")


@group.command("status")
def status(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show how much is remembered, by run and kind, and how the index over it does."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        found = desk.get("/memory/status")
    _status(call, found)


@group.command("search")
def search(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="What to look for, in plain words.")],
    kind: Annotated[Kind | None, typer.Option(help="Only one kind.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only about this symbol.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Only of this strategy.")] = None,
    regime: Annotated[
        str | None,
        typer.Option(help="Only from this market: calm_rising, calm_falling, turbulent_rising, turbulent_falling."),
    ] = None,
    as_of: Annotated[str | None, typer.Option(metavar="DATE", help="Only what was known by this session.")] = None,
    run: Annotated[str | None, typer.Option(help="A run id; default: the active run.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many at most.")] = 10,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search memory by likeness; score = similarity x outcome x recency x market. Works with and without an engine."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    asked = {
        "q": text, "kind": kind.value if kind else None, "symbol": symbol, "strategy": strategy, "regime": regime,
        "as_of": as_of, "run": run, "limit": limit,
    }  # fmt: skip
    with open_desk(call) as desk:
        found = desk.get("/memory", asked)
    if call.as_json:
        print_json(found)
        return
    rows = (
        (i["kind"], i["subject"], i["symbol"], i["outcome"] or i["state"], _percent(i["excess_return"]), i["score"],
         i["similarity"], i["weight_outcome"], i["weight_recency"], i["weight_regime"], i["alike"], _short(i))
        for i in found["items"]
    )  # fmt: skip
    columns = (
        "kind", "about", "symbol", "became", "excess#", "score#", "similar#", "x outcome#", "x recency#", "x market#",
        "alike#", "text",
    )  # fmt: skip
    print_table(f"memory of {found['run']} as of session {found['as_of_index']}", columns, rows)


@group.command("runbook")
def runbook(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Its id; none lists them.", show_default=False)] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a runbook, or list them: what to do when something is wrong. Needs no desk and no home."""
    from api.routes.memory import get_runbook
    from prompts.runbooks import runbooks

    call = Call.of(ctx, home, as_json)
    books = runbooks() if name is None else (get_runbook(name),)
    if call.as_json:
        print_json([book.model_dump(mode="json") for book in books] if name is None else books[0].model_dump())
    elif name is None:
        print_table("runbooks", ("id", "title", "when"), ((book.id, book.title, book.when) for book in books))
    else:
        print_text(f"{books[0].title}\n{books[0].when}\n\n{books[0].text}")


@group.command("rebuild")
def rebuild(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Build the index anew from SQL: by the engine when it runs, else here. Nothing that is remembered changes."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        if desk.store is not None:
            _rebuild(desk.store)
        else:
            _ask(desk)
        found = desk.get("/memory/status")
    _status(call, found)


def _rebuild(store: Store) -> None:
    """Without an engine nobody else has the index open."""
    from pipeline.heartbeats import beat
    from pipeline.long_term import open_recall, state_of, tell

    recall = open_recall(store)
    try:
        recall.rebuild()
        tell(store, recall)
        beat(store, "recall", "ok", state_of(recall))
    finally:
        recall.close()


def _ask(desk: Desk) -> None:
    command = desk.post("/memory/rebuild")["command"]
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        said = desk.get(f"/desk/commands/{quote(command, safe='')}")
        if said["status"] == "refused":
            raise QuarterdeckError(f"the engine did not rebuild: {said['detail']}", code="index_unavailable")
        if said["status"] == "done":
            return
        time.sleep(0.2)
    raise QuarterdeckError(
        "the engine did not answer yet: it goes on with it; see `quarterdeck memory status`", code="desk_silent"
    )


def _status(call: Call, found: dict[str, Any]) -> None:
    if call.as_json:
        print_json(found)
        return
    print_fields(
        "memory",
        {
            "items": found["items"], "encoder": found["encoder"],
            "to encode again": found["other_encoder"] or "none",
            "index": f"{found['state']}: {found['detail']}", "place": found["place"],
        },
    )  # fmt: skip
    rows = (
        (i["run"], i["kind"], i["items"], i["alike"], i["tainted"], i["superseded"], i["newest_index"])
        for i in found["kinds"]
    )
    columns = ("run", "kind", "items#", "alike#", "tainted#", "superseded#", "newest session#")
    print_table("remembered", columns, rows)


def _short(item: dict[str, Any]) -> str:
    marks = [mark for mark in ("tainted", "superseded") if item[mark]]
    text = item["text"] if len(item["text"]) <= 90 else item["text"][:87] + "..."
    return f"[{', '.join(marks)}] {text}" if marks else text


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value * 100:+.2f} %"
