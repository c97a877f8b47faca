"""The console in a real browser, by people in roles: they log in, edit, ask, decide together and stand in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from pydantic import SecretStr

from pipeline import people
from pipeline.policy import default_policy_text
from pipeline.settings import load_settings
from pipeline.store import open_store
from tests.e2e.desk import SMALL, Desk, quarterdeck, rows, serving, until
from tests.e2e.visitor import PHONE, Visitor, require_built, sign_in, visiting
from tests.peers.webhook_peer import WebhookPeer
from tests.people_help import PASSWORD, ROOT
from tests.pipeline.notify.outside import SECRET

pytestmark = [pytest.mark.slow, pytest.mark.browser]
ROLES = {"abe": "approver", "zoe": "approver", "cora": "operator", "vera": "viewer", "root": "admin"}
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}


class Staffed(NamedTuple):
    """A desk under four eyes with people in every role, and a receiver of its webhooks."""

    desk: Desk
    peer: WebhookPeer


def four_eyes(home: Path) -> None:
    """A policy file for a home that is not there yet: any edit counts as large, and eight entries are asked."""
    text = default_policy_text().split("capacity_tests:")[0]
    for old, new in (
        ("profile: single_operator", "profile: desk"), ("capacity: 5 ", "capacity: 20 "),
        ("# capacity_per_person: 8 ", "capacity_per_person: 8 "),
        ('second_signature_share: "0.015"', 'second_signature_share: "0.0001"'),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    (home / "config").mkdir(parents=True)
    (home / "config" / "policy.yaml").write_text(text)


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staffed]:
    require_built()
    home = tmp_path_factory.mktemp("staffed") / "home"
    four_eyes(home)
    played = quarterdeck(home, "--json", "run", "--symbols", SMALL, "--sessions", "1")
    assert played.status == 0, played.err
    store = open_store(load_settings(home=home))
    for name, role in ROLES.items():
        made = people.add(
            store, by=ROOT, name=name, role=role, password=SecretStr(PASSWORD), with_key=name == "root"
        )  # fmt: skip
    store.db.dispose()
    assert made.api_key is not None
    with WebhookPeer(SECRET) as peer:
        hook = {"name": "ops", "url": peer.url, "secret_env": "QD_HOOK"}
        (home / "config" / "notifications.yaml").write_text(json.dumps({"version": "1", "webhooks": [hook]}))
        with serving(home, env={"QD_HOOK": SECRET}) as desk:
            desk.client.headers["authorization"] = f"Bearer {made.api_key.get_secret_value()}"
            yield Staffed(desk, peer)


@pytest.fixture
def desk(staffed: Staffed) -> Desk:
    staffed.desk.holds()
    return staffed.desk


@contextmanager
def person(browser: Browser, desk: Desk, name: str, route: str = "#/", **options: Any) -> Iterator[Visitor]:
    with visiting(browser, desk, **{**WIDE, **options}) as someone:
        sign_in(someone, name, PASSWORD, route)
        yield someone


def at(item: dict[str, Any]) -> str:
    return f"#/approvals/{item['id']}"


def signed(desk: Desk, item: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return rows(
        desk.home, "SELECT principal, decision, on_behalf_of FROM decisions WHERE approval_id=? ORDER BY id", item["id"]
    )


def test_a_stranger_logs_in_by_password_and_gets_the_page_that_was_asked_for(browser: Browser, desk: Desk) -> None:
    item = desk.pending()[0]
    with visiting(browser, desk, **WIDE) as someone:
        page = someone.page
        someone.expected = (401,)
        page.goto(f"{desk.url}/{at(item)}")
        page.get_by_test_id("login-name").fill("abe")
        page.get_by_test_id("login-password").fill("not the password")
        page.get_by_test_id("login-submit").click()
        expect(page.get_by_test_id("login-problem")).to_contain_text("Name and password do not match")
        page.get_by_test_id("login-password").fill(PASSWORD)
        page.get_by_test_id("login-submit").click()
        expect(page.get_by_test_id("account-role")).to_have_text("approver")
        expect(page.locator(".subject-title")).to_contain_text(item["case"]["symbol"])
        assert PASSWORD not in page.content()
        page.get_by_test_id("logout").click()
        expect(page.get_by_test_id("login-page")).to_be_visible()
        page.reload()
        expect(page.get_by_test_id("login-page")).to_be_visible()


def test_what_people_cannot_hold_is_people_busy(desk: Desk) -> None:
    states = dict(rows(desk.home, "SELECT coalesce(reason, state), count(*) FROM cases GROUP BY 1"))
    assert states["awaiting"] == 8
    assert states["people_busy"] > 0
    assert "capacity" not in states


def test_an_edit_gives_a_new_digest_and_another_person_signs_it(browser: Browser, desk: Desk) -> None:
    item = desk.pending()[0]
    fewer = item["case"]["proposal"]["quantity"] // 2
    with person(browser, desk, "abe", at(item)) as abe:
        page = abe.page
        page.get_by_test_id("mode-edit").click()
        page.get_by_test_id("edit-quantity").fill(str(item["case"]["proposal"]["quantity"] + 1))
        expect(page.get_by_test_id("edit-send")).to_be_disabled()
        page.get_by_test_id("edit-quantity").fill(str(fewer))
        expect(page.get_by_test_id("edit-preview")).to_contain_text(f"{fewer:,}")
        page.get_by_test_id("decision-reason").fill("half is enough")
        page.get_by_test_id("edit-send").click()
        expect(page.get_by_test_id("decision-result")).to_contain_text("Your edit is recorded; 0 of 1 signed")
        now = desk.get(f"/approvals/{item['id']}")
        assert (now["digest"] != item["digest"], now["edited_by"], now["status"]) == (True, "abe", "pending")
        expect(page.locator(".subject-title")).to_contain_text(f"{fewer:,}")
        expect(page.get_by_test_id("missing")).to_contain_text("abe (edited it)")
        expect(page.get_by_test_id("decision-approve")).to_be_disabled()
        expect(page.get_by_label("Decision", exact=True)).to_contain_text("another person must sign")
        expect(page.get_by_label("Decision", exact=True)).to_contain_text(now["digest"][:12])
    with person(browser, desk, "zoe", at(item)) as zoe:
        zoe.say("approve", "smaller is fine")
        expect(zoe.page.get_by_test_id("decision-result")).to_contain_text("Approved by zoe")
    assert signed(desk, item) == [("zoe", "approve", None)]
    assert rows(desk.home, "SELECT quantity_budget FROM grants WHERE approval_id=?", item["id"]) == [(fewer,)]
    assert rows(desk.home, "SELECT principal, new_digest FROM edits") == [("abe", now["digest"])]


def test_a_question_is_answered_in_place_and_decides_nothing(browser: Browser, desk: Desk) -> None:
    item = desk.pending()[0]
    with person(browser, desk, "zoe", at(item)) as zoe:
        page = zoe.page
        page.get_by_test_id("mode-ask").click()
        page.get_by_test_id("case-ask").click()
        expect(page.get_by_role("alert")).to_contain_text("Type a question")
        page.get_by_test_id("case-question").fill("What is waiting?")
        page.get_by_test_id("case-ask").click()
        asked = page.get_by_test_id("questions")
        expect(asked).to_contain_text("What is waiting?")
        expect(asked).to_contain_text(item["case"]["symbol"])
        expect(page.get_by_test_id("case-question")).to_have_value("")
    (kept,) = desk.get(f"/approvals/{item['id']}")["questions"]
    assert (kept["principal"], kept["question"]) == ("zoe", "What is waiting?")
    assert kept["answer"]
    assert signed(desk, item) == []


def test_a_half_typed_reason_survives_what_somebody_else_does(browser: Browser, desk: Desk) -> None:
    item, other = desk.pending()[:2]
    with person(browser, desk, "zoe", at(item)) as zoe, person(browser, desk, "abe", at(item)) as abe:
        field = zoe.page.get_by_test_id("decision-reason")
        field.fill("I am not sure whether")
        abe.page.get_by_test_id("acknowledge").click()
        expect(zoe.page.get_by_test_id("acknowledged")).to_have_text("seen by abe")
        expect(field).to_have_value("I am not sure whether")
        expect(field).to_be_focused()
        zoe.go(at(other))
        expect(zoe.page.get_by_test_id("decision-reason")).to_have_value("")
        zoe.go(at(item))
        expect(field).to_have_value("I am not sure whether")


def test_who_comes_second_reads_in_place_who_was_first(browser: Browser, desk: Desk) -> None:
    item = desk.pending()[0]
    stale = json.dumps(desk.get("/approvals", status="pending", limit=200))

    def from_before(route: Route) -> None:
        route.fulfill(content_type="application/json", body=stale)

    with person(browser, desk, "zoe") as zoe, person(browser, desk, "abe", at(item)) as abe:
        zoe.page.route(re.compile(r"/api/v1/approvals\?"), from_before)
        zoe.open(item)
        abe.say("reject", "the thesis is wrong")
        expect(abe.page.get_by_test_id("decision-result")).to_contain_text("Rejected by abe")
        zoe.expected = (401, 409)
        zoe.say("approve", "looks right to me")
        told = zoe.page.get_by_test_id("decision-result")
        expect(told).to_contain_text("abe rejected this first")
        expect(told).to_contain_text("looks right to me")
    assert signed(desk, item) == [("abe", "reject", None)]


def test_two_of_a_class_are_approved_together_and_logged_each(browser: Browser, desk: Desk) -> None:
    items = desk.pending()
    kind = (items[0]["case"]["strategy"], items[0]["tier"])
    pair = [item for item in items if (item["case"]["strategy"], item["tier"]) == kind][:2]
    with person(browser, desk, "abe", "#/approvals") as abe:
        page = abe.page
        page.get_by_test_id("bulk-start").click()
        for item in pair:
            page.get_by_label(f"Select {item['case']['symbol']}", exact=True).check()
        page.get_by_test_id("bulk-approve").click()
        expect(page.get_by_test_id("bulk-list").locator("li")).to_have_count(2)
        page.get_by_test_id("bulk-confirm").click()
        expect(page.get_by_test_id("bulk-problem")).to_contain_text("Give a reason")
        page.get_by_test_id("bulk-reason").fill("both follow the same trend")
        page.get_by_test_id("bulk-confirm").click()
        expect(page.get_by_test_id("bulk-result")).to_contain_text("2 approved")
        page.get_by_test_id("bulk-finish").click()
        expect(page.get_by_test_id("approved-list")).to_contain_text(pair[0]["case"]["symbol"])
    assert [signed(desk, item) for item in pair] == [[("abe", "approve", None)]] * 2
    logged = rows(
        desk.home,
        "SELECT count(*) FROM ledger WHERE kind='case.approved' AND case_id IN (?, ?)",
        *(item["case_id"] for item in pair),
    )
    assert logged == [(2,)]


def lend(page: Page, to: str, minutes: int = 60) -> None:
    page.get_by_test_id("delegation-to").fill(to)
    page.get_by_test_id("delegation-ends").fill(
        page.evaluate(
            """minutes => { const at = new Date(Date.now() + minutes * 60000);
            return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16); }""",
            minutes,
        )
    )
    page.get_by_test_id("delegation-reason").fill("a week off")
    page.get_by_test_id("delegation-add").click()


def test_a_lent_role_opens_the_queue_without_a_reload_until_it_is_ended(browser: Browser, desk: Desk) -> None:
    item, later = desk.pending()[:2]
    with person(browser, desk, "cora", at(item)) as cora:
        expect(cora.page.get_by_test_id("decision-approve")).to_be_disabled()
        with person(browser, desk, "abe", "#/oversight/delegations") as abe:
            lend(abe.page, "cora")
            expect(abe.page.get_by_test_id("delegation-note")).to_contain_text("cora may answer for abe until")
            expect(abe.page.get_by_test_id("delegations-table")).to_contain_text("running")
            expect(cora.page.get_by_test_id("decision-approve")).to_be_enabled()
            expect(cora.page.get_by_label("Decision", exact=True)).to_contain_text("the role of abe")
            cora.say("approve", "abe told me what to look for")
            expect(cora.page.get_by_test_id("decision-result")).to_contain_text("Approved by cora for abe")
            cora.go(at(later))
            expect(cora.page.get_by_test_id("decision-approve")).to_be_enabled()
            abe.page.get_by_test_id("delegation-end").click()
            expect(abe.page.get_by_test_id("delegations-table")).to_contain_text("ended")
            expect(cora.page.get_by_test_id("decision-approve")).to_be_disabled()
    assert signed(desk, item) == [("cora", "approve", "abe")]
    (loan,) = desk.get("/delegations")["items"]
    assert (loan["from"], loan["to"], loan["created_by"]) == ("abe", "cora", "abe")
    assert datetime.fromisoformat(loan["ended"]) <= datetime.now(UTC)


def test_a_role_is_changed_in_the_browser_and_an_open_session_follows(browser: Browser, desk: Desk) -> None:
    with person(browser, desk, "vera", "#/approvals") as vera:
        expect(vera.page.get_by_test_id("nav-ask")).to_be_hidden()
        with person(browser, desk, "root", "#/oversight/people") as root:
            page = root.page
            own = page.locator("tr[data-person='root']")
            expect(own.get_by_test_id("person-role-change")).to_have_count(0)
            page.locator("tr[data-person='vera']").get_by_test_id("person-role-change").click()
            page.get_by_test_id("role-confirm").click()
            expect(page.get_by_test_id("role-problem")).to_contain_text("has this role already")
            page.get_by_test_id("role-select").select_option("operator")
            page.get_by_test_id("role-reason").fill("trained last week")
            page.get_by_test_id("role-confirm").click()
            expect(page.locator("tr[data-person='vera']")).to_contain_text("operator")
        expect(vera.page.get_by_test_id("account-role")).to_have_text("operator")
        expect(vera.page.get_by_test_id("nav-ask")).to_be_visible()
    assert rows(desk.home, "SELECT role FROM people WHERE name='vera'") == [("operator",)]


def test_the_attention_page_tells_who_answered_how_fast_and_what_was_left_out(browser: Browser, desk: Desk) -> None:
    with person(browser, desk, "abe", "#/oversight/attention") as abe:
        expect(abe.page.get_by_test_id("attention-table")).to_contain_text("zoe")
        expect(abe.page.get_by_test_id("sla-table").first).to_contain_text("all")
        left = abe.page.get_by_test_id("capacity-table")
        expect(left).to_contain_text("Everybody had enough waiting")
        expect(abe.page.get_by_test_id("capacity-cost")).to_contain_text("Too little has settled")
    with person(browser, desk, "cora", "#/oversight/attention") as cora:
        expect(cora.page.get_by_text("Your role does not include this page.")).to_be_visible()


def test_the_notifications_page_sends_a_test_that_arrives(browser: Browser, staffed: Staffed) -> None:
    desk = staffed.desk
    with person(browser, desk, "root", "#/oversight/notifications") as root:
        page = root.page
        expect(page.locator("tr[data-target='ops']")).to_contain_text("127.0.0.1")
        page.get_by_test_id("notify-test").click()
        expect(page.get_by_test_id("notify-result")).to_contain_text("1 of 1 took the test")
        expect(page.locator("tr[data-target='ops']")).to_contain_text("taken")
        expect(page.get_by_test_id("outbox-table")).to_contain_text("notify test")
        page.get_by_test_id("outbox-state").select_option("given_up")
        expect(page.get_by_text("No message is given up yet.")).to_be_visible()
    with person(browser, desk, "abe", "#/oversight/notifications") as abe:
        expect(abe.page.get_by_test_id("targets-table")).to_be_visible()
        expect(abe.page.get_by_test_id("notify-test")).to_have_count(0)
    assert any(one.genuine for one in staffed.peer.received)


def test_every_screen_fits_a_telephone(browser: Browser, desk: Desk) -> None:
    item = until(lambda: desk.pending() or None, "something waits")[0]
    tabs = ("policy", "delegations", "attention", "models", "notifications", "people")
    routes = ["#/", "#/approvals", at(item), f"#/cases/{item['case_id']}", "#/ask", "#/history", "#/history/ledger"]
    with person(browser, desk, "root", **PHONE) as root:
        for route in [*routes, *(f"#/oversight/{tab}" for tab in tabs)]:
            page = root.go(route)
            expect(page.locator("main :is(h1, h2):visible").first).to_be_visible()
            expect(page.get_by_text(re.compile("^Loading "))).to_have_count(0)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, route
        root.go("#/oversight/people").get_by_test_id("person-role-change").first.click()
        box = page.get_by_test_id("role-confirm").bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390
