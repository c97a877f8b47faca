"""The console in a real browser, over a desk that is really served."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.desk import Desk, Homes, held, rows, serving, until
from tests.e2e.visitor import Visitor, require_built, visiting

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def desk(homes: Homes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for all tests here, on a home with five questions open. The console must have been built."""
    require_built()
    with serving(homes.copy("waiting", tmp_path_factory.mktemp("console") / "home")) as served:
        yield served


@pytest.fixture
def visitor(browser: Browser, desk: Desk) -> Iterator[Visitor]:
    desk.holds()
    with visiting(browser, desk, viewport={"width": 1280, "height": 900}) as someone:
        yield someone


def case_state(visitor: Visitor, case_id: str) -> Page:
    """Open a case page that has loaded."""
    page = visitor.go(f"#/cases/{case_id}")
    expect(page.get_by_test_id("case-state")).to_be_visible()
    return page


def test_the_queue_shows_what_really_waits_with_its_evidence(visitor: Visitor, desk: Desk) -> None:
    page = visitor.go()
    expect(page.get_by_test_id("equity")).to_contain_text("1,000,000")
    expect(page.get_by_test_id("waiting-count")).to_have_text("5")
    expect(page.get_by_test_id("connection")).to_contain_text("live")
    page.get_by_test_id("nav-approvals").click()
    shown = page.get_by_test_id("approval-row")
    expect(shown).to_have_count(5)
    asked = {item["id"]: item for item in desk.pending()}
    assert {row.get_attribute("data-approval") for row in shown.all()} == set(asked)
    shown.first.click()
    item = asked[str(shown.first.get_attribute("data-approval"))]
    proposal = item["case"]["proposal"]
    expect(page.locator(".subject-title")).to_contain_text(f"{proposal['quantity']:,} {proposal['symbol']}")
    expect(page.get_by_label("Evidence", exact=True).locator("li, tr, summary").first).to_be_visible()
    expect(page.get_by_label("Checks", exact=True)).to_contain_text("trade")
    expect(page.get_by_label("Decision", exact=True)).to_contain_text(item["digest"][:12])


def test_an_approval_without_a_reason_goes_nowhere(visitor: Visitor, desk: Desk) -> None:
    item = desk.pending()[0]
    page = visitor.open(item)
    page.get_by_test_id("decision-approve").click()
    expect(page.get_by_role("alert")).to_contain_text("Give a reason")
    assert rows(desk.home, "SELECT count(*) FROM decisions") == [(0,)]
    assert desk.get(f"/approvals/{item['id']}")["status"] == "pending"


def test_approvals_become_positions_with_fills_and_explanation_and_the_rest_expires(
    visitor: Visitor, desk: Desk
) -> None:
    before, first = held(desk.home), desk.view()
    asked = {item["id"]: item for item in desk.pending()}
    approved: list[dict[str, Any]] = []
    page = visitor.go("#/approvals")
    page.get_by_test_id("approval-row").first.click()
    while True:
        expect(page.get_by_test_id("decision-reason")).to_be_visible()
        approved.append(asked[page.url.rpartition("/")[2]])
        visitor.say("approve", f"reason {len(approved)}, given in a browser")
        expect(page.get_by_test_id("decision-result")).to_contain_text("Approved by local operator")
        if len(approved) == 3:
            break
        page.get_by_test_id("decision-next").click()
    assert {tuple(row) for row in rows(desk.home, "SELECT approval_id, decision, reason FROM decisions WHERE "
            "principal = 'local operator'")} == {
        (item["id"], "approve", f"reason {number}, given in a browser") for number, item in enumerate(approved, 1)
    }  # fmt: skip
    assert held(desk.home) == before

    page.get_by_test_id("next-session").click()
    until(lambda: desk.view()["session_index"] == first["session_index"] + 1 and desk.holds(), "the session was played")
    new = {symbol: shares for symbol, shares in held(desk.home).items() if symbol not in before}
    assert new, "at least one of three approvals is filled at the next open"
    assert set(new) <= {item["case"]["symbol"] for item in approved}

    page.get_by_test_id("nav-overview").click()
    table = page.get_by_test_id("positions-table")
    for position in desk.get("/positions")["items"]:
        row = table.locator(f"tr[data-symbol='{position['symbol']}']")
        expect(row).to_contain_text(f"{position['quantity']:,}")
        assert position["quantity"] == held(desk.home)[position["symbol"]]
    symbol, shares = next(iter(new.items()))
    table.locator(f"tr[data-symbol='{symbol}'] a").click()
    expect(page.get_by_test_id("case-state")).to_be_visible()
    item = next(item for item in approved if item["case"]["symbol"] == symbol)
    assert page.url.endswith(item["case_id"])
    expect(page.get_by_test_id("fills-table").locator("tbody tr")).to_have_count(1)
    expect(page.get_by_test_id("fills-table")).to_contain_text(f"{shares:,}")
    expect(page.get_by_label("Decisions", exact=True)).to_contain_text("given in a browser")
    prose = desk.get(f"/explanations/{item['case_id']}")["prose"]
    expect(page.get_by_test_id("explanation")).to_contain_text(prose.split("\n\n")[0][:80])

    left = [other for key, other in asked.items() if other not in approved]
    for other in left:
        assert desk.get(f"/cases/{other['case_id']}")["state"] == "expired"
        assert other["case"]["symbol"] not in new
    page = case_state(visitor, left[0]["case_id"])
    expect(page.get_by_test_id("case-state")).to_have_text("expired")
    expect(page.get_by_label("Fills", exact=True)).to_contain_text("Nothing was filled")


