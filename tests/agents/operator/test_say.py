from __future__ import annotations

from decimal import Decimal

import pytest

from agents.operator.output import Ref, Span
from agents.operator.say import LEFT_OUT, Told, figure, sealed, shown, words

AT = "/desk"


def text(lines: list[tuple[Span, ...]]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


def test_a_line_whose_figure_stands_in_no_record_is_left_out_and_said_so() -> None:
    told = Told().line("Equity ", figure(Decimal(5), "money", AT, "/equity")).line("Trust me, 42 is right.")
    kept, dropped = sealed(told.lines)
    assert (text(kept), dropped) == (["Equity 5.00", LEFT_OUT], 1)


def test_a_figure_must_show_the_value_it_stands_for() -> None:
    forged = Span(text="9.00", ref=Ref(record=AT, pointer="/equity"), value=Decimal(5), unit="money")
    assert sealed([(forged,)])[1] == 1


def test_words_of_a_record_may_hold_figures() -> None:
    assert sealed([(words("closed at 127.03", "/cases/c", "/proposal/thesis"),)])[1] == 0


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        ("0.0191", "share", "1.91 %"), ("-0.5", "share", "-50.00 %"), ("1234.5", "money", "1,234.50"),
        ("90", "seconds", "1.5 minutes"), ("1200", "shares", "1,200"), ("0.1234", "ratio", "0.12"),
    ],
)  # fmt: skip
def test_values_are_shown_in_their_unit(value: str, unit: str, said: str) -> None:
    assert shown(Decimal(value), unit) == said  # type: ignore[arg-type]
