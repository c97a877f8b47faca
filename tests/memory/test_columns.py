"""Column types give back exactly what was put in, and refuse what has no exact form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select, text
from sqlalchemy.exc import StatementError

from memory.columns import ExactDecimal, ModelJson, PlainJson, UtcInstant
from tools.types import PriceBand

SHEET = Table(
    "sheet", MetaData(), Column("id", Integer, primary_key=True), Column("money", ExactDecimal),
    Column("at", UtcInstant), Column("plain", PlainJson), Column("band", ModelJson(PriceBand)),
)  # fmt: skip
ENGINE = create_engine("sqlite://")
SHEET.metadata.create_all(ENGINE)
SANE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def there_and_back(column: str, value: object) -> object:
    with ENGINE.begin() as connection:
        key = connection.execute(insert(SHEET).values(**{column: value})).inserted_primary_key
        assert key is not None
        found: object = connection.execute(select(SHEET.c[column]).where(SHEET.c.id == key[0])).scalar_one()
        connection.rollback()
    return found


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**18), max_value=10**18, places=8))
@SANE
def test_any_decimal_comes_back_with_its_exact_value(value: Decimal) -> None:
    found = there_and_back("money", value)
    assert isinstance(found, Decimal)
    assert found == value


@given(st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=ZONES))
@SANE
def test_any_aware_instant_comes_back_as_the_same_instant_in_utc(value: datetime) -> None:
    found = there_and_back("at", value)
    assert isinstance(found, datetime)
    assert found == value
    assert found.utcoffset() == timedelta(0)


@given(st.lists(st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=ZONES), min_size=2, max_size=6))
@SANE
def test_instants_sort_in_the_database_as_they_do_in_time(values: list[datetime]) -> None:
    with ENGINE.begin() as connection:
        connection.execute(insert(SHEET), [{"at": value} for value in values])
        found = list(connection.execute(select(SHEET.c.at).order_by(SHEET.c.at)).scalars())
        connection.rollback()
    assert found == sorted(values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON.filter(lambda value: value is not None))
@SANE
def test_any_plain_json_comes_back_as_it_was(value: object) -> None:
    assert there_and_back("plain", value) == value


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(StatementError, match="naive datetime"):
        there_and_back("at", datetime(2009, 11, 13))


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity")])
def test_a_decimal_without_a_value_is_refused(value: Decimal) -> None:
    with pytest.raises(StatementError, match="no canonical form"):
        there_and_back("money", value)


@pytest.mark.parametrize("column", ["money", "at", "plain", "band"])
def test_nothing_stays_nothing(column: str) -> None:
    assert there_and_back(column, None) is None


def test_a_damaged_model_cannot_pass_for_data() -> None:
    with ENGINE.begin() as connection:
        connection.execute(text("""INSERT INTO sheet (band) VALUES ('{"low": "9", "high": "3"}')"""))
        with pytest.raises(ValidationError, match="above high"):
            connection.execute(select(SHEET.c.band).where(SHEET.c.band.is_not(None))).all()
        connection.rollback()


def test_a_model_comes_back_equal() -> None:
    band = PriceBand(low=Decimal("118.10"), high=Decimal("123"))
    assert there_and_back("band", band) == band
    assert there_and_back("at", datetime(2009, 11, 13, tzinfo=UTC)) == datetime(2009, 11, 13, tzinfo=UTC)