def test_a_rejection_in_the_browser_leaves_the_book_alone(visitor: Visitor, desk: Desk) -> None:
    item = desk.pending()[0]
    before = rows(desk.home, "SELECT count(*) FROM orders WHERE leg='entry'")
    page = visitor.open(item)
    visitor.say("reject", "too dear")
    expect(page.get_by_test_id("decision-result")).to_contain_text("Rejected by local operator")
    desk.next()
    page = case_state(visitor, item["case_id"])
    expect(page.get_by_test_id("case-state")).to_have_text("rejected")
    expect(page.get_by_label("Orders", exact=True)).to_contain_text("No order was sent")
    assert desk.get(f"/cases/{item['case_id']}")["orders"] == []
    assert rows(desk.home, "SELECT count(*) FROM orders WHERE leg='entry'") == before


def test_who_comes_second_reads_in_place_who_decided_first(visitor: Visitor, browser: Browser, desk: Desk) -> None:
    item = desk.pending()[0]
    page = visitor.open(item)
    stale = json.dumps(desk.get("/approvals", status="pending", limit=200))

    def from_before(route: Route) -> None:
        route.fulfill(content_type="application/json", body=stale)

    page.route(re.compile(r"/api/v1/approvals\?"), from_before)
    with visiting(browser, desk) as other:
        other.open(item)
        other.say("reject", "I was here first")
        expect(other.page.get_by_test_id("decision-result")).to_contain_text("Rejected by")
    visitor.expected = (409,)
    visitor.say("approve", "I thought I was")
    told = page.get_by_test_id("decision-result")
    expect(told).to_contain_text("Already decided otherwise")
    expect(told).to_contain_text("local operator said reject")
    assert page.url.endswith(item["id"])
    said = rows(desk.home, "SELECT decision, reason FROM decisions WHERE approval_id=?", item["id"])
    assert said == [("reject", "I was here first")]


def test_halt_shows_a_banner_stops_approvals_and_resume_voids_what_was_pending(visitor: Visitor, desk: Desk) -> None:
    item = desk.pending()[0]
    page = visitor.open(item)
    page.get_by_test_id("halt-open").click()
    page.get_by_test_id("halt-action-no_new").check()
    page.get_by_test_id("halt-confirm").click()
    expect(page.get_by_test_id("halt-problem")).to_contain_text("Give a reason")
    page.get_by_test_id("halt-reason").fill("the feed looks wrong")
    page.get_by_test_id("halt-confirm").click()
    banner = page.get_by_test_id("halt-banner")
    expect(banner).to_contain_text("the feed looks wrong")

    visitor.expected = (403,)
    visitor.say("approve", "all the same")
    expect(page.get_by_test_id("decision-result")).to_contain_text("a halt is in force")
    waiting = {other["case_id"] for other in desk.pending()}
    entries = rows(desk.home, "SELECT count(*) FROM orders WHERE leg='entry'")

    page.get_by_test_id("resume-open").click()
    page.get_by_test_id("resume-reason").fill("it was a test")
    page.get_by_test_id("resume-confirm").click()
    expect(banner).to_be_hidden()
    assert {desk.get(f"/cases/{case_id}")["state"] for case_id in waiting} == {"voided"}
    desk.holds()
    assert rows(desk.home, "SELECT count(*) FROM orders WHERE leg='entry'") == entries


