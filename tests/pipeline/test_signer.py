"""The signer signs what the table bears out, and is the only one who holds the key."""

from __future__ import annotations

import ast
from decimal import Decimal
from pathlib import Path

import pytest

from memory.tables import ApprovalRow
from pipeline import halt, halt_release, signer
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, ONE, TWO, Question, say
from tools.errors import ApprovalError, ExecutionError

ROOT = Path(__file__).resolve().parents[2]


def body_of(store: Store, asked: Question) -> dict[str, object]:
    with store.db.write() as session:
        return signer.approval_body(session, asked.approval_id)


def unsigned(store: Store, asked: Question, match: str) -> None:
    with pytest.raises(ApprovalError, match=match) as caught:
        body_of(store, asked)
    assert caught.value.code == "unsigned"


def pretend_approved(store: Store) -> None:
    life.tamper(store, "UPDATE approvals SET status = 'approved'")


def test_an_approved_question_is_signed_with_everything_bound(store: Store) -> None:
    asked = life.ask(store, ruling=TWO)
    say(store, asked, BOB)
    say(store, asked, ANN)
    body = body_of(store, asked)
    assert (body["digest"], body["case"], body["quantity_budget"]) == (asked.digest, asked.case_id, 100)
    assert body["principals"] == ["ann", "bob"]
    assert signer.is_signed(store, body, signer.sign(store, body))


def test_a_signature_covers_every_field(store: Store) -> None:
    asked = life.ask(store)
    say(store, asked)
    body = body_of(store, asked)
    signature = signer.sign(store, body)
    for name in body:
        assert not signer.is_signed(store, {**body, name: "other"}, signature), name
    assert not signer.is_signed(store, body, "not hex")


def test_a_pending_question_is_not_signed(store: Store) -> None:
    unsigned(store, life.ask(store), "not approved")


def test_a_status_without_signatures_is_not_signed(store: Store) -> None:
    asked = life.ask(store)
    pretend_approved(store)
    unsigned(store, asked, "too few")


def test_one_signature_of_two_is_too_few(store: Store) -> None:
    asked = life.ask(store, ruling=TWO)
    say(store, asked)
    pretend_approved(store)
    unsigned(store, asked, "too few")


def test_nobody_required_still_takes_one_signature(store: Store) -> None:
    asked = life.ask(store)
    life.tamper(store, "UPDATE approvals SET status = 'approved', required = 0")
    unsigned(store, asked, "too few")


def test_a_signature_of_another_digest_does_not_count(store: Store) -> None:
    asked = life.ask(store)
    say(store, asked)
    life.tamper(store, "UPDATE decisions SET digest = :other", other="0" * 64)
    unsigned(store, asked, "too few")


def test_what_somebody_refused_is_not_signed(store: Store) -> None:
    asked = life.ask(store)
    say(store, asked)
    say(store, asked, BOB, "reject")
    unsigned(store, asked, "not approved")
    pretend_approved(store)
    unsigned(store, asked, "refused")


def test_advice_is_not_signed(store: Store) -> None:
    asked = life.ask(store, ruling=ONE.model_copy(update={"disposition": "advise"}))
    say(store, asked)
    unsigned(store, asked, "advice")


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE cases SET body = replace(body, '"quantity":100', '"quantity":900')""",
        "UPDATE cases SET digest = 'other'",
    ],
)
def test_a_changed_proposal_is_not_signed(store: Store, statement: str) -> None:
    asked = life.ask(store)
    say(store, asked)
    life.tamper(store, statement)
    unsigned(store, asked, "not the one that was asked")


def test_what_was_only_changed_in_memory_is_read_again_from_the_table(store: Store) -> None:
    """The signer flushes and reads: an object that a caller holds is written down first, never believed."""
    asked = life.ask(store)
    with store.db.write() as session:
        session.get_one(ApprovalRow, asked.approval_id).status = "approved"
        with pytest.raises(ApprovalError, match="too few"):
            signer.approval_body(session, asked.approval_id)


def mandate(store: Store, halt_id: str, quantity: int, symbol: str = "IBM") -> dict[str, object]:
    with store.db.write() as session:
        return signer.mandate_body(session, halt_id, life.RUN, symbol, quantity, "ann")


def refuse_mandate(store: Store, halt_id: str, quantity: int, symbol: str = "IBM") -> None:
    with pytest.raises(ExecutionError, match="no mandate") as caught:
        mandate(store, halt_id, quantity, symbol)
    assert caught.value.code == "unsigned"


@pytest.mark.parametrize("quantity", [1, 100])
def test_a_flatten_in_force_gives_a_mandate_of_at_most_the_position(store: Store, quantity: int) -> None:
    life.hold(store)
    stop = halt.engage(store, action="flatten", reason="drill", principal=ANN)
    body = mandate(store, stop.id, quantity)
    assert (body["side"], body["quantity_budget"], body["reduce_only"]) == ("sell", quantity, True)


@pytest.mark.parametrize("quantity", [0, -1, 101])
def test_no_mandate_for_nothing_or_for_more_than_is_held(store: Store, quantity: int) -> None:
    life.hold(store)
    stop = halt.engage(store, action="flatten", reason="drill", principal=ANN)
    refuse_mandate(store, stop.id, quantity)


def test_no_mandate_for_what_is_not_held_or_held_short(store: Store) -> None:
    life.hold(store, -100, average_price=Decimal(120))
    stop = halt.engage(store, action="flatten", reason="drill", principal=ANN)
    refuse_mandate(store, stop.id, 1)
    refuse_mandate(store, stop.id, 1, "AMD")


@pytest.mark.parametrize("action", ["no_new", "cancel"])
def test_no_mandate_under_a_halt_that_does_not_flatten(store: Store, action: halt.Action) -> None:
    life.hold(store)
    refuse_mandate(store, halt.engage(store, action=action, reason="drill", principal=ANN).id, 100)


def test_no_mandate_without_a_halt_and_none_after_its_release(store: Store) -> None:
    life.hold(store)
    refuse_mandate(store, "halt_none", 100)
    stop = halt.engage(store, action="flatten", reason="drill", principal=ANN)
    halt_release.release(store, reason="over", principal=ANN)
    refuse_mandate(store, stop.id, 100)


def mentions(path: Path) -> bool:
    """Whether a source names the key, as an attribute, a string or a keyword."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = (getattr(node, "attr", None), getattr(node, "id", None), getattr(node, "arg", None))
        value = node.value if isinstance(node, ast.Constant) else None
        if "grant_key" in names or value in ("grant_key", "grants.pem"):
            return True
    return False


def test_only_the_signer_reads_the_grant_key() -> None:
    packages = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"]
    sources = [source for package in packages for source in package.rglob("*.py")]
    assert len(sources) > 50
    holders = {path.relative_to(ROOT).as_posix() for path in sources if mentions(path)}
    assert holders == {"pipeline/signer.py", "pipeline/home.py", "pipeline/doctor.py"}


def test_the_doctor_looks_at_the_mode_of_the_key_and_not_into_it() -> None:
    tree = ast.parse((ROOT / "pipeline/doctor.py").read_text(encoding="utf-8"))
    holders = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and "grant_key" in ast.dump(node)]
    assert len(holders) == 1
    called = {
        getattr(node.func, "attr", getattr(node.func, "id", "")) for node in ast.walk(holders[0])
        if isinstance(node, ast.Call)
    }  # fmt: skip
    assert not called & {"load_key", "read_text", "read_bytes", "open"}
