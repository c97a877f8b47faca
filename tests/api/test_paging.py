from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.errors import RequestError
from api.paging import Order, decode_cursor, encode_cursor
from memory.tables import CaseRow

from .conftest import SYMBOLS

ORDER = (Order("opened_index", descending=True), Order("rank"), Order("id"))


def walk(client: TestClient, path: str, limit: int, **filters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after = None
    for _ in range(100):
        page = client.get(path, params={"limit": limit, **filters, **({"after": after} if after else {})}).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        after = page["next"]
        if after is None:
            return items
    raise AssertionError("the list never ends")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_of_any_size_give_every_case_once_and_in_order(client: TestClient, limit: int) -> None:
    assert [case["symbol"] for case in walk(client, "/api/v1/cases", limit)] == list(SYMBOLS)


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_the_ledger_pages_by_seq(client: TestClient, limit: int) -> None:
    assert [entry["seq"] for entry in walk(client, "/api/v1/ledger", limit)] == list(range(1, len(SYMBOLS) + 1))


def test_equity_pages_by_date(client: TestClient) -> None:
    days = [point["session"] for point in walk(client, "/api/v1/equity", 2)]
    assert days == ["2009-11-11", "2009-11-12", "2009-11-13"]


def test_findings_page_by_instant_and_id(client: TestClient) -> None:
    assert [found["id"] for found in walk(client, "/api/v1/findings", 1)] == ["find_0", "find_1"]


def test_total_counts_the_filtered_list_and_not_the_page(client: TestClient) -> None:
    page = client.get("/api/v1/cases", params={"limit": 2, "state": "not_selected"}).json()
    assert (len(page["items"]), page["total"]) == (2, len(SYMBOLS) - 2)


def test_filters_stay_with_the_cursor(client: TestClient) -> None:
    found = walk(client, "/api/v1/cases", 1, state=["awaiting", "expired"])
    assert [case["state"] for case in found] == ["awaiting", "expired"]


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/cases?symbol=IBM", 1), ("/cases?symbol=ZZZ", 0), ("/cases?strategy=trend", 7), ("/cases?cycle_id=other", 0),
        ("/cases?run=other", 0), ("/cases?run=all", 7), ("/approvals", 1), ("/approvals?status=all", 2),
        ("/findings?severity=critical", 1), ("/signals?symbol=IBM", 1), ("/signals?symbol=GE", 0),
        ("/outcomes?settled=true", 0), ("/outcomes?settled=false&disposition=filled", 1),
        ("/lessons?state=promoted", 0), ("/lessons", 1), ("/orders?state=filled", 1),
        ("/orders?state=new", 0), ("/orders?symbol=IBM", 1),
        ("/fills?symbol=IBM", 1), ("/positions", 1), ("/ledger?kind=case.awaiting", 1), ("/ledger?case_id=case_1", 1),
        ("/ledger?run=other", 0), ("/halts", 0),
    ],
)  # fmt: skip
def test_filters_keep_what_they_name(client: TestClient, path: str, count: int) -> None:
    page = client.get("/api/v1" + path).json()
    assert (len(page["items"]), page["total"], page["next"]) == (count, count, None)


def test_a_cursor_of_another_list_is_refused(client: TestClient) -> None:
    cursor = client.get("/api/v1/findings?limit=1").json()["next"]
    answer = client.get("/api/v1/cases", params={"after": cursor})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_cursor")


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.text(max_size=40))
def test_a_cursor_gives_back_what_went_in(index: int, rank: int, key: str) -> None:
    assert decode_cursor("cases", encode_cursor("cases", [index, rank, key]), CaseRow, ORDER) == [index, rank, key]


@given(st.text(max_size=200))
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode_cursor("cases", text, CaseRow, ORDER)
    assert caught.value.code == "bad_cursor"
