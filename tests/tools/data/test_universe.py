"""A choice of names is read kindly and refused clearly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.data.universe import choose, parse_symbols
from tools.errors import DataError


@pytest.mark.parametrize("text", [None, "all", " ALL "])
def test_all_means_every_name(text: str | None) -> None:
    assert parse_symbols(text) is None
    assert choose(None, ["B", "A"], {}) == ("A", "B")


def test_symbols_are_normalised_and_sorted() -> None:
    assert parse_symbols(" ibm, GE ,ibm,bf.b") == ("BF.B", "GE", "IBM")


@pytest.mark.parametrize("text", ["", " , ", "IBM GE", "IBM;GE", "-x", "ÜBER", "A" * 11])
def test_what_cannot_be_a_symbol_is_refused(text: str) -> None:
    with pytest.raises(DataError) as refusal:
        parse_symbols(text)
    assert refusal.value.code == "invalid_symbols"


@given(st.lists(st.from_regex(r"[A-Z][A-Z0-9]{0,4}", fullmatch=True).filter(lambda s: s != "ALL"), min_size=1))
def test_a_written_choice_reads_back(names: list[str]) -> None:
    assert parse_symbols(",".join(names)) == tuple(sorted(set(names)))


def test_errors_name_the_nearest_and_the_reason() -> None:
    with pytest.raises(DataError, match="did you mean IBM") as unknown:
        choose(["IBN"], ["IBM", "GE"], {})
    assert unknown.value.code == "unknown_symbol"
    with pytest.raises(DataError, match="only 3 rows") as incomplete:
        choose(["NEW"], ["IBM"], {"NEW": "only 3 rows"})
    assert incomplete.value.code == "incomplete_symbol"
    with pytest.raises(DataError) as empty:
        choose([], ["IBM"], {})
    assert empty.value.code == "invalid_symbols"
