"""A change of the law in a terminal: through a case while a desk runs, at once while it is stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.activation import in_force
from tests.api.cli.conftest import Quarterdeck
from tests.api.conftest import Seeded
from tools.risk.controls import CONTROLS
from tools.risk.limits import default_limits_text

TIGHTER = (
    default_limits_text().replace('version: "1"', 'version: "2"').replace('max_drawdown: "0.15"', 'max_drawdown: "0.1"')
)


@pytest.fixture
def candidate(seeded: Seeded) -> Path:
    in_force(seeded.store)
    path = seeded.store.home.config / "limits.yaml"
    path.write_text(TIGHTER)
    return path


def test_without_a_desk_the_file_is_in_force_at_once(quarterdeck: Quarterdeck, seeded: Seeded, candidate: Path) -> None:
    done = quarterdeck("activate", "limits", "--reason", "calmer", "--json")
    assert (done.status, done.json["kind"], done.json["version"]) == (0, "limits", "2")
    assert in_force(seeded.store).limits.version == "2"
    assert candidate.read_text() == TIGHTER


def test_while_a_desk_runs_it_becomes_a_case_that_the_terminal_shows_and_answers(
    quarterdeck: Quarterdeck, seeded: Seeded, candidate: Path, desk: str
) -> None:
    assert desk
    assert candidate.exists()
    done = quarterdeck("activate", "limits", "--reason", "calmer", "--json")
    assert done.status == 0, done.err
    approval = done.json["approval_id"]
    assert in_force(seeded.store).limits.version == "1"
    assert "LIMITS" in quarterdeck("approvals", "list").out
    cases = quarterdeck("cases", "list")
    assert "LIMITS" in cases.out
    assert "IBM" in cases.out
    shown = quarterdeck("cases", "show", done.json["case_id"]).out
    for words in ("Limits version 2 in place of version 1", "max_drawdown", "tighter", "proposed by"):
        assert words in shown
    refused = quarterdeck("approvals", "approve", approval, "--reason", "agreed")
    assert "[evidence_unopened]" in refused.err
    page = quarterdeck("approvals", "show", approval)
    assert page.status == 0, page.err
    assert "max_drawdown goes from 0.15 to 0.1: tighter" in page.out
    said = quarterdeck("approvals", "approve", approval, "--reason", "agreed")
    assert said.status == 0, said.err
    assert "approved: Limits version 2 in place of version 1" in said.out


def test_while_a_change_is_open_another_is_refused(quarterdeck: Quarterdeck, candidate: Path, desk: str) -> None:
    assert desk
    assert candidate.exists()
    assert quarterdeck("activate", "limits", "--reason", "calmer").status == 0
    again = quarterdeck("activate", "limits", "--reason", "calmer")
    assert again.status != 0
    assert "[exists]" in again.err


def test_an_order_is_shown_with_its_evidence(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    page = quarterdeck("approvals", "show", seeded.approval_id)
    assert page.status == 0, page.err
    assert "buy 100 IBM" in page.out
    assert seeded.evidence_id in page.out


def test_controls_print_their_rule_limit_and_use(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    listed = quarterdeck("controls", "--json").json
    assert isinstance(listed, list)
    assert len(listed) == len(CONTROLS)
    assert all(item.keys() >= {"control", "rule", "limit", "use"} for item in listed)
    shown = quarterdeck("controls").out
    assert "max notional" in shown
    assert "RTS 6 Art. 15(1)(b)" in shown
    assert "must not be" in shown


def test_a_blocked_case_is_let_past_on_the_command_line(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    refused = quarterdeck("cases", "override", seeded.case_id, "--reason", "a client's wish")
    assert refused.status == 2
    assert "not blocked by a control" in refused.err
    missing = quarterdeck("cases", "override", "case_none", "--reason", "a client's wish", "--json")
    assert missing.status == 2
