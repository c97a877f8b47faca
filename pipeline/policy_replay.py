"""What another policy would have asked of people on recorded history. Reads recordings, executes nothing."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from sqlmodel import col, select

from memory.recordings import load_blob
from memory.tables import ApprovalRow, CaseRow, RecordingRow
from pipeline.policy import Policy, Ruling, facts_of
from pipeline.store import Store, require_run
from tools.risk.types import MarketView, PortfolioView
from tools.types import Frozen, Proposal, Review


class Difference(Frozen):
    """One recorded case that the other policy would have handled in another way."""

    case_id: str
    symbol: str
    notional: Decimal
    was: str
    would_be: str


class PolicyReplay(Frozen):
    """The comparison. `signatures` counts how many people had to sign, in force and under the other policy."""

    version: str
    cases: int
    same: int
    signatures_in_force: int
    signatures_replayed: int
    by_rule: dict[str, int]
    differences: tuple[Difference, ...]


def replay_policy(store: Store, other: Policy) -> PolicyReplay:
    """Ask `other` about every case of the active run that was checked and asked."""
    same, in_force, replayed = 0, 0, 0
    rules: Counter[str] = Counter()
    differences: list[Difference] = []
    with store.db.read() as session:
        run = require_run(session)
        rows = session.exec(
            select(ApprovalRow, CaseRow, RecordingRow)
            .join(CaseRow, col(CaseRow.id) == col(ApprovalRow.case_id))
            .join(RecordingRow, col(RecordingRow.case_id) == col(CaseRow.id))
            .where(ApprovalRow.run_id == run.id, RecordingRow.call == "risk.check_order")
            .order_by(col(CaseRow.opened_index), col(CaseRow.rank), col(RecordingRow.id))
        ).all()
        seen: set[str] = set()
        for asked, case, recording in rows:
            if case.id in seen:
                continue
            seen.add(case.id)
            checked = load_blob(session, recording.input_sha256)
            facts = facts_of(
                Proposal.model_validate(checked["proposal"]), PortfolioView.model_validate(checked["portfolio"]),
                MarketView.model_validate(checked["market"]), Review.model_validate(case.review).abstain_reason,
                case.occasion, asked.facts.get("overrides", ()),
            )  # fmt: skip
            ruling = other.rule_on(facts)
            rules[ruling.rule] += 1
            in_force += asked.required
            replayed += ruling.required
            was, would = f"{asked.rule}: {asked.required} {asked.disposition}", _text(ruling)
            if (asked.required, asked.disposition) == (ruling.required, ruling.disposition):
                same += 1
            else:
                differences.append(
                    Difference(case_id=case.id, symbol=case.symbol, notional=facts.notional, was=was, would_be=would)
                )
    return PolicyReplay(
        version=other.version, cases=len(seen), same=same, signatures_in_force=in_force, signatures_replayed=replayed,
        by_rule=dict(rules), differences=tuple(differences),
    )  # fmt: skip


def _text(ruling: Ruling) -> str:
    return f"{ruling.rule}: {ruling.required} {ruling.disposition}"
