"""What was asked to be let past a soft control, and who proposed a case: read by whoever checks or signs."""

from __future__ import annotations

from sqlmodel import Session

from memory.tables import ApprovalRow, CaseRow, OverrideRow
from pipeline import manual
from tools.types import ORDER_KINDS, Frozen


class Override(Frozen):
    """What was asked to be let past, by whom and why."""

    case_id: str
    controls: tuple[str, ...]
    principal: str
    reason: str


def override_of(session: Session, case_id: str) -> Override | None:
    """The override that was asked for a case."""
    row = session.get(OverrideRow, case_id)
    if row is None:
        return None
    return Override(case_id=case_id, controls=tuple(row.controls), principal=row.principal, reason=row.reason)


def controls_of(session: Session, case_id: str) -> frozenset[str]:
    """Controls that are asked to be overridden for a case; what people agreed to is `overrides_of` its question."""
    row = session.get(OverrideRow, case_id)
    return frozenset(row.controls) if row else frozenset()


def overrides_of(approval: ApprovalRow) -> frozenset[str]:
    """Controls that the answered question lets its order past: part of its terms, so the grant binds them."""
    return frozenset(approval.facts.get("overrides", ()))


def proposers_of(session: Session, case: CaseRow) -> frozenset[str]:
    """The people behind a case, who do not sign it where the policy separates them; none for what the desk drafted."""
    if case.kind not in ORDER_KINDS:
        return frozenset({case.change.proposer})
    row = session.get(OverrideRow, case.id)
    return frozenset(name for name in (row and row.principal, manual.proposer_of(case.strategy)) if name)
