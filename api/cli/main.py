"""Assemble the command line and turn every failure into one line and an exit code.

0 done; 1 the answer is bad news (a ledger that does not verify); 2 refused or misused; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from api.cli import (
    approvals,
    ask,
    cases,
    day,
    decisions,
    drill,
    findings,
    halts,
    law,
    ledger,
    lessons,
    machine,
    memory,
    models,
    notify,
    orders,
    people,
    policy,
    reconcile,
    replay,
    risk,
    strategies,
    ticket,
)
from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import clean, print_json
from tools.errors import QuarterdeckError

REFUSED = 2
INTERRUPTED = 130

app = typer.Typer(
    name="quarterdeck", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="An oversight desk for algorithmic trading: agents propose, people release, a ledger remembers.",
)  # fmt: skip


@app.callback()
def options(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """An oversight desk for algorithmic trading: agents propose, people release, a ledger remembers."""
    ctx.obj = Call(home=home, as_json=as_json)


for area in (
    replay,
    approvals,
    cases,
    risk,
    reconcile,
    day,
    decisions,
    ask,
    halts,
    drill,
    findings,
    lessons,
    law,
    policy,
    ledger,
    machine,
    memory,
    models,
    people,
    notify,
    strategies,
    ticket,
    orders,
):
    area.register(app)


def run_cli(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. `standalone_mode` is off so that every refusal ends here."""
    as_json = "--json" in arguments
    try:
        outcome = app(list(arguments), prog_name="quarterdeck", standalone_mode=False)
    except QuarterdeckError as error:
        return _refuse(error.message, error.code, as_json)
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except typer.TyperException as error:
        return _refuse(error.format_message(), "usage", as_json)
    except _store_errors() as error:
        return _refuse(f"the database failed: {getattr(error, 'orig', error)}", "store_unavailable", as_json)
    return outcome if isinstance(outcome, int) else 0


def _store_errors() -> tuple[type[Exception], ...]:
    """The database's own errors, if this process ever opened one; imported by nobody for the sake of `--help`."""
    module = sys.modules.get("sqlalchemy.exc")
    return () if module is None else (module.DBAPIError,)


def _refuse(message: str, code: str, as_json: bool) -> int:
    if as_json:
        print_json({"error": {"code": code, "message": message}})
    line = " ".join(clean(message).split())
    sys.stderr.write(f"quarterdeck: {line} [{code}]\n")
    return REFUSED
