from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from filelock import FileLock
from sqlmodel import select

from api.server import bind
from memory.tables import CaseRow, HaltRow, ViewRow
from pipeline.home import DeskFile
from tests.people_help import add, key_of, make_passwords_cheap, records
from tools.errors import ConfigError

from ..conftest import SYMBOLS, Seeded
from .conftest import Quarterdeck

TABLE_COMMANDS = [
    ("cases", "list"), ("cases", "show", "case_0"), ("approvals", "list"), ("approvals", "list", "--status", "all"),
    ("explain", "case_0"), ("explain", "case_1"), ("approvals", "show", "appr_case_0"), ("risk",),
    ("risk", "--stress", "market=-10%"), ("risk", "--what-if", "buy 100 IBM"),
    ("ledger", "verify"), ("token",), ("version",), ("scorecard",), ("budget",),
]  # fmt: skip


@pytest.fixture(params=["local", "remote"])
def reached(request: pytest.FixtureRequest, seeded: Seeded) -> Seeded:
    """The same home, once held by nobody and once by a desk."""
    if request.param == "remote":
        request.getfixturevalue("desk")
    return seeded


@pytest.mark.parametrize("arguments", TABLE_COMMANDS, ids=" ".join)
def test_every_command_answers_with_a_table_or_one_json_object(
    quarterdeck: Quarterdeck, reached: Seeded, arguments: tuple[str, ...]
) -> None:
    table = quarterdeck(*arguments)
    assert (table.status, table.err) == (0, "")
    assert table.out.strip()
    told = quarterdeck(*arguments, "--json")
    assert (told.status, told.err) == (0, "")
    assert isinstance(told.json, dict)


def test_a_list_says_the_same_with_and_without_a_desk(
    quarterdeck: Quarterdeck, seeded: Seeded, request: pytest.FixtureRequest
) -> None:
    alone = quarterdeck("cases", "list", "--json").json
    request.getfixturevalue("desk")
    assert quarterdeck("cases", "list", "--json").json == alone
    assert [case["symbol"] for case in alone["items"]] == list(SYMBOLS)


