"""A whole drill: one line for everything there is, and what breaks on the way is a line too."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.activation import activate, in_force
from pipeline.day_life import day_view
from pipeline.drills import run
from pipeline.drills.report import MAX_DETAIL, DrillReport, Line, last, record
from pipeline.drills.run import OTHERS, limits_to_hold, names_of, run_drill
from pipeline.halt_scope import ACTIONS, SCOPES
from pipeline.store import Principal, Store, now
from tests.pipeline import life
from tests.pipeline.life import code_of
from tools.canonical import sha256_hex
from tools.errors import ExecutionError
from tools.risk.controls import CONTROLS
from tools.risk.limits import default_limits_text, load_limits

LIMITS = load_limits(default_limits_text())
SHA256 = sha256_hex(default_limits_text().encode())
ANN = Principal("ann", "person", "127.0.0.1", "login_1")


def drill(folder: Path, only: str) -> DrillReport:
    return run_drill(folder, LIMITS, SHA256, only=only)


def report(*lines: Line) -> DrillReport:
    return DrillReport(lines=lines, limits_sha256=SHA256, version="1")


def test_every_control_and_every_cell_is_there_exactly_once() -> None:
    counted = Counter(names_of())
    wanted = {f"control:{name}" for name in CONTROLS} | set(OTHERS)
    wanted |= {f"halt:{scope}:{action}" for scope in SCOPES for action in ACTIONS}
    assert counted == dict.fromkeys(wanted, 1)


def test_a_part_that_no_name_has_is_refused() -> None:
    assert code_of(lambda: names_of("moon")) == "invalid"
    assert names_of("halt:firm") == tuple(f"halt:firm:{action}" for action in ACTIONS)


def test_a_control_that_raises_is_a_line_and_the_drill_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, _calm: Any) -> Line:
        if name == "control:trade_share":
            raise ZeroDivisionError("division by zero")
        return Line(name=name, fired=True, detail="fired")

    monkeypatch.setattr(run, "drill_control", fail)
    found = drill(tmp_path, "_share")
    assert found.silent == ("control:trade_share",)
    assert len(found.lines) > 5


def test_a_scratch_desk_that_cannot_be_set_up_makes_every_line_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: Any, **_kwargs: Any) -> None:
        raise ExecutionError("no such desk", code="drill")

    monkeypatch.setattr(run, "set_stage", fail)
    found = drill(tmp_path, "halt:firm")
    assert found.silent == tuple(f"halt:firm:{action}" for action in ACTIONS)
    assert {line.detail for line in found.lines} == {"it could not be drilled: ExecutionError: no such desk"}


def test_settings_of_the_environment_do_not_reach_the_scratch_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = tmp_path / "heads"
    heads.mkdir()
    for name, value in {"MODE": "live", "HEADS_DIR": str(heads), "DATABASE_URL": "sqlite:///nowhere/x"}.items():
        monkeypatch.setenv(f"QUARTERDECK_{name}", value)
    assert drill(tmp_path / "drill", "control:restricted").silent == ()
    assert list(heads.iterdir()) == []


def test_without_a_home_the_shipped_limits_are_held_and_with_one_those_in_force(store: Store) -> None:
    assert limits_to_hold(None) == (LIMITS, SHA256)
    assert limits_to_hold(store) == (LIMITS, SHA256)
    assert life.everything(store)[0] == 0
    in_force(store)
    tighter = default_limits_text().replace('max_drawdown: "0.15"', 'max_drawdown: "0.1"')
    (store.home.config / "limits.yaml").write_text(tighter, encoding="utf-8")
    assert limits_to_hold(store)[1] == SHA256
    activate(store, "limits", principal=ANN, reason="calmer")
    limits, sha256 = limits_to_hold(store)
    assert (str(limits.max_drawdown), sha256) == ("0.1", sha256_hex(tighter.encode()))


def test_a_report_is_kept_outside_of_every_run_and_found_again(store: Store) -> None:
    with store.db.read() as session:
        assert last(session) is None
    for number, fired in enumerate((True, False)):
        record(store, report(Line(name=f"control:{number}", fired=fired, detail="seen")), ANN)
    with store.db.read() as session:
        known = last(session)
    assert known is not None
    assert (known.principal, known.report.silent, known.seq) == ("ann", ("control:1",), 2)
    assert store.verify_ledger().verified
    with store.db.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM ledger WHERE run_id IS NULL").scalar() == 2


def test_a_line_is_one_line_of_a_length_that_a_record_holds() -> None:
    line = Line.of("x", ["a\nb", "c" * 1_000], "seen")
    assert line.detail.startswith("a b; ccc")
    assert len(line.detail) == MAX_DETAIL
    assert Line.of("x", [], "seen") == Line(name="x", fired=True, detail="seen")


def test_the_checks_of_the_start_tell_of_the_last_drill_and_of_a_record_that_was_damaged(store: Store) -> None:
    def told() -> tuple[str, str]:
        (check,) = [item for item in day_view(store).start.checks if item.id == "drill"]
        return check.state, check.text

    assert told() == ("ok", "no drill yet: see `quarterdeck drill`")
    record(store, report(Line(name="control:x", fired=True, detail="seen")), ANN)
    assert told() == ("ok", f"drill of {now():%Y-%m-%d}: 1 of 1 fired")
    record(store, report(Line(name="control:x", fired=False, detail="seen")), ANN)
    assert told() == ("warn", f"drill of {now():%Y-%m-%d}: 0 of 1 fired, not control:x")
    life.tamper(store, """UPDATE ledger SET content = replace(content, '"report"', '"r"')""")
    assert told()[0] == "fail"
