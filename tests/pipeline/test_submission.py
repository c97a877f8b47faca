"""Submission reads the table again: what was tampered with, or is no longer good, becomes no order."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from memory.tables import CaseRow, LedgerRow, OrderRow, OutboxRow, PositionRow, RunRow
from pipeline import activation, halt
from pipeline.activation import in_force
from pipeline.policy import Facts
from pipeline.store import Store, now
from pipeline.submission import OpenMarket, add_order, submit_case
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, NOBODY, OPEN, OPEN_TICK, Question, code_of, say, submit, truth
from tools.execution.types import OrderRequest
from tools.risk.limits import load_limits

SENT = life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)
VOIDED = life.Truth("voided", "voided", ("voided",), 0, 0, 1)


@pytest.fixture
def approved(store: Store) -> Question:
    """An entry that one person released."""
    question = life.ask(store)
    say(store, question)
    return question


def reason(store: Store, question: Question) -> str:
    with store.db.read() as session:
        return session.get_one(CaseRow, question.case_id).reason or ""


def test_an_approved_case_becomes_one_order_with_what_was_approved(store: Store, approved: Question) -> None:
    assert submit(store, approved).value == "submitted"
    assert truth(store, approved) == SENT
    with store.db.read() as session:
        order = session.exec(select(OrderRow)).one()
    assert (order.symbol, order.side, order.quantity, order.leg, order.attempt) == ("IBM", "buy", 100, "entry", 1)
    assert (order.body.time_in_force, order.body.reduce_only) == ("opg", False)


def test_submitting_again_and_again_changes_nothing(store: Store, approved: Question) -> None:
    submit(store, approved)
    before = life.everything(store)
    for _ in range(3):
        assert submit(store, approved).value == "submitted"
    assert life.everything(store) == before


@pytest.mark.parametrize("state", ["awaiting", "rejected", "expired"])
def test_a_case_nobody_approved_is_left_as_it_is(store: Store, state: str) -> None:
    question = life.ask(store)
    if state == "rejected":
        say(store, question, decision="reject")
    if state == "expired":
        life.expire(store, 61)
    before = life.everything(store)
    assert submit(store, question).value == state
    assert life.everything(store) == before


TAMPERINGS = {
    "quantity in the proposal": """UPDATE cases SET body = replace(body, '"quantity":100', '"quantity":900')""",
    "side in the proposal": """UPDATE cases SET body = replace(body, '"buy"', '"sell"')""",
    "stop in the proposal": """UPDATE cases SET body = replace(body, '"114"', '"1"')""",
    "digest of the case": "UPDATE cases SET digest = replace(digest, substr(digest, 1, 8), '00000000')",
    "symbol of the case": "UPDATE cases SET symbol = 'MSFT'",
    "side of the case": "UPDATE cases SET side = 'sell'",
    "kind of the case": "UPDATE cases SET kind = 'order.exit'",
    "risk effect of the case": "UPDATE cases SET risk_effect = 'reduces'",
    "strategy of the case": "UPDATE cases SET strategy = 'other'",
    "budget in the grant": """UPDATE grants SET body = replace(body, '_budget":100', '_budget":900')""",
    "budget of the grant": "UPDATE grants SET quantity_budget = 900",
    "digest of the grant": "UPDATE grants SET digest = '0'",
    "digest in the grant": "UPDATE grants SET body = replace(body, digest, '0')",
    "people in the grant": """UPDATE grants SET body = replace(body, '"ann"', '"bob"')""",
    "band in the grant": """UPDATE grants SET body = replace(body, '"123"', '"999"')""",
    "expiry in the grant": """UPDATE grants SET body = replace(body, '"expires_index":61', '"expires_index":99')""",
    "signature": "UPDATE grants SET signature = replace(signature, substr(signature, 1, 4), '0000')",
    "no signature": "UPDATE grants SET signature = ''",
    "rubbish signature": "UPDATE grants SET signature = 'not hex'",
    "run of the grant": "UPDATE grants SET run_id = 'run_2'",
    "grant of another approval": "UPDATE grants SET approval_id = 'appr_other'",
    "kind of the grant": "UPDATE grants SET kind = 'halt_mandate'",
    "grant deleted": "DELETE FROM grants",
    "approval deleted": "DELETE FROM approvals",
    "digest of the approval": "UPDATE approvals SET digest = '0'",
    "upper band": "UPDATE approvals SET band_high = '999'",
    "lower band": "UPDATE approvals SET band_low = '1'",
    "hash of the explanation asked": "UPDATE approvals SET explanation_hash = '0'",
    "hash of the explanation": "UPDATE explanations SET sha256 = '0'",
    "text of the explanation": "UPDATE explanations SET body = replace(body, 'Buy', 'Sell')",
    "explanation deleted": "DELETE FROM explanations",
    "policy": "UPDATE approvals SET policy_sha256 = '0'",
    "limits": "UPDATE approvals SET limits_sha256 = '0'",
    "expiry": "UPDATE approvals SET expires_index = 99",
    "status": "UPDATE approvals SET status = 'pending'",
    "decision deleted": "DELETE FROM decisions",
    "decision turned": "UPDATE decisions SET decision = 'reject'",
    "decision of somebody else": "UPDATE decisions SET principal = 'mallory'",
    "decision about another digest": "UPDATE decisions SET digest = '0'",
    "a second approver made up": (
        "INSERT INTO decisions (approval_id, case_id, principal, decision, digest, reason, decided_wall) "
        "SELECT approval_id, case_id, 'mallory', 'approve', digest, reason, decided_wall FROM decisions"
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_anything_tampered_with_between_approval_and_submission_voids_the_case_with_a_finding(
    store: Store, approved: Question, what: str
) -> None:
    life.tamper(store, TAMPERINGS[what])
    assert submit(store, approved).value == "voided"
    found = truth(store, approved)
    assert (found.state, found.orders, found.outbox) == ("voided", 0, 0)
    assert "minted" not in found.grants
    assert life.findings(store) == ["tampered"]
    assert life.count(store, OutboxRow) == 0


def test_a_grant_signed_with_another_key_is_worth_nothing(store: Store, approved: Question) -> None:
    store.home.grant_key.unlink()
    other = life.new_store(store.home.path)
    assert submit(other, approved).value == "voided"
    assert life.findings(other) == ["tampered"]
    other.db.dispose()


def test_a_case_set_to_approved_by_hand_is_voided_with_a_finding(store: Store) -> None:
    question = life.ask(store)
    life.tamper(store, "UPDATE cases SET state = 'approved'")
    assert submit(store, question).value == "voided"
    assert life.findings(store) == ["tampered"]
    assert truth(store, question).orders == 0


@pytest.mark.parametrize("price", ["117.99", "123.01", "1", "9999"])
def test_an_open_outside_the_band_voids_the_case(store: Store, approved: Question, price: str) -> None:
    away = OpenMarket(tick=OPEN_TICK, opens={"IBM": Decimal(price)}, adv=OPEN.adv, groups=OPEN.groups)
    assert submit(store, approved, away).value == "voided"
    assert "left the band" in reason(store, approved)
    assert truth(store, approved) == VOIDED
    assert life.findings(store) == []


@pytest.mark.parametrize("price", ["118", "123"])
def test_an_open_on_the_edge_of_the_band_is_inside_it(store: Store, approved: Question, price: str) -> None:
    edge = OpenMarket(tick=OPEN_TICK, opens={"IBM": Decimal(price)}, adv=OPEN.adv, groups=OPEN.groups)
    assert submit(store, approved, edge).value == "submitted"


def test_without_an_opening_price_nothing_is_sent(store: Store, approved: Question) -> None:
    assert (
        submit(store, approved, OpenMarket(tick=OPEN_TICK, opens={}, adv=OPEN.adv, groups=OPEN.groups)).value
        == "voided"
    )
    assert "no opening price" in reason(store, approved)


def test_a_position_that_changed_since_the_approval_voids_the_case(store: Store, approved: Question) -> None:
    life.hold(store, 50)
    assert submit(store, approved).value == "voided"
    assert "changed from 0 to 50" in reason(store, approved)


def test_a_grant_older_than_its_time_to_live_is_not_used(store: Store, approved: Question) -> None:
    life.move_clock(store, 62)
    assert submit(store, approved).value == "voided"
    assert "time to live" in reason(store, approved)


def test_a_hard_limit_that_blocks_now_stops_what_a_person_approved(store: Store, approved: Question) -> None:
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        run.day_start_equity = Decimal(1_200_000)
        session.add(run)
    assert submit(store, approved).value == "voided"
    assert "daily_loss blocks now" in reason(store, approved)


def test_a_limit_tightened_since_the_approval_stops_it(store: Store, approved: Question) -> None:
    law = in_force(store)
    tight = load_limits(
        (store.home.config / "limits.yaml")
        .read_text()
        .replace('max_order_notional: "50000"', 'max_order_notional: "900"')
    )
    law = type(law)(tight, law.limits_sha256, law.policy, law.policy_sha256)
    assert submit_case(store, life.MARKET, law, approved.case_id, OPEN).value == "voided"
    assert "max_notional blocks now" in reason(store, approved)


def test_what_cannot_be_evaluated_blocks(store: Store, approved: Question) -> None:
    assert (
        submit(store, approved, OpenMarket(tick=OPEN_TICK, opens=OPEN.opens, adv={}, groups=OPEN.groups)).value
        == "voided"
    )
    assert "blocks now" in reason(store, approved)


def test_an_order_in_the_symbol_that_nobody_knows_about_blocks(store: Store, approved: Question) -> None:
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        request = OrderRequest(
            client_order_id="lost", symbol="IBM", side="buy", quantity=1, order_type="market", time_in_force="opg"
        )
        lost = add_order(
            session, run, request, case_id="case_lost", grant_id="g", leg="entry", attempt=1, at=OPEN_TICK
        )  # fmt: skip
        lost.state = "unknown"
        session.add(lost)
    assert submit(store, approved).value == "voided"
    assert "unknown_order blocks now" in reason(store, approved)


def test_in_safe_mode_an_approved_increase_is_voided(store: Store, approved: Question) -> None:
    store.reduce_only.append("limits.yaml differs")
    assert submit(store, approved).value == "voided"
    assert "safe mode" in reason(store, approved)


@pytest.mark.parametrize("how", ["halt", "safe mode", "no price", "wild price"])
def test_a_reduction_goes_on_whatever_stops_an_increase(store: Store, how: str) -> None:
    life.hold(store)
    question = life.ask(store, life.exit_proposal(), NOBODY, exposure=100)
    opens = dict(OPEN.opens)
    match how:
        case "halt":
            halt.engage(store, action="no_new", reason="drill", principal=BOB)
        case "safe mode":
            store.reduce_only.append("limits.yaml differs")
        case "no price":
            opens = {}
        case _:
            opens = {"IBM": Decimal("1")}
    assert (
        submit(store, question, OpenMarket(tick=OPEN_TICK, opens=opens, adv={}, groups=OPEN.groups)).value
        == "submitted"
    )
    with store.db.read() as session:
        order = session.exec(select(OrderRow)).one()
    assert (order.leg, order.side, order.body.reduce_only) == ("exit", "sell", True)


def test_a_reduction_of_a_position_that_changed_is_voided(store: Store) -> None:
    life.hold(store)
    question = life.ask(store, life.exit_proposal(), NOBODY, exposure=100)
    with store.db.write() as session:
        row = session.get_one(PositionRow, (life.RUN, "IBM"))
        row.quantity = 40
        session.add(row)
    assert submit(store, question).value == "voided"


def test_an_exit_cancels_the_stop_of_its_position_once_even_when_that_was_asked_before(store: Store) -> None:
    life.hold(store)
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        stop = OrderRequest(
            client_order_id="stop_1", symbol="IBM", side="sell", quantity=100, order_type="stop",
            time_in_force="gtc", stop_price=Decimal(114), reduce_only=True,
        )  # fmt: skip
        add_order(session, run, stop, case_id="case_old", grant_id="g", leg="stop", attempt=1, at=OPEN_TICK)
        session.add(OutboxRow(run_id=life.RUN, client_order_id="stop_1", action="cancel", created_wall=now()))
    question = life.ask(store, life.exit_proposal(), NOBODY, exposure=100)
    assert submit(store, question).value == "submitted"
    with store.db.read() as session:
        cancels = session.exec(select(OutboxRow).where(OutboxRow.action == "cancel")).all()
    assert [row.client_order_id for row in cancels] == ["stop_1"]


def test_every_end_of_a_submission_is_in_a_ledger_that_verifies(store: Store, approved: Question) -> None:
    submit(store, approved)
    with store.db.read() as session:
        kinds = session.exec(select(LedgerRow.kind).where(LedgerRow.case_id == approved.case_id)).all()
    assert kinds == ["case.awaiting", "case.approved", "case.submitted"]
    assert store.verify_ledger().verified
    assert code_of(lambda: say(store, approved, BOB, "reject")) == "decided"


def new_limits(store: Store, old: str, new: str) -> None:
    """Other limits in force since the question was asked."""
    path = store.home.config / "limits.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    activation.activate(store, "limits", principal=ANN, reason="test")


def new_policy(store: Store, old: str, new: str) -> None:
    path = store.home.config / "policy.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text[: text.index("tests:")].replace(old, new))
    activation.activate(store, "policy", principal=ANN, reason="test")


def submitted_content(store: Store) -> dict[str, Any]:
    with store.db.read() as session:
        row = session.exec(select(LedgerRow).where(LedgerRow.kind == "case.submitted")).one()
    found: dict[str, Any] = json.loads(row.content)["body"]
    return found


def test_under_the_law_of_the_asking_nothing_more_is_recorded(store: Store, approved: Question) -> None:
    assert life.submit(store, approved) == "submitted"
    assert "checked_on" not in submitted_content(store)


def test_limits_that_changed_without_hurting_the_order_let_it_go_and_are_named(
    store: Store, approved: Question
) -> None:
    new_limits(store, 'max_drawdown: "0.15"', 'max_drawdown: "0.14"')
    law = in_force(store)
    assert life.submit(store, approved) == "submitted"
    assert submitted_content(store)["checked_on"] == {"policy": law.policy_sha256, "limits": law.limits_sha256}


def test_limits_that_block_the_order_now_void_it(store: Store, approved: Question) -> None:
    new_limits(store, 'max_order_notional: "50000"', 'max_order_notional: "5000"')
    assert life.submit(store, approved) == "voided"
    assert "above the limit of 5,000.00" in reason(store, approved)


def test_the_law_of_the_transaction_counts_not_the_one_the_caller_holds(store: Store, approved: Question) -> None:
    held = in_force(store)
    new_limits(store, 'max_order_notional: "50000"', 'max_order_notional: "5000"')
    assert submit_case(store, life.MARKET, held, approved.case_id, life.OPEN) == "voided"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("mode: supervise", "mode: observe", "the policy in force only observes"),
        ("mode: supervise", "mode: advise", "the policy in force only advises"),
        ("profile: single_operator", "profile: desk", "the policy in force asks 2 people, 1 signed"),
    ],
)
def test_a_policy_that_asks_more_than_was_signed_voids_it(store: Store, old: str, new: str, why: str) -> None:
    facts = Facts(kind="order.entry", risk_effect="increases", strategy="trend-0")
    asked = life.ask(store, facts=facts)
    say(store, asked)
    new_policy(store, old, new)
    assert life.submit(store, asked) == "voided"
    assert reason(store, asked) == why


def test_a_policy_that_asks_no_more_lets_it_go(store: Store) -> None:
    facts = Facts(kind="order.entry", risk_effect="increases", strategy="trend-0", notional_share=Decimal("0.01"))
    asked = life.ask(store, facts=facts)
    say(store, asked)
    new_policy(store, "capacity: 5", "capacity: 3")
    assert life.submit(store, asked) == "submitted"


@pytest.mark.parametrize(
    "statement",
    ["UPDATE approvals SET exposure = 5", """UPDATE approvals SET worst_checks = '{"max_sector_share":"block"}'""",
     "UPDATE approvals SET facts = '{}'", "UPDATE approvals SET required = 0", """UPDATE approvals SET roles = '[]'"""],
)  # fmt: skip
def test_terms_altered_after_the_mint_are_tampering(store: Store, approved: Question, statement: str) -> None:
    life.tamper(store, statement)
    if "facts" in statement:
        life.tamper(store, """UPDATE approvals SET facts = '{"kind":"order.exit","risk_effect":"reduces"}'""")
    assert life.submit(store, approved) == "voided"
    assert life.findings(store) == ["tampered"]


def test_another_strategy_s_approved_order_in_the_symbol_counts_as_filled(store: Store) -> None:
    """Held back by nothing of its own: 300 shares each are 3.7 % of equity, and two of them pass the cap of 4 %."""
    law = in_force(store)
    wide = replace(law, limits=law.limits.model_copy(update={"max_trade_share": Decimal("0.04")}))
    first, second = (life.ask(store, life.proposal(number, quantity=300 + number)) for number in range(2))
    for question in (first, second):
        say(store, question)
    assert submit_case(store, life.MARKET, wide, first.case_id, OPEN).value == "voided"
    assert submit_case(store, life.MARKET, wide, second.case_id, OPEN).value == "submitted"