def test_filters_and_pages_reach_the_list(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    page = quarterdeck("cases", "list", "--state", "awaiting", "--state", "expired", "--limit", "1", "--json").json
    assert (page["total"], len(page["items"])) == (2, 1)
    rest = quarterdeck(
        "cases", "list", "--state", "awaiting", "--state", "expired", "--after", page["next"], "--json"
    ).json
    assert [case["state"] for case in rest["items"]] == ["expired"]
    assert "--after" in quarterdeck("cases", "list", "--limit", "2").err
    assert "[invalid]" in quarterdeck("cases", "list", "--state", "lost").err


def test_an_approval_is_released_from_the_terminal(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    told = quarterdeck("approvals", "approve", reached.approval_id, "--reason", "fits", "--json")
    assert told.status == 0
    assert (told.json["status"], told.json["repeated"]) == ("approved", False)
    again = quarterdeck("approvals", "approve", reached.approval_id, "--reason", "fits")
    assert again.status == 0
    assert "nothing changed" in again.out
    refused = quarterdeck("approvals", "reject", "nope", "--reason", "r")
    assert refused.status == 2
    assert "[not_found]" in refused.err
    with reached.store.db.read() as session:
        assert session.get_one(CaseRow, reached.case_id).state == "approved"


def test_who_looks_in_the_terminal_has_looked(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    said = quarterdeck("approvals", "show", reached.approval_id).out
    assert said.index("items of evidence") < said.index("checks") < said.index("IBM closed at 120.50.")
    assert reached.digest in said
    told = quarterdeck("approvals", "show", reached.approval_id, "--json").json
    assert (told["view"]["principal"], told["view"]["views"], told["view"]["evidence_opened"]) == (
        "local operator", 2, True,
    )  # fmt: skip
    assert told["evidence"][0]["payload"]["close"] == "120.5"
    with reached.store.db.read() as session:
        assert session.exec(select(ViewRow)).one().principal == "local operator"
    assert [body["principal"] for body, _ in records(reached.store, "approval.viewed")] == ["local operator"] * 2


def test_a_look_with_a_key_is_that_of_its_person(
    quarterdeck: Quarterdeck, reached: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_passwords_cheap(monkeypatch)
    monkeypatch.setenv("QUARTERDECK_API_KEY", key_of(add(reached.store, "vera", "viewer")))
    assert quarterdeck("approvals", "show", reached.approval_id).status == 0
    with reached.store.db.read() as session:
        assert session.exec(select(ViewRow)).one().principal == "vera"
    assert quarterdeck("approvals", "show", "appr_none").status != 0


def test_a_digest_that_was_not_seen_is_refused(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    told = quarterdeck("approvals", "reject", reached.approval_id, "--reason", "r", "--digest", "e" * 64)
    assert told.status == 2
    assert "[stale_digest]" in told.err


def test_halt_holds_and_resume_voids(quarterdeck: Quarterdeck, reached: Seeded, request: pytest.FixtureRequest) -> None:
    told = quarterdeck("halt", "--action", "no-new", "--reason", "storm", "--json")
    assert told.status == 0
    assert told.json["action"] == "no_new"
    assert told.json["path"] == ("api" if "desk" in request.fixturenames or reached.store.home.desk() else "store")
    refused = quarterdeck("approvals", "approve", reached.approval_id, "--reason", "r")
    assert "[forbidden]" in refused.err
    released = quarterdeck("resume", "--reason", "over", "--json").json
    assert released == {"released": [told.json["id"]], "voided_cases": [reached.case_id], "waiting": []}


def test_halt_bypasses_a_desk_that_does_not_answer(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    with FileLock(str(seeded.store.home.path / "lock")), socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        silent.close()
        seeded.store.home.desk_file.write_text(DeskFile(url=url, pid=os.getpid()).model_dump_json())
        told = quarterdeck("halt", "--action", "no-new", "--reason", "storm", "--json")
        other = quarterdeck("cases", "list")
    assert told.status == 0
    assert told.json["path"] == "store"
    assert "directly" in told.err
    assert "[desk_silent]" in other.err
    with seeded.store.db.read() as session:
        assert [row.reason for row in session.exec(select(HaltRow))] == ["storm"]


def test_halt_leaves_a_file_when_the_store_is_broken(quarterdeck: Quarterdeck, home: Path) -> None:
    home.mkdir()
    (home / "quarterdeck.sqlite").write_bytes(b"broken" * 1000)
    told = quarterdeck("halt", "--action", "flatten", "--reason", "storm", "--json")
    assert (told.status, told.json["path"], told.json["action"]) == (0, "file", "flatten")
    assert "storm" in (home / "HALT").read_text()


def test_cancel_and_flatten_start_the_halt_program(
    quarterdeck: Quarterdeck, reached: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    monkeypatch.setattr("pipeline.halt.launch", lambda store: started.append(store.home.path))
    for action in ("cancel", "flatten", "no-new"):
        assert quarterdeck("halt", "--action", action, "--reason", "storm").status == 0
    assert started == [reached.store.home.path] * 2


def test_a_desk_file_that_names_another_machine_never_gets_the_token(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    seeded.store.home.desk_file.write_text(json.dumps({"url": "http://evil.example", "pid": os.getpid()}))
    told = quarterdeck("cases", "list")
    assert told.status == 2
    assert "[bad_desk_file]" in told.err


def test_a_desk_file_left_by_a_dead_desk_is_ignored(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    seeded.store.home.desk_file.write_text(DeskFile(url="http://127.0.0.1:9", pid=2**22 - 3).model_dump_json())
    assert quarterdeck("cases", "list").status == 0


def test_a_damaged_ledger_exits_with_one_and_names_the_record(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    with reached.store.db.write() as session:
        session.connection().exec_driver_sql(
            "UPDATE ledger SET content = replace(content, 'MSFT', 'MSFX') WHERE seq = 2"
        )
    told = quarterdeck("ledger", "verify", "--json")
    assert told.status == 1
    assert [problem["seq"] for problem in told.json["problems"]] == [2]
    assert "edited" in quarterdeck("ledger", "verify").out


def test_the_ledger_is_exported_once_and_never_over_a_file(
    quarterdeck: Quarterdeck, reached: Seeded, tmp_path: Path
) -> None:
    out = tmp_path / "ledger.jsonl"
    told = quarterdeck("ledger", "export", "--out", str(out), "--json")
    assert told.json["entries"] == len(SYMBOLS)
    assert [json.loads(line)["seq"] for line in out.read_text().splitlines()] == list(range(1, len(SYMBOLS) + 1))
    assert "[file_exists]" in quarterdeck("ledger", "export", "--out", str(out)).err


def test_ask_prints_the_answer_and_keeps_the_thread(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    told = quarterdeck("ask", "what is waiting?", "--json")
    assert told.status == 0
    assert told.json["answer"]
    assert (told.json["intent"], told.json["slots"], told.json["action"]) == ("waiting", {}, None)
    assert f"/approvals/{reached.approval_id}" in {figure["record"] for figure in told.json["figures"]}
    again = quarterdeck("ask", "what is waiting?", "--thread", told.json["thread_id"], "--json").json
    assert again["thread_id"] == told.json["thread_id"]
    plain = quarterdeck("ask", "what is waiting?")
    assert reached.approval_id in plain.out
    assert "figures stand in: " in plain.out + plain.err


def test_terminal_escapes_in_stored_text_do_not_reach_the_terminal(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    with seeded.store.db.write() as session:
        session.get_one(CaseRow, seeded.case_id).reason = "quiet\x1b[2Jtext [red]"
    told = quarterdeck("cases", "list").out
    assert "\x1b" not in told
    assert "[red]" in told


def test_token_prints_the_link_that_signs_a_browser_in(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    told = quarterdeck("token", "--json").json
    assert told["token"] == seeded.store.home.token()
    assert told["url"].endswith(f"/start?token={told['token']}")
    assert told["running"] is False


def test_doctor_has_a_line_per_finding_and_strict_turns_unsafe_into_one(
    quarterdeck: Quarterdeck, seeded: Seeded
) -> None:
    told = quarterdeck("doctor", "--json")
    assert told.status == 0
    assert all(set(line) == {"component", "state", "text", "remedy"} for line in told.json["lines"])
    unsafe = [line for line in told.json["lines"] if line["state"] in {"unsafe", "missing"}]
    assert unsafe
    assert quarterdeck("doctor", "--strict").status == 1


def test_a_busy_port_and_a_foreign_host_are_refused_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError) as busy:
        bind("127.0.0.1", taken.getsockname()[1])
    assert busy.value.code == "port_busy"
    for host in ("0.0.0.0", "::", "192.168.1.4", "example.com"):
        with pytest.raises(ConfigError) as foreign:
            bind(host, 0)
        assert foreign.value.code == "not_loopback"
