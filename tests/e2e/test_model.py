"""The desk on a model endpoint that works and on one that fails in each way (P3), and what leaves the machine."""

from __future__ import annotations

import http.server
import json
import math
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SYMBOLS = "AMD,EL,TXT,FCX,PNC,NEM,TIF,HOG,AXP,COH,IBM,GE,XOM,KO,PG,CAT"
SECRET = "sk-planted-secret-0123456789"
FAILURES = {
    "dead": "model_unreachable",
    "garbage": "schema_invalid",
    "slow": "timeout",
    "wrong_schema": "schema_invalid",
    "unauthorized": "model_unreachable",
    "error": "model_unreachable",
    "truncated": "schema_invalid",
}


def model_env(peer: Any) -> dict[str, str]:
    return {
        "QUARTERDECK_MODEL_BASE_URL": peer.base_url,
        "QUARTERDECK_MODEL_API_KEY": SECRET,
        "QUARTERDECK_MODEL_ID": "peer",
        "QUARTERDECK_MODEL_TIMEOUT_S": "2",
    }


def run(command: Any, *more: str, sessions: int, env: dict[str, str] | None = None) -> dict[str, Any]:
    done = command(
        "--json", "run", "--sessions", str(sessions), "--symbols", SYMBOLS, "--stand-in", "approve", *more, env=env
    )
    assert done.status == 0, done.err
    summary: dict[str, Any] = done.json()
    return summary


@pytest.fixture(scope="module")
def on_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after seven sessions without a model, with positions and approved entries."""
    home = tmp_path_factory.mktemp("rules") / "home"
    done = subprocess.run(
        [
            sys.executable, "-m", "api._launch", "--home", str(home), "--json", "run", "--sessions", "7", "--symbols",
            SYMBOLS, "--stand-in", "approve",
        ],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    assert json.loads(done.stdout)["abstentions"] == 0
    return home


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(home / "quarterdeck.sqlite") as connection:
        return connection.execute(query).fetchall()


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "reason"), FAILURES.items())
def test_a_failing_model_abstains_increases_nothing_and_lets_exits_work(
    command: Any, on_rules: Path, tmp_path: Path, openai_peer: Callable[..., Any], mode: str, reason: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(on_rules, home)
    entries = rows(home, "SELECT count(*) FROM orders WHERE leg='entry'")[0][0]
    approved = rows(home, "SELECT count(*) FROM cases WHERE state='approved' AND kind='order.entry'")[0][0]
    stops = rows(home, "SELECT count(*) FROM orders WHERE leg IN ('exit','stop')")[0][0]
    assert entries > 0

    after = run(command, "--continue", sessions=6, env=model_env(openai_peer(mode)))

    assert after["abstentions"] > 0
    assert after["model_calls"] > 0
    since = f"opened_index > {60 + 6}"
    states = rows(home, f"SELECT DISTINCT state, reason FROM cases WHERE kind='order.entry' AND {since}")
    assert states == [("blocked", "no_opinion")]
    named = rows(
        home, f"SELECT DISTINCT json_extract(review,'$.abstain_reason') FROM cases WHERE kind='order.entry' AND {since}"
    )
    assert named == [(reason,)]
    assert rows(home, "SELECT count(*) FROM orders WHERE leg='entry'")[0][0] <= entries + approved
    assert rows(home, "SELECT count(*) FROM orders WHERE leg IN ('exit','stop')")[0][0] > stops
    assert after["ledger"]["verified"]


@pytest.mark.slow
def test_a_working_model_is_asked_once_per_twenty_candidates_and_once_per_asked_case(
    command: Any, tmp_path: Path, openai_peer: Callable[..., Any]
) -> None:
    summary = run(command, sessions=3, env=model_env(openai_peer("ok")))
    home = tmp_path / "home"
    calls = dict(
        rows(
            home,
            "SELECT call, count(*) FROM recordings WHERE kind='model' "
            "AND json_extract(meta,'$.\"quarterdeck.repair\"') IN (0, 'false') GROUP BY call",
        )
    )
    entries = rows(home, "SELECT cycle_id, count(*) FROM cases WHERE kind='order.entry' GROUP BY cycle_id")
    allowed = sum(math.ceil(count / 20) for _, count in entries)
    asked = rows(home, "SELECT count(*) FROM explanations")[0][0]
    assert 0 < sum(n for call, n in calls.items() if call.startswith("decision")) <= allowed
    assert 0 < sum(n for call, n in calls.items() if call.startswith("explanation")) <= asked
    assert summary["abstentions"] == 0
    assert summary["explanations"]["unresolved"] == 0


@pytest.mark.slow
def test_prose_with_a_planted_wrong_number_is_dropped_and_counted(
    command: Any, openai_peer: Callable[..., Any]
) -> None:
    summary = run(command, sessions=2, env=model_env(openai_peer("bad_numbers")))
    assert summary["explanations"]["dropped"] > 0
    assert summary["explanations"]["unresolved"] == 0


@pytest.fixture
def collector() -> Iterator[tuple[str, list[str]]]:
    """A loopback server that only counts who calls it."""
    hits: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hits.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_GET = do_PUT = do_PATCH = do_POST

        def log_message(self, *args: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", hits
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
def test_no_trace_leaves_the_machine_and_no_secret_is_written_anywhere(
    command: Any, tmp_path: Path, openai_peer: Callable[..., Any], collector: tuple[str, list[str]]
) -> None:
    url, hits = collector
    shell = {
        "LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "ls-key", "LANGSMITH_ENDPOINT": url,
        "LANGCHAIN_TRACING_V2": "true", "LANGCHAIN_ENDPOINT": url, "LANGCHAIN_API_KEY": "ls-key",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OPENAI_API_KEY": "sk-from-the-shell",
    }  # fmt: skip
    peer = openai_peer("ok")
    done = command(
        "--json", "run", "--sessions", "2", "--symbols", SYMBOLS, "--stand-in", "approve",
        env={**shell, **model_env(peer)},
    )  # fmt: skip
    assert done.status == 0, done.err
    assert hits == []
    for text in (done.out, done.err):
        assert SECRET not in text
    for file in (tmp_path / "home").rglob("*"):
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file.name
    exported = command("ledger", "export", "--out", str(tmp_path / "ledger.jsonl"))
    assert exported.status == 0, exported.err
    assert SECRET not in (tmp_path / "ledger.jsonl").read_text()
