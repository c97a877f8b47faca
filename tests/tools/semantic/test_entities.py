"""Companies are linked by rule before the statistical recogniser sees the text."""

from __future__ import annotations

import pytest

from tools.data.types import Instrument
from tools.semantic.entities import entities, link, surface_forms


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Pfizer completes its acquisition of Wyeth", ("PFE", "WYE")),
        ("Intel will pay AMD 1.25 billion dollars", ("INTC", "AMD")),
        ("Coca-Cola agrees to buy the North American business of Coca-Cola Enterprises", ("KO", "CCE")),
        ("Apple passes Microsoft, and Apple rejoices", ("AAPL", "MSFT")),
        ("Carnival and news in Target cities during the general meeting", ()),
        ("", ()),
    ],
)
def test_companies_are_linked_in_order_of_mention(text: str, symbols: tuple[str, ...]) -> None:
    assert link(text) == symbols


def test_other_entities_keep_their_label_and_offsets() -> None:
    text = "Pfizer buys King Pharmaceuticals on Monday"
    found = {item.text: item for item in entities(text)}
    assert found["Monday"].label == "DATE"
    assert found["Monday"].symbol is None
    assert text[found["Pfizer"].start : found["Pfizer"].end] == "Pfizer"


def test_a_form_two_companies_share_links_to_neither() -> None:
    forms = surface_forms({
        symbol: Instrument(symbol=symbol, name=name, sector="s", industry="i")
        for symbol, name in (("VIA", "Viacom Inc"), ("VIA.B", "Viacom Inc"), ("DE", "Deere & Co."))
    })  # fmt: skip
    assert "Viacom" not in forms
    assert forms["Deere"] == forms["Deere & Co."] == "DE"
    assert "DE" not in forms, "two letters are too little to name a company"