def test_ask_streams_an_answer_that_cites(visitor: Visitor, desk: Desk) -> None:
    page = visitor.go("#/ask")
    page.get_by_test_id("chat-input").fill("What is waiting for me?")
    with page.expect_response("**/api/v1/chat") as answered:
        page.get_by_test_id("chat-send").click()
    answer = page.get_by_test_id("chat-answer")
    expect(answer).to_have_attribute("data-state", "done")
    assert answered.value.headers["content-type"].startswith("text/event-stream")
    text = answer.inner_text()
    symbols = {item["case"]["symbol"] for item in desk.pending()}
    assert symbols
    assert all(symbol in text for symbol in symbols), text
    page.get_by_test_id("nav-overview").click()
    page.get_by_test_id("nav-ask").click()
    expect(page.get_by_test_id("chat-answer")).to_have_text(text)


def test_a_telephone_scrolls_down_only_and_reaches_the_decision(browser: Browser, desk: Desk) -> None:
    item = desk.holds()[0]
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with visiting(browser, desk, **phone) as someone:
        routes = ("#/", "#/approvals", f"#/approvals/{item['id']}", f"#/cases/{item['case_id']}", "#/ask", "#/history")
        for route in routes:
            page = someone.go(route)
            page.wait_for_load_state("networkidle", timeout=3000) if route == "#/" else page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, route
        page = someone.open(item)
        page.get_by_role("button", name="Go to decision").click()
        for name in ("decision-reason", "decision-approve", "decision-reject"):
            expect(page.get_by_test_id(name)).to_be_in_viewport()
            box = page.get_by_test_id(name).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390


ATTACK = """<!doctype html><meta charset="utf-8"><title>elsewhere</title>
<form id="plain" method="post" enctype="text/plain" action="DESK/api/v1/halts" target="hidden">
<input name='{"action":"no_new","scope":"firm","target":null,"reason":"' value='attack"}'></form>
<form id="next" method="post" action="DESK/api/v1/desk/next" target="hidden"></form>
<iframe name="hidden"></iframe><div id="done"></div>
<script>
const told = [];
const body = JSON.stringify(BODY);
const halt = '{"action":"no_new","reason":"attack","scope":"firm","target":null}';
const post = {method: "POST", mode: "no-cors"}, json = {"content-type": "application/json"};
async function knock(what, options) {
  try {
    const answer = await fetch("DESK/api/v1/" + what, {credentials: "include", ...options});
    told.push(what + " " + answer.type + " " + answer.status);
  } catch (error) { told.push(what + " refused"); }
}
(async () => {
  await knock("approvals/APPROVAL/decision", {...post, body});
  await knock("approvals/APPROVAL/decision", {method: "POST", headers: json, body});
  await knock("desk/next", post);
  await knock("halts", {...post, body: halt});
  await knock("desk", {});
  await new Promise(done => {
    const socket = new WebSocket("DESK/api/v1/events?after=0".replace("http", "ws"));
    socket.onmessage = () => { told.push("events heard"); done(); };
    socket.onclose = () => { told.push("events closed"); done(); };
  });
  document.getElementById("plain").submit();
  await new Promise(done => setTimeout(done, 400));
  document.getElementById("next").submit();
  await new Promise(done => setTimeout(done, 400));
  document.getElementById("done").textContent = JSON.stringify(told);
})();
</script>"""


@contextmanager
def elsewhere(body: str) -> Iterator[str]:
    """A site of somebody else on this machine: another port, so the browser would send our cookie along."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_args: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_page_of_another_site_changes_nothing_and_reads_nothing(browser: Browser, desk: Desk) -> None:
    item = desk.holds()[0]
    before = desk.view()
    body = json.dumps({"decision": "approve", "digest": item["digest"], "reason": "attack"})
    page_text = ATTACK.replace("DESK", desk.url).replace("APPROVAL", item["id"]).replace("BODY", body)
    someone = Visitor(browser, desk)
    someone.go()
    assert any(cookie.get("name") == "qd_session" for cookie in someone.context.cookies())
    with elsewhere(page_text) as site:
        someone.page.goto(site)
        someone.page.wait_for_function("document.getElementById('done').textContent !== ''")
        told = json.loads(someone.page.locator("#done").inner_text())
    someone.context.close()
    assert told[-1] == "events closed"
    assert "events heard" not in told
    assert f"approvals/{item['id']}/decision refused" in told
    assert "desk refused" in told
    after = desk.view()
    assert after["ledger"] == before["ledger"]
    assert (after["session_index"], after["halts"], after["waiting"]) == (
        before["session_index"], [], before["waiting"],
    )  # fmt: skip
    assert rows(desk.home, "SELECT count(*) FROM commands WHERE status='pending'") == [(0,)]
    assert rows(desk.home, "SELECT count(*) FROM decisions WHERE reason='attack'") == [(0,)]
