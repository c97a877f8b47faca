"""`halt`, `halts` and `resume`: every scope and action by name, and one halt at a time."""

from __future__ import annotations

import pytest

from ..conftest import Seeded
from .conftest import Quarterdeck


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.halt.launch", lambda _store: None)


@pytest.mark.parametrize("action", ["no_new", "no-new", "cancel", "reduce_only", "reduce-only", "flatten"])
def test_an_action_is_understood_with_either_dash(quarterdeck: Quarterdeck, seeded: Seeded, action: str) -> None:
    told = quarterdeck("halt", "--action", action, "--reason", "storm", "--json")
    assert (told.status, told.json["action"]) == (0, action.replace("-", "_"))


@pytest.mark.parametrize(
    ("options", "scope", "target"),
    [
        ((), "firm", None), (("--scope", "symbol", "--target", "IBM"), "symbol", "IBM"),
        (("--symbol", "IBM"), "symbol", "IBM"), (("--strategy", "trend"), "strategy", "trend"),
        (("--scope", "agent", "--target", "model"), "agent", "model"), (("--scope", "firm"), "firm", None),
    ],
)  # fmt: skip
def test_a_scope_and_its_target(
    quarterdeck: Quarterdeck, seeded: Seeded, options: tuple[str, ...], scope: str, target: str | None
) -> None:
    told = quarterdeck("halt", "--action", "cancel", "--reason", "storm", *options, "--json")
    assert (told.status, told.json["scope"], told.json["target"]) == (0, scope, target)


@pytest.mark.parametrize(
    "options",
    [("--scope", "symbol"), ("--target", "IBM"), ("--scope", "galaxy", "--target", "x"),
     ("--scope", "symbol", "--target", "IBM", "--strategy", "trend"), ("--scope", "firm", "--target", "IBM")],
)  # fmt: skip
def test_half_a_scope_is_refused(quarterdeck: Quarterdeck, seeded: Seeded, options: tuple[str, ...]) -> None:
    told = quarterdeck("halt", "--action", "cancel", "--reason", "storm", *options)
    assert told.status == 2
    assert "[usage]" in told.err


def test_help_says_what_each_action_does(quarterdeck: Quarterdeck) -> None:
    told = quarterdeck("halt", "--help").out
    for word in ("no_new:", "cancel:", "reduce_only:", "flatten:", "protection", "Scopes:"):
        assert word in told


def test_halts_are_listed_and_released_one_at_a_time(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    first, second = (
        quarterdeck("halt", "--action", "no_new", "--symbol", name, "--reason", "storm", "--json").json["id"]
        for name in ("KO", "PFE")
    )
    listed = quarterdeck("halts", "--json").json["items"]
    assert {item["id"] for item in listed} == {first, second}
    assert "symbol" in quarterdeck("halts").out
    gone = quarterdeck("resume", "--halt", first, "--reason", "over", "--json").json
    assert gone["released"] == [first]
    assert [item["id"] for item in quarterdeck("halts", "--json").json["items"]] == [second]
    assert len(quarterdeck("halts", "--all", "--json").json["items"]) == 2


def test_a_person_s_halt_has_no_end_to_take_away(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    told = quarterdeck("halt", "--action", "no_new", "--reason", "storm", "--json").json["id"]
    kept = quarterdeck("halts", "--keep", told, "--reason", "audit")
    assert kept.status == 2
    assert "[invalid]" in kept.err
