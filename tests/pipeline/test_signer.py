"""The signer signs what the table bears out, and is the only one who holds the key."""

from __future__ import annotations

import ast
from decimal import Decimal
from pathlib import Path

import pytest
from sqlmodel import select

from memory.ledger import chain
from memory.tables import ApprovalRow, LedgerRow
from pipeline import attention, halt, halt_release, signer
from pipeline.halt_scope import Action
from pipeline.policy import Facts
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, ONE, TWO, Question, say
from tools.canonical import sha256_hex
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


TERMS = {
    "required": "UPDATE approvals SET required = 0", "roles": """UPDATE approvals SET roles = '["viewer"]'""",
    "separate": """UPDATE approvals SET separate = '[]'""", "exposure": "UPDATE approvals SET exposure = 900",
    "checks": """UPDATE approvals SET worst_checks = '{"max_drawdown":"block"}'""",
    "disposition": "UPDATE approvals SET disposition = 'release'", "tier": "UPDATE approvals SET tier = 'low'",
    "evidence_required": "UPDATE approvals SET evidence_required = 0",
    "cooling_off_seconds": "UPDATE approvals SET cooling_off_seconds = 1",
    "policy": "UPDATE approvals SET policy_sha256 = '0'", "limits": "UPDATE approvals SET limits_sha256 = '0'",
    "facts": "UPDATE approvals SET facts = '{}'", "expires_index": "UPDATE approvals SET expires_index = 999",
    "band": "UPDATE approvals SET band_high = '999'", "portfolio": "UPDATE approvals SET portfolio_hash = '1'",
}  # fmt: skip
STRICT = TWO.model_copy(update={"separate": ("editor",), "evidence_required": True, "tier": "high"})


def ask_strictly(store: Store, cooling_off_seconds: int = 300) -> Question:
    """A question whose every term has a value that a tamperer would want to change."""
    facts = Facts(kind="order.entry", risk_effect="increases", strategy="trend-0")
    asked = life.ask(store, ruling=STRICT, facts=facts, cooling_off_seconds=cooling_off_seconds)
    attention.record_view(store, asked.approval_id, ANN, 0, True)
    attention.record_view(store, asked.approval_id, BOB, 0, True)
    return asked


@pytest.mark.parametrize("term", TERMS)
def test_a_term_altered_before_anybody_decided_takes_no_approval_and_raises_a_finding(store: Store, term: str) -> None:
    asked = ask_strictly(store)
    before = life.truth(store, asked)
    life.tamper(store, TERMS[term])
    with pytest.raises(ApprovalError, match=f"{term} was altered") as caught:
        say(store, asked)
    assert caught.value.code == "tampered"
    assert life.truth(store, asked) == before
    assert life.findings(store) == ["tampered"]
    assert say(store, asked, BOB, "reject").status == "rejected", "nobody is kept from saying no"


@pytest.mark.parametrize("term", TERMS)
def test_a_term_altered_between_two_signatures_stops_the_mint(store: Store, term: str) -> None:
    asked = ask_strictly(store, cooling_off_seconds=0)
    say(store, asked)
    life.tamper(store, TERMS[term])
    assert life.code_of(lambda: say(store, asked, BOB)) == "tampered"
    assert life.truth(store, asked).grants == ()
    assert life.findings(store) == ["tampered"]


def test_the_signer_itself_compares_the_terms(store: Store) -> None:
    asked = life.ask(store, ruling=TWO)
    say(store, asked)
    life.tamper(store, "UPDATE approvals SET status = 'approved', required = 1")
    with pytest.raises(ApprovalError, match="required was altered") as caught:
        body_of(store, asked)
    assert caught.value.code == "tampered"


ASKED = "kind = 'case.awaiting'"
ERASED = {
    "deleted": f"DELETE FROM ledger WHERE {ASKED}",
    "rewritten": f"""UPDATE ledger SET content = replace(content, '"required":2', '"required":1') WHERE {ASKED}""",
    "renamed": f"UPDATE ledger SET kind = 'case.other' WHERE {ASKED}",
}


@pytest.mark.parametrize("how", ERASED)
def test_the_record_of_asking_cannot_be_rewritten_with_the_terms(store: Store, how: str) -> None:
    asked = life.ask(store, ruling=TWO)
    life.tamper(store, "UPDATE approvals SET required = 1")
    life.tamper(store, ERASED[how])
    with pytest.raises(ApprovalError, match="the record of its asking was altered"):
        say(store, asked)
    assert life.truth(store, asked).grants == ()


def test_a_record_rehashed_without_its_successor_is_noticed(store: Store) -> None:
    asked = life.ask(store, ruling=TWO)
    life.ask(store, life.proposal(1))
    with store.db.write() as session:
        row = session.exec(select(LedgerRow).where(LedgerRow.case_id == asked.case_id)).one()
        content = row.content.replace('"required":2', '"required":1')
        leaf = sha256_hex(content.encode())
        values = {"content": content, "leaf": leaf, "hash": chain(row.prev_hash, leaf), "seq": row.seq}
    life.tamper(store, "UPDATE ledger SET content = :content, leaf = :leaf, hash = :hash WHERE seq = :seq", **values)
    life.tamper(store, "UPDATE approvals SET required = 1 WHERE id = :id", id=asked.approval_id)
    assert life.code_of(lambda: say(store, asked)) == "tampered"


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


def test_no_mandate_for_more_than_is_held_short_or_for_what_is_not_held(store: Store) -> None:
    life.hold(store, -100, average_price=Decimal(120))
    stop = halt.engage(store, action="flatten", reason="drill", principal=ANN)
    refuse_mandate(store, stop.id, 101)
    refuse_mandate(store, stop.id, 1, "AMD")


@pytest.mark.parametrize("action", ["no_new", "cancel"])
def test_no_mandate_under_a_halt_that_does_not_flatten(store: Store, action: Action) -> None:
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
