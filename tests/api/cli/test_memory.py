"""memory status | search | runbook | rebuild on the command line, with the engine stopped."""

from __future__ import annotations

import shutil

import pytest

from memory.remembered import Item
from pipeline.long_term import open_recall

from ..conftest import RUN, Seeded
from .conftest import Quarterdeck


def test_memory_is_searched_and_its_index_rebuilt_without_an_engine(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    recall = open_recall(seeded.store)
    words = "trend order.entry buy XOM Exxon Mobil, Energy. XOM broke out"
    recall.remember(
        Item("case_0", RUN, "case", "case_0", words, 20, symbol="XOM", strategy="trend", outcome="filled")
    )  # fmt: skip
    recall.close()
    (item,) = quarterdeck("memory", "search", "energy breakout", "--kind", "case", "--json").json["items"]
    assert (item["subject"], item["outcome"]) == ("case_0", "filled")
    table = quarterdeck("memory", "search", "energy breakout")
    assert (table.status, table.err) == (0, "")
    assert "case_0" in table.out
    shutil.rmtree(seeded.store.home.chroma)
    rebuilt = quarterdeck("memory", "rebuild", "--json").json
    assert rebuilt["state"] == "ok"
    assert rebuilt["detail"].startswith(f"{rebuilt['items']} items in the index")
    assert "runbook" in quarterdeck("memory", "status").out


def test_a_runbook_is_read_without_a_home(quarterdeck: Quarterdeck) -> None:
    assert "stop_the_desk" in quarterdeck("memory", "runbook").out
    assert "quarterdeck halt" in quarterdeck("memory", "runbook", "stop_the_desk").out
    assert quarterdeck("memory", "runbook", "nothing").status == 2


def test_a_rebuild_of_a_server_that_is_down_says_so(
    quarterdeck: Quarterdeck, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_CHROMA_URL", "http://127.0.0.1:1")
    ran = quarterdeck("memory", "rebuild")
    assert ran.status == 2
    assert "does not answer" in ran.err
    doctor = quarterdeck("doctor", "--json").json
    lines = [line for line in doctor["lines"] if line["component"] == "recall index"]
    assert [line["state"] for line in lines] == ["missing"]
