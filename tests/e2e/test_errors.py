"""What goes wrong gives one clear line and exit status 2; with positions open a broken law is safe mode instead."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from filelock import FileLock

from tests.e2e.desk import ROOT, Finished, Homes, held, quarterdeck, rows, serving

pytestmark = pytest.mark.slow
DAYS = "2009-11-24 to 2010-08-20"
ONE = ("--sessions", "1")


class Wrong(NamedTuple):
    """A command line that must be refused: its home, its arguments, the code and words of the answer."""

    home: str
    arguments: tuple[str, ...]
    code: str
    words: tuple[str, ...]
    variables: Mapping[str, str] = MappingProxyType({})


CASES: dict[str, Wrong] = {
    "unknown symbol": Wrong(
        "new", ("run", *ONE, "--symbols", "IBN,GE"), "unknown_symbol", ("'IBN'", "did you mean", "IBM"),
    ),
    "incomplete symbol": Wrong(
        "new", ("run", *ONE, "--symbols", "AAPL"), "incomplete_symbol", ("AAPL", "241 of 245"),
    ),
    "no symbol": Wrong("new", ("run", *ONE, "--symbols", " , "), "invalid_symbols", ("no symbol in", "IBM,GE")),
    "no date": Wrong("new", ("run", *ONE, "--start", "yesterday"), "bad_date", ("'yesterday'", "2009-11-16")),
    "impossible date": Wrong("new", ("run", *ONE, "--start", "2009-13-45"), "bad_date", ("'2009-13-45'",)),
    "before the data": Wrong("new", ("run", *ONE, "--start", "2009-08-24"), "start_outside_data", (DAYS,)),
    "after the data": Wrong("new", ("run", *ONE, "--start", "2011-01-03"), "start_outside_data", (DAYS,)),
    "no session": Wrong("new", ("run", "--sessions", "0"), "usage", ("--sessions",)),
    "no number": Wrong("new", ("run", "--sessions", "many"), "usage", ("--sessions",)),
    "no stand-in": Wrong("new", ("run", *ONE, "--stand-in", "maybe"), "usage", ("--stand-in", "maybe")),
    "nothing to continue": Wrong("new", ("run", *ONE, "--continue"), "no_run", ("there is no run to continue",)),
    "both": Wrong("new", ("run", *ONE, "--continue", "--new-run"), "bad_choice", ("exclude each other",)),
    "no such mode": Wrong(
        "new", ("run", *ONE), "bad_settings", ("QUARTERDECK_MODE", "casino"), {"QUARTERDECK_MODE": "casino"},
    ),
    "no such command": Wrong("new", ("trade",), "usage", ("trade",)),
    "a run is there": Wrong(
        "waiting", ("run", *ONE), "run_exists", ("already holds run run_", "--continue or --new-run"),
    ),
    "another mode": Wrong(
        "waiting", ("run", *ONE, "--continue"), "home_mode", ("is a replay home", "paper mode"),
        {"QUARTERDECK_MODE": "paper"},
    ),
    "locked run": Wrong("locked", ("run", *ONE, "--continue"), "home_locked", ("is in use by another desk",)),
    "locked serve": Wrong("locked", ("serve", "--port", "0"), "home_locked", ("is in use by another desk",)),
    "locked list": Wrong("locked", ("approvals", "list"), "home_locked", ("is in use by another desk",)),
    "garbage run": Wrong("garbage", ("run", *ONE, "--continue"), "home_corrupted", ("damaged", "restore a backup")),
    "garbage serve": Wrong("garbage", ("serve", "--port", "0"), "home_corrupted", ("damaged",)),
    "truncated run": Wrong("truncated", ("run", *ONE, "--continue"), "home_corrupted", ("damaged",)),
    "truncated list": Wrong("truncated", ("approvals", "list"), "home_corrupted", ("damaged",)),
    "a file": Wrong("file", ("run", *ONE), "home_unreadable", ("cannot be used as a home",)),
    "nobody home": Wrong("nowhere", ("approvals", "list"), "no_home", ("does not exist", "quarterdeck run")),
    "busy port": Wrong("new", ("serve", "--port", "BUSY"), "port_busy", ("choose another --port",)),
    "open host": Wrong("new", ("serve", "--host", "0.0.0.0"), "not_loopback", ("0.0.0.0",)),
    "policy no yaml": Wrong("policy no yaml", ("serve", "--port", "0"), "bad_policy", ("not YAML",)),
    "policy unknown key": Wrong("policy unknown key", ("serve", "--port", "0"), "bad_policy", ("surprise",)),
    "policy gone": Wrong("policy gone", ("run", *ONE, "--continue"), "no_policy", ("policy.yaml is gone",)),
    "policy edited": Wrong(
        "policy edited", ("run", *ONE, "--continue"), "policy_not_activated", ("quarterdeck activate policy",),
    ),
    "limits no yaml": Wrong("limits no yaml", ("serve", "--port", "0"), "limits_unreadable", ("not YAML",)),
    "limits wrong value": Wrong(
        "limits wrong value", ("run", *ONE, "--continue"), "limits_invalid", ("max_gross_share",),
    ),
    "unknown approval": Wrong(
        "waiting", ("approvals", "approve", "appr_nobody", "--reason", "x"), "not_found", ("appr_nobody",),
    ),
    "empty reason": Wrong("waiting", ("approvals", "approve", "ASKED", "--reason", "  "), "invalid", ("reason",)),
    "no reason": Wrong("waiting", ("approvals", "approve", "ASKED"), "usage", ("--reason",)),
    "another digest": Wrong(
        "waiting", ("approvals", "approve", "ASKED", "--reason", "x", "--digest", "0" * 64), "stale_digest",
        ("look at it again",),
    ),
    "unknown case": Wrong("waiting", ("explain", "case_nobody"), "not_found", ("case_nobody",)),
    "halt without reason": Wrong("waiting", ("halt", "--action", "no-new", "--reason", " "), "invalid", ("reason",)),
    "nothing halted": Wrong("waiting", ("resume", "--reason", "x"), "invalid", ("nothing is halted",)),
}  # fmt: skip
SPOILED: dict[str, Callable[[str], str | None]] = {
    "policy no yaml": lambda _old: "rules: [unclosed",
    "policy unknown key": lambda old: old + "surprise: true\n",
    "policy gone": lambda _old: None,
    "policy edited": lambda old: old.replace("capacity: 5", "capacity: 50"),
    "limits no yaml": lambda _old: "max_gross_share: [",
    "limits wrong value": lambda old: old.replace('max_gross_share: "1.0"', 'max_gross_share: "many"'),
}


def spoil(home: Path, case: str) -> None:
    """Break a law file of a home."""
    file = home / "config" / f"{case.split()[0]}.yaml"
    old = file.read_text()
    new = SPOILED[case](old)
    assert new != old
    if new is None:
        file.unlink()
    else:
        file.write_text(new)


def one_line(done: Finished, code: str, words: tuple[str, ...]) -> None:
    """Exit status 2, one line on stderr that ends with the code and holds the words."""
    assert done.status == 2, (done.out, done.err)
    assert done.err.count("\n") == 1, done.err
    assert done.err.startswith("quarterdeck: ")
    assert done.err.endswith(f" [{code}]\n"), done.err
    for word in words:
        assert word in done.err, done.err


@pytest.fixture(scope="module")
def folder(homes: Homes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Homes for the cases; the one called `locked` is held by this process."""
    place = tmp_path_factory.mktemp("errors")
    whole = homes.copy("waiting", place / "waiting")
    for name in ("locked", "garbage", "truncated", *SPOILED):
        shutil.copytree(whole, place / name)
    for case in SPOILED:
        spoil(place / case, case)
    store = (whole / "quarterdeck.sqlite").read_bytes()
    (place / "garbage" / "quarterdeck.sqlite").write_bytes(b"\x00\xffgarbage" * 2000)
    (place / "truncated" / "quarterdeck.sqlite").write_bytes(store[: len(store) // 2])
    (place / "file").write_text("no folder")
    with FileLock(str(place / "locked" / "lock")):
        yield place


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, tuple[Finished, Finished]]:
    """What every case said, for people and with --json."""
    asked = rows(folder / "waiting", "SELECT id FROM approvals WHERE status='pending' LIMIT 1")[0][0]
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        known = {"BUSY": str(busy.getsockname()[1]), "ASKED": asked}
        lines = []
        for name, case in CASES.items():
            home = folder / (name.replace(" ", "_") if case.home == "new" else case.home)
            line = ["--home", str(home), *(known.get(word, word) for word in case.arguments)]
            lines += [[line, dict(case.variables)], [[*line, "--json"], dict(case.variables)]]
        done = subprocess.run(
            [sys.executable, "-m", "tests.e2e.batch"], cwd=ROOT, input=json.dumps(lines), capture_output=True,
            text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    said = [Finished(*one) for one in json.loads(done.stdout)]
    return dict(zip(CASES, zip(said[::2], said[1::2], strict=True), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_done_is_refused_in_one_line(answers: dict[str, tuple[Finished, Finished]], name: str) -> None:
    told, _ = answers[name]
    one_line(told, CASES[name].code, CASES[name].words)
    assert told.out == ""


@pytest.mark.parametrize("name", CASES)
def test_with_json_the_refusal_is_one_object_on_stdout_beside_the_line_on_stderr(
    answers: dict[str, tuple[Finished, Finished]], name: str
) -> None:
    _, told = answers[name]
    one_line(told, CASES[name].code, ())
    body = told.json()
    assert set(body) == {"error"}
    assert body["error"]["code"] == CASES[name].code
    assert told.err == f"quarterdeck: {' '.join(body['error']['message'].split())} [{CASES[name].code}]\n"


def test_a_refusal_changes_nothing(answers: dict[str, tuple[Finished, Finished]], folder: Path) -> None:
    assert answers
    waiting = folder / "waiting"
    assert rows(waiting, "SELECT sessions_played FROM runs") == [(1,)]
    assert rows(waiting, "SELECT count(*) FROM decisions") == [(0,)]
    assert rows(waiting, "SELECT count(*) FROM halts") == [(0,)]
    assert rows(waiting, "SELECT DISTINCT status FROM approvals") == [("pending",)]
    assert (folder / "file").read_text() == "no folder"
    assert (folder / "garbage" / "quarterdeck.sqlite").read_bytes() == b"\x00\xffgarbage" * 2000
    assert not (folder / "nowhere").exists()
    assert list(folder.glob("*/desk.json")) == []
    for name, case in CASES.items():
        store = folder / name.replace(" ", "_") / "quarterdeck.sqlite"
        if case.home == "new" and store.exists():
            assert rows(store.parent, "SELECT count(*) FROM runs") == [(0,)], name


def test_the_real_command_ends_the_same_way(tmp_path: Path) -> None:
    done = quarterdeck(tmp_path / "home", "run", *ONE, "--symbols", "IBN")
    one_line(done, "unknown_symbol", ("'IBN'",))
    assert done.out == ""


def test_with_positions_open_a_broken_law_is_safe_mode_which_increases_nothing_and_lets_exits_work(
    homes: Homes, tmp_path: Path
) -> None:
    home = homes.copy("holding", tmp_path / "home")
    spoil(home, "policy no yaml")
    spoil(home, "limits wrong value")
    holding = held(home)
    assert holding
    with serving(home) as desk:
        assert desk.said().startswith("Safe mode")
        assert "not YAML" in desk.said()
        assert "max_gross_share" in desk.said()
        assert desk.view()["stage"] == "safe"
        before = rows(home, "SELECT count(*) FROM orders WHERE leg='entry'")
        approved = [item["case_id"] for item in desk.pending() if desk.decide(item, "approve").status_code == 200]
        for _ in range(8):
            desk.next()
            if len(held(home)) < len(holding):
                break
        assert rows(home, "SELECT count(*) FROM orders WHERE leg='entry'") == before
        assert set(held(home)) < set(holding)
        assert desk.pending() == []
        fresh = rows(home, "SELECT DISTINCT state FROM cases WHERE kind='order.entry' AND opened_index = "
                     "(SELECT session_index FROM runs)")  # fmt: skip
        assert fresh in ([], [("blocked",)], [("blocked",), ("not_selected",)])
        reasons = {desk.get(f"/cases/{case_id}")["reason"] for case_id in approved}
        assert reasons == {"the desk is in safe mode"}


def test_a_desk_that_people_reach_starts_reduce_only_on_a_changed_file_and_asks_about_it(
    homes: Homes, tmp_path: Path
) -> None:
    home = homes.copy("waiting", tmp_path / "home")
    spoil(home, "policy edited")
    with serving(home) as desk:
        assert "Safe mode" in desk.said()
        assert "policy.yaml differs" in desk.said()
        (asked,) = [item for item in desk.pending() if item["case"]["kind"] == "policy.activation"]
        change = asked["case"]["change"]
        assert (change["proposer"], [d["field"] for d in change["differences"]]) == ("file", ["capacity"])
        assert desk.get("/law")["items"][1]["pending_approval"] == asked["id"]
        assert desk.get("/policy")["capacity"] == 5
        desk.post(f"/approvals/{asked['id']}/views", {"seconds": 0, "evidence_opened": True})
        answer = desk.decide(asked, "approve").json()
        assert answer["status"] == "approved"
        assert answer["not_before"] is not None, "a desk alone cools off before its law changes"
        assert desk.get(f"/cases/{asked['case_id']}")["state"] == "approved"
    with serving(home) as desk:
        assert desk.get(f"/cases/{asked['case_id']}")["state"] == "approved", "a restart ends no cooling-off"
