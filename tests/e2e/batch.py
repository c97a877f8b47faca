"""Many command lines in one process, for those that are refused: starting the interpreter is most of what they cost.

`python -m tests.e2e.batch` reads a JSON list of `[arguments, variables]` on standard input and prints a JSON list of
`[status, stdout, stderr]`. An exception that comes through, which a person would see as a traceback, ends it.
"""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout

from api._launch import prepare


def ask(arguments: list[str], variables: dict[str, str]) -> tuple[int, str, str]:
    """Run one command line as `quarterdeck` would."""
    from api.cli.main import run_cli

    out, err = io.StringIO(), io.StringIO()
    before = dict(os.environ)
    os.environ.update(variables)
    with redirect_stdout(out), redirect_stderr(err):
        status = run_cli(arguments)
    os.environ.clear()
    os.environ.update(before)
    return status, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    prepare(os.environ)
    print(json.dumps([ask(arguments, variables) for arguments, variables in json.load(sys.stdin)]))
