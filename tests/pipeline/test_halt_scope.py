"""Each scope with each action: what it names is stopped as the action says, and what it does not name is left alone."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from memory.tables import OrderRow
from pipeline import execution, halt, halt_program
from pipeline.halt_scope import ACTIONS, SCOPES, Action, Candidate, Scope, agents_of
from pipeline.store import Store, now
from tests.pipeline import life
from tests.pipeline.halting import OPEN, asked, children, halt_row, order_of, own, unsent, venue, working
from tests.pipeline.life import BOB, Question, code_of, say, submit, truth
from tools.execution.types import OrderRequest

PAIRS = [(scope, action) for scope in SCOPES for action in ACTIONS]


class Two(NamedTuple):
    """Two of a kind: the first is IBM of trend-0 after the rules, the other MSFT of trend-1 after the model."""

    named: Question
    other: Question


def target_of(scope: Scope, named: Question) -> str | None:
    return {
        "order": named.case_id, "strategy": "trend-0", "agent": "rules", "symbol": "IBM", "firm": None,
    }[scope]  # fmt: skip


def engage(store: Store, scope: Scope, action: Action, named: Question) -> str:
    return halt.engage(
        store, scope=scope, target=target_of(scope, named), action=action, reason="drill", principal=BOB
    ).id


@pytest.mark.parametrize(("scope", "action"), PAIRS)
def test_a_question_that_is_named_cannot_be_approved_and_another_can(
    store: Store, scope: Scope, action: Action
) -> None:
    two = Two(asked(store, 0), asked(store, 1, "MSFT", "model"))
    engage(store, scope, action, two.named)
    voided = action in ("reduce_only", "flatten")
    assert code_of(lambda: say(store, two.named)) == ("expired" if voided else "forbidden")
    assert truth(store, two.named).state == ("voided" if voided else "awaiting")
    if scope == "firm":
        assert code_of(lambda: say(store, two.other)) == ("expired" if voided else "forbidden")
    else:
        say(store, two.other)
        assert truth(store, two.other).state == "approved"


@pytest.mark.parametrize(("scope", "action"), PAIRS)
def test_an_approval_that_is_named_is_not_submitted_and_another_is(store: Store, scope: Scope, action: Action) -> None:
    two = Two(asked(store, 0), asked(store, 1, "MSFT", "model"))
    for question in two:
        say(store, question)
    engage(store, scope, action, two.named)
    assert submit(store, two.named, OPEN).value == "voided"
    assert submit(store, two.other, OPEN).value == ("voided" if scope == "firm" else "submitted")


@pytest.mark.parametrize(("scope", "action"), PAIRS)
def test_a_working_order_that_is_named_is_cancelled_by_all_but_no_new(
    store: Store, scope: Scope, action: Action
) -> None:
    two = Two(working(store, 0), working(store, 1, "MSFT", "model"))
    key = engage(store, scope, action, two.named)
    halt_program.carry_out_all(store, venue(store))
    gone = "new" if action == "no_new" else "cancelled"
    assert order_of(store, two.named).state == gone
    assert order_of(store, two.other).state == (gone if scope == "firm" else "new")
    found = venue(store).find(order_of(store, two.named).client_order_id)
    assert found is not None
    assert found.state.value == gone
    assert halt_row(store, key).carried_out


@pytest.mark.parametrize(("scope", "action"), PAIRS)
def test_only_flatten_closes_positions_and_only_those_that_are_named(
    store: Store, scope: Scope, action: Action
) -> None:
    named, other = asked(store, 0), asked(store, 1, "MSFT", "model")
    own(store, {"IBM": 100, "MSFT": 50})
    life.hold(store, 100, "IBM", case_id=named.case_id, strategy="trend-0")
    life.hold(store, 50, "MSFT", case_id=other.case_id, strategy="trend-1")
    bought(store, named, 60)
    key = engage(store, scope, action, named)
    halt_program.carry_out_all(store, venue(store))
    closing = {"order": {"IBM": 60}, "firm": {"IBM": 100, "MSFT": 50}}.get(scope, {"IBM": 100})
    assert children(store) == (closing if action == "flatten" else {})
    assert halt_row(store, key).carried_out is (action != "flatten"), "a flatten is carried out once nothing is left"


def bought(store: Store, question: Question, filled: int) -> None:
    """An entry of this case that was filled for so many shares."""
    request = OrderRequest(
        client_order_id="entry-1", symbol="IBM", side="buy", quantity=filled, order_type="market", time_in_force="opg"
    )
    with store.db.write() as session:
        session.add(
            OrderRow(
                client_order_id="entry-1", run_id=life.RUN, case_id=question.case_id, grant_id="g", leg="entry",
                attempt=1, symbol="IBM", side="buy", quantity=filled, state="filled", filled_quantity=filled,
                created=life.AS_OF, body=request, updated_wall=now(),
            )
        )  # fmt: skip


@pytest.mark.parametrize(("scope", "action"), PAIRS)
def test_a_reduction_goes_on_under_every_halt(store: Store, scope: Scope, action: Action) -> None:
    life.hold(store)
    question = life.ask(store, life.exit_proposal(), life.NOBODY, exposure=100)
    engage(store, scope, action, question)
    assert submit(store, question).value == "submitted"


@pytest.mark.parametrize(("scope", "action"), PAIRS)
def test_an_unsent_order_that_is_named_never_leaves(store: Store, scope: Scope, action: Action) -> None:
    two = Two(unsent(store, 0), unsent(store, 1, "MSFT", "model"))
    engage(store, scope, action, two.named)
    halt_program.carry_out_all(store, venue(store))
    execution.dispatch(store, venue(store), life.RUN, life.OPEN_TICK)
    assert order_of(store, two.named).state == "denied"
    assert order_of(store, two.other).state == ("denied" if scope == "firm" else "new")


@pytest.mark.parametrize(("scope", "holds"), [(scope, scope == "firm") for scope in SCOPES])
def test_only_a_halt_of_the_firm_holds_the_replay_clock(store: Store, scope: Scope, holds: bool) -> None:
    engage(store, scope, "no_new", asked(store, 0))
    assert halt.stands(store)
    assert halt.holds_clock(store) is holds


def test_an_order_may_be_named_by_the_id_that_the_broker_knows(store: Store) -> None:
    two = Two(working(store, 0), working(store, 1, "MSFT"))
    name = order_of(store, two.named).client_order_id
    halt.engage(store, scope="order", target=name, action="cancel", reason="drill", principal=BOB)
    halt_program.carry_out_all(store, venue(store))
    assert [order_of(store, q).state for q in two] == ["cancelled", "new"]


@pytest.mark.parametrize(
    ("scope", "target"), [("order", "case_nobody"), ("symbol", "aapl"), ("symbol", " "), ("agent", None)]
)
def test_a_target_that_names_nothing_is_refused(store: Store, scope: Scope, target: str | None) -> None:
    wrong = code_of(
        lambda: halt.engage(store, scope=scope, target=target, action="cancel", reason="drill", principal=BOB)
    )
    assert wrong == "invalid"
    assert not halt.stands(store)


def test_a_case_answers_to_its_reviewer_its_reasoner_and_who_proposed_it() -> None:
    case = Candidate("case_1", "trend", "IBM", {"reasoner": "model"})
    assert agents_of(case) == {"decision", "model", "decision:model", "trend"}


def test_a_case_that_nobody_reviewed_counts_as_named_by_every_agent_halt(store: Store) -> None:
    question = life.ask(store)
    life.tamper(store, "UPDATE cases SET review = '{}'")
    halt.engage(store, scope="agent", target="model", action="no_new", reason="drill", principal=BOB)
    assert code_of(lambda: say(store, question)) == "forbidden"
