"""drill: provoke every control and every way to stop on a scratch desk, and see each of them fire."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_note, print_table
from tools.errors import QuarterdeckError

if TYPE_CHECKING:
    from api.cli.desk import Desk
    from pipeline.drills.report import DrillReport, Line
    from pipeline.settings import Settings

SILENT = 1
LAST = "/drills/last"


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("drill")(drill)


def drill(
    ctx: typer.Context,
    only: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only what has this in its name, e.g. halt:firm or stale_data.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the scratch homes and say where they are.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Run nothing; show the latest report of this home.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Provoke every control, halt and other way to stop on a scratch desk; exit status 1 unless each of them fires.

    Your own desk is not touched: only its limits in force are read, and the report goes to its ledger. With --json a
    list of name, fired and detail.
    """
    call = Call.of(ctx, home, as_json)
    settings = call.settings()
    if last:
        return _show_last(call)
    from pipeline.drills.run import names_of

    total = len(names_of(only))
    there = _has_desk(settings)
    if there:
        _require_way(call)
    else:
        print_note(f"there is no desk in {settings.home}: the shipped limits are drilled, and nothing is recorded")
    report = _run(settings, only, total, there=there, keep=keep)
    recorded = not there or _record(call, report)
    _print([line.model_dump() for line in report.lines], as_json=call.as_json)
    return SILENT if report.silent or not recorded else 0


def _has_desk(settings: Settings) -> bool:
    from pipeline.home import Home

    return settings.home.is_dir() and (settings.database_url is not None or Home(settings.home).database_file.exists())


def _require_way(call: Call) -> None:
    """Refuse before the drill what would refuse its report: a home in use, or a login that does not suffice."""
    from api.cli.desk import open_desk

    with open_desk(call) as desk:
        _last(desk)


def _last(desk: Desk) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = desk.get(LAST)
    except QuarterdeckError as error:
        if error.code != "not_found":
            raise
        return None
    return found


def _run(settings: Settings, only: str | None, total: int, *, there: bool, keep: bool) -> DrillReport:
    """Run the drill in a temporary folder that goes with it, whatever happens, unless it is to be kept."""
    from pipeline.drills.run import limits_to_hold, run_drill
    from pipeline.store import open_store

    store = open_store(settings, create=False) if there else None
    limits, sha256 = limits_to_hold(store)
    if store is not None:
        store.db.dispose()
    done = 0

    def tell(line: Line) -> None:
        nonlocal done
        done += 1
        print_note(f"[{done}/{total}] {line.name}: {'fired' if line.fired else 'DID NOT FIRE, ' + line.detail}")

    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-drill-"))
    try:
        return run_drill(folder, limits, sha256, equity=settings.equity_start, only=only, keep=keep, on_line=tell)
    finally:
        if keep:
            print_note(f"the scratch homes are kept in {folder}")
        else:
            shutil.rmtree(folder)


def _record(call: Call, report: DrillReport) -> bool:
    """Put the report into the ledger of the home; False, with a note, when it cannot be."""
    from api.cli.desk import open_desk

    try:
        with open_desk(call) as desk:
            kept = desk.post("/drills", report.model_dump(mode="json"))
    except QuarterdeckError as error:
        print_note(f"the report was not recorded: {error.message} [{error.code}]")
        return False
    print_note(f"the report is record {kept['seq']} of the ledger")
    return True


def _show_last(call: Call) -> int:
    from api.cli.desk import open_desk

    with open_desk(call) as desk:
        found = desk.get(LAST)
    lines = found["report"]["lines"]
    if call.as_json:
        print_json(found)
    else:
        shown = {name: found["report"][name] for name in ("limits_sha256", "version", "only")}
        print_fields(f"drill of {found['at']} by {found['principal']}", {"record": found["seq"], **shown})
        _print(lines, as_json=False)
    return 0 if all(line["fired"] for line in lines) else SILENT


def _print(lines: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(lines)
        return
    silent = [line for line in lines if not line["fired"]]
    rows = [(line["name"], line["fired"], line["detail"]) for line in lines]
    print_table(f"drill: {len(lines) - len(silent)} of {len(lines)} fired", ("name", "fired", "detail"), rows)
    if silent:
        print_table("did not fire", ("name", "what was seen"), [(line["name"], line["detail"]) for line in silent])
