"""findings list | acknowledge | silence on the command line."""

from __future__ import annotations

import pytest

from ..conftest import Seeded
from ..test_findings import raised
from .conftest import Quarterdeck


def test_a_finding_is_listed_acknowledged_and_silenced(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    finding = raised(seeded.store)
    table = quarterdeck("findings", "list", "--state", "open")
    assert (table.status, table.err) == (0, "")
    assert finding in table.out
    assert "look" in table.out
    assert quarterdeck("findings", "list", "--code", "drawdown", "--json").json["total"] == 1
    silenced = quarterdeck("findings", "silence", finding, "--reason", "known", "--hours", "2", "--json")
    assert silenced.json["state"] == "silenced"
    assert finding not in quarterdeck("findings", "list", "--state", "open", "--severity", "warning").out
    told = quarterdeck("findings", "acknowledge", finding, "--reason", "on it")
    assert told.status == 0
    assert "acknowledged" in told.out


@pytest.mark.parametrize("end", [(), ("--hours", "1", "--sessions", "1")])
def test_a_silence_without_exactly_one_end_is_refused(
    quarterdeck: Quarterdeck, seeded: Seeded, end: tuple[str, ...]
) -> None:
    ran = quarterdeck("findings", "silence", raised(seeded.store), "--reason", "known", *end)
    assert ran.status == 2
    assert "--until" in ran.err


def test_too_long_a_silence_says_how_long_it_may_be(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    ran = quarterdeck("findings", "silence", raised(seeded.store, "critical"), "--reason", "known", "--hours", "5")
    assert (ran.status, "up to 4 hours" in ran.err) == (2, True)
