"""Reports and replays over HTTP: one case for an operator and a regulator, the same bytes every time."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlmodel import col, select

from api.app import create_app
from api.reports import render
from memory.tables import ApprovalRow, CaseRow
from pipeline import approvals
from pipeline.headless import run_sessions
from pipeline.store import Store
from tests.api.conftest import BASE_URL
from tests.pipeline import life
from tests.pipeline.life import ANN

NAMES = ("AMD", "EL", "TXT", "FCX", "PNC", "NEM", "TIF", "HOG", "AXP", "COH")
HOSTILE = "<script>alert(1)</script> | # _x_"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where the first question was approved with hostile words, and played one session further."""
    home = tmp_path_factory.mktemp("played") / "home"
    store = life.new_store(home)
    asyncio.run(run_sessions(store, sessions=1, symbols=NAMES, stand_in="none"))
    with store.db.read() as session:
        asked = session.exec(select(ApprovalRow).where(ApprovalRow.status == "pending")).all()[0]
    approvals.decide(store, asked.id, principal=ANN, decision="approve", digest=asked.digest, reason=HOSTILE)
    asyncio.run(run_sessions(store, sessions=1, stand_in="none", continue_run=True))
    store.db.dispose()
    return home


@pytest.fixture
def desk(played: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(played, tmp_path / "home")
    opened = life.new_store(tmp_path / "home")
    yield opened
    opened.db.dispose()


@pytest.fixture
def http(desk: Store) -> TestClient:
    token = desk.home.token()
    return TestClient(create_app(desk), base_url=BASE_URL, headers={"authorization": f"Bearer {token}"})


def case_in(store: Store, state: str) -> str:
    with store.db.read() as session:
        query = select(CaseRow.id).where(CaseRow.state == state).order_by(col(CaseRow.rank))
        return session.exec(query).all()[-1]


def report(http: TestClient, case_id: str, **params: str) -> str:
    answer = http.get(f"/api/v1/cases/{case_id}/report", params=params)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_page_says_who_decided_why_and_that_it_can_be_made_again(http: TestClient, desk: Store) -> None:
    page = report(http, case_in(desk, "done"))
    assert ANN.name in page
    assert "Yes: every step computed again" in page
    assert "signature valid" in page
    assert "What would have changed it" in page


def test_a_hostile_reason_is_text_in_every_form(http: TestClient, desk: Store) -> None:
    case_id = case_in(desk, "done")
    page = report(http, case_id)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\\<script\\>" in report(http, case_id, format="markdown")
    assert (
        HOSTILE in http.get(f"/api/v1/cases/{case_id}/report", params={"format": "json"}).json()["answers"][0]["reason"]
    )


def test_the_page_runs_nothing_and_brings_its_own_style(http: TestClient, desk: Store) -> None:
    answer = http.get(f"/api/v1/cases/{case_in(desk, 'done')}/report")
    assert answer.headers["content-security-policy"] == render.POLICY
    assert not re.search(r"<(script|link|img|iframe)|\son\w+=", answer.text)


def test_the_same_case_gives_the_same_bytes(http: TestClient, desk: Store) -> None:
    case_id = case_in(desk, "done")
    assert report(http, case_id, audience="regulator") == report(http, case_id, audience="regulator")


def test_a_regulator_reads_every_control_hash_and_ledger_record(http: TestClient, desk: Store) -> None:
    case_id = case_in(desk, "done")
    short, full = report(http, case_id), report(http, case_id, audience="regulator")
    body = http.get(f"/api/v1/cases/{case_id}/report", params={"format": "json"}).json()
    wanted = [
        body["case"]["digest"], body["asked"]["policy_sha256"], body["asked"]["limits_sha256"],
        body["explanation_sha256"], *(item["sha256"] for item in body["data"]),
        *(record["hash"] for record in body["records"]),
    ]  # fmt: skip
    assert [one for one in wanted if one not in full] == []
    assert body["records"][0]["hash"] not in short
    assert all(check["control"].replace("_", " ") in full for check in body["case"]["checks"])


def test_a_grant_that_was_tampered_with_is_shown_as_such(http: TestClient, desk: Store) -> None:
    case_id = case_in(desk, "done")
    with desk.db.write() as session:
        session.connection().execute(text("UPDATE grants SET quantity_budget = quantity_budget + 1"))
    assert "signature NOT VALID" in report(http, case_id)


def test_a_recording_that_was_damaged_is_said_and_the_rest_still_reads(http: TestClient, desk: Store) -> None:
    case_id = case_in(desk, "done")
    with desk.db.write() as session:
        session.connection().execute(text("UPDATE blobs SET data = x'00'"))
    assert "was edited or damaged" in report(http, case_id)


def test_what_was_not_selected_says_who_took_the_places(http: TestClient, desk: Store) -> None:
    with desk.db.read() as session:
        row = session.exec(select(CaseRow).where(CaseRow.state == "not_selected", CaseRow.reason == "capacity")).first()
        assert row is not None
        asked = session.exec(
            select(CaseRow.symbol).where(
                CaseRow.cycle_id == row.cycle_id, CaseRow.state != "not_selected", CaseRow.risk_effect != "reduces"
            )
        ).all()
    page = report(http, row.id)
    assert re.search(rf"It ranked {row.rank + 1} of \d+ in its session", page)
    assert [symbol for symbol in asked if symbol not in page] == []
    assert "Nobody was asked" in page


def test_why_not_is_answered_for_what_was_left_out_and_for_nothing_else(http: TestClient, desk: Store) -> None:
    left_out = case_in(desk, "not_selected")
    told = http.get(f"/api/v1/cases/{left_out}/why-not").json()
    assert told["because"].startswith("people can answer only so many")
    assert {item["field"] for item in told["changes"]} >= {"places"}
    assert told["last_selected"]["rank"] < told["rank"]
    assert all(text in report(http, left_out) for text in (item["text"] for item in told["changes"]))
    assert http.get(f"/api/v1/cases/{case_in(desk, 'done')}/why-not").status_code == 422
    assert http.get("/api/v1/cases/case_nobody/why-not").status_code == 404


def test_the_report_of_a_refused_case_does_not_move_with_the_run(http: TestClient, desk: Store) -> None:
    left_out = case_in(desk, "not_selected")
    before = report(http, left_out, audience="regulator")
    asyncio.run(run_sessions(desk, sessions=1, stand_in="none", continue_run=True))
    assert report(http, left_out, audience="regulator") == before


def test_a_regulator_reads_where_each_figure_stands_and_who_was_lent_what(http: TestClient, desk: Store) -> None:
    case_id = case_in(desk, "done")
    body = http.get(f"/api/v1/cases/{case_id}/report", params={"format": "json"}).json()
    for form in ("html", "markdown"):
        page = report(http, case_id, audience="regulator", format=form)
        assert "Where each figure stands" in page
        assert [f["evidence_id"] for f in body["figures"] if f["evidence_id"] not in page] == []
        assert "Similar past cases" in page
        assert "Where each figure stands" not in report(http, case_id, format=form)


def test_no_such_case_is_not_found(http: TestClient) -> None:
    assert http.get("/api/v1/cases/case_nobody/report").status_code == 404
    assert http.get("/api/v1/replays/case_nobody").status_code == 404


def test_an_unknown_format_or_audience_is_invalid(http: TestClient, desk: Store) -> None:
    case_id = case_in(desk, "done")
    for params in ({"format": "pdf"}, {"audience": "everybody"}):
        assert http.get(f"/api/v1/cases/{case_id}/report", params=params).status_code == 422


def test_a_replay_over_http_is_identical(http: TestClient, desk: Store) -> None:
    body = http.get(f"/api/v1/replays/{case_in(desk, 'done')}").json()
    assert body["identical"] is True
    assert {step["call"] for step in body["steps"]} >= {"risk.check_order", "explanation.explain"}
