"""A home with one run in it, built from rows, and a client that speaks to the app over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from agents.explanation.output import Claim, Explanation, ExplanationStats, NumberRef
from api.app import create_app
from memory.ledger import Entry, Stage, append
from memory.tables import (
    ApprovalRow,
    CaseRow,
    EquityRow,
    EvidenceRow,
    ExplanationRow,
    FillRow,
    FindingRow,
    LessonRow,
    OrderRow,
    OutcomeRow,
    PositionRow,
    RunRow,
    SignalRow,
)
from pipeline.settings import load_settings
from pipeline.store import Store, open_store
from tools.canonical import plain
from tools.execution.types import Fill, OrderRequest
from tools.types import CaseState, Evidence, Finding, Lesson, Outcome, PriceBand, Proposal, Review, ReviewReason, Signal

BASE_URL = "http://127.0.0.1:8000"
AS_OF = datetime(2009, 11, 13, 21, 0, tzinfo=UTC)
SESSION = date(2009, 11, 13)
RUN = "run_1"
SYMBOLS = ("IBM", "MSFT", "AAPL", "GE", "XOM", "PFE", "KO")


@dataclass(frozen=True)
class Seeded:
    """The store and the ids of its first case, which waits for a person."""

    store: Store
    case_id: str
    approval_id: str
    digest: str
    evidence_id: str


def proposal(number: int, symbol: str, evidence_id: str) -> Proposal:
    return Proposal(
        id=f"prop_{number:016x}", run_id=RUN, cycle_id="cyc_1", kind="order.entry", strategy="trend", symbol=symbol,
        side="buy", quantity=100 + number, reference_price=Decimal("120.5"),
        band=PriceBand(low=Decimal("118"), high=Decimal("123")), stop_price=Decimal("114"), atr=Decimal("2.5"),
        risk_effect="increases", horizon_sessions=10, strength=0.6, confidence=0.55, thesis="above its average",
        evidence_ids=(evidence_id,), taint=False, as_of=AS_OF,
    )  # fmt: skip


def evidence() -> Evidence:
    return Evidence.of(
        "bar", "embedded", {"close": Decimal("120.5")}, event_time=AS_OF, known_at=AS_OF, symbol="IBM"
    )  # fmt: skip


def case_row(body: Proposal, number: int, state: CaseState) -> CaseRow:
    review = Review(
        proposal_id=body.id, verdict="keep", reasons=(ReviewReason(code="agrees", text="trend and breadth agree"),)
    )  # fmt: skip
    return CaseRow(
        id=f"case_{number}", run_id=RUN, cycle_id="cyc_1", strategy="trend", symbol=body.symbol, side="buy",
        kind="order.entry", state=state.value, revision=1, rank=number, risk_effect="increases", digest=body.digest,
        opened=SESSION, opened_index=60, review=plain(review), checks=None, body=body, updated_wall=AS_OF,
    )  # fmt: skip


def approval_row(case: CaseRow, status: str, expires_index: int = 61) -> ApprovalRow:
    return ApprovalRow(
        id=f"appr_{case.id}", case_id=case.id, run_id=RUN, status=status, digest=case.digest, explanation_hash="0" * 64,
        policy_version="1", policy_sha256="0" * 64, limits_sha256="0" * 64, rule="entry", required=1,
        roles=["approver"], nonce="n", band_low=Decimal("118"), band_high=Decimal("123"), portfolio_hash="0" * 64,
        exposure=0, data_sha256="0" * 64, worst_checks={}, asked_index=60, expires_index=expires_index,
        expires=date(2009, 11, 16), asked_wall=AS_OF, facts={}, separate=[], escalation=[],
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(load_settings(home=tmp_path / "home"))
    yield opened
    opened.db.dispose()


@pytest.fixture
def seeded(store: Store) -> Seeded:
    """The store with seven cases in it."""
    return seed_home(store)


def seed_home(store: Store) -> Seeded:
    """Seven cases: the first awaits a person, the last has expired, the others were not selected."""
    seen = evidence()
    with store.db.write() as session:
        session.add(
            RunRow(
                id=RUN, ordinal=1, mode="replay", fingerprint="f", seed=0, start=SESSION,
                config={"broker": "simulation", "label": "survivors only", "sessions": 245}, session_index=60,
                equity_start=Decimal(1_000_000),
                cash=Decimal(900_000), peak_equity=Decimal(1_000_000), day_start_equity=Decimal(1_000_000),
                created_wall=AS_OF,
            )
        )  # fmt: skip
        session.add(EvidenceRow(id=seen.id, kind=seen.kind, symbol="IBM", known_at=AS_OF, body=seen))
        cases = []
        for number, symbol in enumerate(SYMBOLS):
            state = CaseState.NOT_SELECTED
            if number == 0:
                state = CaseState.AWAITING
            elif number == len(SYMBOLS) - 1:
                state = CaseState.EXPIRED
            case = case_row(proposal(number, symbol, seen.id), number, state)
            session.add(case)
            cases.append(case)
            append(
                session,
                Entry(
                    kind=f"case.{state.value}", step=state.value, content={"symbol": symbol}, desk_time=AS_OF,
                    stage=Stage.CASE, rank=number, run_id=RUN, case_id=case.id,
                ),
            )  # fmt: skip
        session.add(approval_row(cases[0], "pending"))
        session.add(approval_row(cases[-1], "expired", expires_index=60))
        _book(session, seen)
    return Seeded(store, cases[0].id, f"appr_{cases[0].id}", cases[0].digest, seen.id)


def _book(session, seen: Evidence) -> None:  # type: ignore[no-untyped-def]
    told = explanation(seen.id)
    session.add(
        ExplanationRow(
            case_id="case_0", run_id=RUN, sha256=told.sha256, claims=1, numbers=1, unresolved=0, dropped=0,
            reasoner="rules", body=plain(told),
        )
    )  # fmt: skip
    request = OrderRequest(
        client_order_id="ord_1", symbol="IBM", side="buy", quantity=100, order_type="market", time_in_force="opg"
    )
    session.add(
        OrderRow(
            client_order_id="ord_1", run_id=RUN, case_id="case_0", grant_id="g", leg="entry", attempt=1, symbol="IBM",
            side="buy", quantity=100, state="filled", filled_quantity=100, average_price=Decimal("120.6"),
            created=AS_OF, body=request, updated_wall=AS_OF,
        )
    )  # fmt: skip
    fill = Fill(
        execution_id="ex_1", sequence=1, client_order_id="ord_1", symbol="IBM", side="buy", quantity=100,
        price=Decimal("120.6"), commission=Decimal("1"), reference_price=Decimal("120.5"), session=SESSION, at=AS_OF,
    )  # fmt: skip
    session.add(
        FillRow(
            execution_id="ex_1", run_id=RUN, case_id="case_0", client_order_id="ord_1", symbol="IBM", side="buy",
            quantity=100, price=fill.price, commission=fill.commission, session=SESSION, at=AS_OF, body=fill,
        )
    )  # fmt: skip
    session.add(
        PositionRow(
            run_id=RUN, symbol="IBM", quantity=100, average_price=Decimal("120.6"), realised=Decimal(0),
            mark=Decimal("121.1"), sector="Technology", strategy="trend", case_id="case_0", opened_index=60,
            stop_price=Decimal("114"),
        )
    )  # fmt: skip
    for back in range(3):
        session.add(
            EquityRow(
                run_id=RUN, session=SESSION - timedelta(days=back), equity=Decimal(1_000_000 - back), cash=Decimal(9),
                drawdown=Decimal("0.01"), index_close=1093.48,
            )
        )  # fmt: skip
    for number, severity in enumerate(("warning", "critical")):
        found = Finding.model_validate(
            {
                "id": f"find_{number}", "code": "stale", "severity": severity, "component": "data", "message": "old",
                "recommendation": "look", "as_of": AS_OF,
            }
        )  # fmt: skip
        session.add(
            FindingRow(
                id=found.id, run_id=RUN, code=found.code, severity=severity, component="data", as_of=AS_OF, body=found
            )
        )  # fmt: skip
    signal = Signal(
        id="sig_1", source="headlines", symbol="IBM", direction="up", strength=0.2, confidence=0.5, horizon_sessions=5,
        as_of=AS_OF, reasoning="calm", evidence_ids=(seen.id,), sha256="b" * 64,
    )  # fmt: skip
    session.add(SignalRow(id="sig_1", run_id=RUN, cycle_id="cyc_1", symbol="IBM", as_of=AS_OF, body=signal))
    outcome = Outcome(
        id="out_1", proposal_id="prop_1", case_id="case_0", strategy="trend", symbol="IBM", side="buy",
        disposition="filled", opened=SESSION, due=date(2009, 11, 30), horizon_sessions=10, entry_price=Decimal("120.6"),
    )  # fmt: skip
    session.add(
        OutcomeRow(
            id="out_1", run_id=RUN, case_id="case_0", strategy="trend", symbol="IBM", disposition="filled",
            opened_index=60, due_index=70, index_entry=1093.48, body=outcome,
        )
    )  # fmt: skip
    lesson = Lesson(
        id="les_1", scope="trend", claim="not enough data", sample_size=3, evidence_ids=(), as_of=AS_OF,
        enough_data=False,
    )  # fmt: skip
    session.add(LessonRow(id="les_1", run_id=RUN, state="quarantined", scope="trend", as_of=AS_OF, body=lesson))


def explanation(evidence_id: str) -> Explanation:
    """A bound explanation as the case graph keeps it."""
    close = NumberRef(text="120.50", value=Decimal("120.5"), unit="money", evidence_id=evidence_id, pointer="/close")
    claim = Claim(id="c1", kind="thesis", text="IBM closed at 120.50.", evidence_ids=(evidence_id,), numbers=(close,))
    return Explanation(
        case_id="case_0", proposal_id="prop_0", proposal_digest="0" * 64, claims=(claim,), binding_constraint=None,
        counterfactuals=(), dissent=None, unknowns=(), similar_cases=(), prose="IBM closed at 120.50.",
        reasoner="rules", stats=ExplanationStats(claims=1, numbers=1, unresolved=0, dropped=0),
    )  # fmt: skip


@pytest.fixture
def app_client(seeded: Seeded) -> Iterator[TestClient]:
    """A client without any credentials."""
    with TestClient(create_app(seeded.store), base_url=BASE_URL, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(app_client: TestClient, seeded: Seeded) -> TestClient:
    """A client that carries the home's token."""
    app_client.headers["authorization"] = f"Bearer {seeded.store.home.token()}"
    return app_client
