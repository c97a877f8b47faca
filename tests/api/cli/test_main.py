from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from .conftest import Quarterdeck

ONE_LINE = re.compile(r"quarterdeck: [^\n]+ \[[a-z_]+\]\n")
COMMANDS = {
    "run", "serve", "next", "cases", "approvals", "explain", "ask", "halt", "halts", "resume", "ledger", "doctor",
    "token", "version", "people",
}  # fmt: skip


def test_help_lists_every_command_and_is_instant() -> None:
    spent = []
    for _ in range(3):
        start = time.monotonic()
        told = subprocess.run(
            [sys.executable, "-m", "api._launch", "--help"], capture_output=True, text=True, check=True
        ).stdout
        spent.append(time.monotonic() - start)
    assert set(re.findall(r"[a-z]+", told)) >= COMMANDS
    assert "_engine" not in told
    assert min(spent) < 1.0


def test_help_imports_no_heavy_library() -> None:
    probe = (
        "import sys; from api.cli.main import run_cli; run_cli(['--help']); "
        "print([m for m in ('fastapi','sqlmodel','pandas','langgraph','httpx','numpy','chromadb') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("cases", "list"), "no_home"),
        (("cases", "show", "x"), "no_home"),
        (("approvals", "list"), "no_home"),
        (("approvals", "approve", "x", "--reason", "r"), "no_home"),
        (("explain", "x"), "no_home"),
        (("ask", "what is waiting?"), "no_home"),
        (("halt", "--action", "no-new", "--reason", "r"), "no_home"),
        (("resume", "--reason", "r"), "no_home"),
        (("next",), "no_home"),
        (("ledger", "verify"), "no_home"),
        (("ledger", "export", "--out", "/tmp/never"), "no_home"),
        (("token",), "no_home"),
        (("run", "--sessions", "1", "--start", "yesterday"), "bad_date"),
        (("run", "--sessions", "1", "--symbols", ","), "invalid_symbols"),
        (("run", "--sessions", "0"), "usage"),
        (("run",), "usage"),
        (("run", "--sessions", "1", "--stand-in", "maybe"), "usage"),
        (("serve", "--host", "0.0.0.0"), "not_loopback"),
        (("serve", "--speed", "0"), "usage"),
        (("halt", "--action", "explode", "--reason", "r"), "usage"),
        (("halt", "--action", "cancel"), "usage"),
        (("halt", "--action", "cancel", "--reason", "r", "--symbol", "A", "--strategy", "b"), "usage"),
        (("nonsense",), "usage"),
    ],
)
def test_every_refusal_is_one_line_exit_two_and_with_json_one_object(
    quarterdeck: Quarterdeck, home: Path, arguments: tuple[str, ...], code: str
) -> None:
    plain = quarterdeck(*arguments)
    assert (plain.status, plain.out) == (2, "")
    assert ONE_LINE.fullmatch(plain.err), plain.err
    assert f"[{code}]" in plain.err
    told = quarterdeck(*arguments, "--json")
    assert told.status == 2
    assert told.json["error"]["code"] == code
    assert set(told.json) == {"error"}


def test_a_locked_home_is_one_line(quarterdeck: Quarterdeck, home: Path) -> None:
    quarterdeck("doctor")
    with FileLock(str(home / "lock")):
        for arguments in (("cases", "list"), ("next",), ("run", "--sessions", "1")):
            told = quarterdeck(*arguments)
            assert told.status == 2
            assert "[home_locked]" in told.err
            assert ONE_LINE.fullmatch(told.err)


def test_a_corrupted_home_is_one_line(quarterdeck: Quarterdeck, home: Path) -> None:
    home.mkdir()
    (home / "quarterdeck.sqlite").write_bytes(b"this is not a database" * 100)
    told = quarterdeck("cases", "list")
    assert told.status == 2
    assert "[home_corrupted]" in told.err
    assert ONE_LINE.fullmatch(told.err)


def test_a_home_that_is_a_file_is_one_line(quarterdeck: Quarterdeck, home: Path) -> None:
    home.write_text("x")
    told = quarterdeck("run", "--sessions", "1")
    assert told.status == 2
    assert ONE_LINE.fullmatch(told.err)


def test_options_work_before_and_behind_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from api.cli.main import run_cli

    assert run_cli(["version", "--json"]) == 0
    behind = json.loads(capsys.readouterr().out)
    assert run_cli(["--json", "version"]) == 0
    assert json.loads(capsys.readouterr().out) == behind
    assert run_cli(["cases", "list", "--home", str(home), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "no_home"


def test_ctrl_c_exits_with_130(quarterdeck: Quarterdeck, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.doctor.examine", interrupt)
    assert quarterdeck("doctor").status == 130


def test_tracing_set_in_the_shell_never_reaches_the_process() -> None:
    from api._launch import prepare

    environ = {
        "LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "k", "LANGCHAIN_TRACING_V2": "true", "PATH": "/bin",
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://elsewhere", "HOME": "/h",
    }  # fmt: skip
    prepare(environ)
    assert environ == {
        "PATH": "/bin", "HOME": "/h", "LANGGRAPH_STRICT_MSGPACK": "true", "ANONYMIZED_TELEMETRY": "False",
        "OTEL_SDK_DISABLED": "true",
    }  # fmt: skip


def test_the_launcher_prepares_before_anything_is_imported() -> None:
    probe = (
        "import sys, os; sys.argv = ['quarterdeck', 'version', '--json']; import api._launch as launch; "
        "assert not [m for m in sys.modules if m.startswith(('langgraph', 'langchain', 'typer'))]; "
        "import atexit; seen = os.environ; "
        "atexit.register(lambda: print(seen['LANGGRAPH_STRICT_MSGPACK'], 'LANGSMITH_TRACING' in seen)); "
        "launch.main()"
    )
    told = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LANGSMITH_TRACING": "1"},
    ).stdout
    assert told.splitlines()[-1] == "true False"
