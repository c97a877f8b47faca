"""The SQL tables. A row holds ids, status, revision and times, and embeds the domain model in one column.

Times named `*_wall` are wall clock; every other time is desk clock (DESIGN section 3, two clocks).
"""

from memory.tables.day import SignOffRow, VenueFactsRow
from memory.tables.execution import FillRow, OrderRow, OutboxRow, ParentRow, PositionRow
from memory.tables.knowledge import (
    ChatRow,
    EvidenceRow,
    ExplanationRow,
    FindingRow,
    HeadlineRow,
    HealthRow,
    LessonRow,
    LessonShadowRow,
    MemoryRow,
    OutcomeRow,
    SignalRow,
)
from memory.tables.models import ModelReviewRow, SpendRow
from memory.tables.notifications import CanaryRow, NotificationRow, ViewRow
from memory.tables.oversight import (
    OPEN_CASE_STATES,
    ApprovalRow,
    CaseRow,
    DecisionRow,
    DelegationRow,
    EditRow,
    GrantRow,
    OverrideRow,
    QuestionRow,
)
from memory.tables.people import ApiKeyRow, BootstrapRow, LoginAttemptRow, LoginSessionRow, PersonRow
from memory.tables.reconciliation import AmendmentRow, BreakRow, ReconciliationRow
from memory.tables.runs import ActivationRow, BreachRow, EquityRow, HomeRow, RunRow, StrategyRow
from memory.tables.system import BlobRow, CommandRow, HaltRow, HeartbeatRow, LedgerRow, RecordingRow

__all__ = [
    "OPEN_CASE_STATES",
    "ActivationRow",
    "AmendmentRow",
    "ApiKeyRow",
    "ApprovalRow",
    "BlobRow",
    "BootstrapRow",
    "BreachRow",
    "BreakRow",
    "CanaryRow",
    "CaseRow",
    "ChatRow",
    "CommandRow",
    "DecisionRow",
    "DelegationRow",
    "EditRow",
    "EquityRow",
    "EvidenceRow",
    "ExplanationRow",
    "FillRow",
    "FindingRow",
    "GrantRow",
    "HaltRow",
    "HeadlineRow",
    "HealthRow",
    "HeartbeatRow",
    "HomeRow",
    "LedgerRow",
    "LessonRow",
    "LessonShadowRow",
    "LoginAttemptRow",
    "LoginSessionRow",
    "MemoryRow",
    "ModelReviewRow",
    "NotificationRow",
    "OrderRow",
    "OutboxRow",
    "OutcomeRow",
    "OverrideRow",
    "ParentRow",
    "PersonRow",
    "PositionRow",
    "QuestionRow",
    "ReconciliationRow",
    "RecordingRow",
    "RunRow",
    "SignOffRow",
    "SignalRow",
    "SpendRow",
    "StrategyRow",
    "VenueFactsRow",
    "ViewRow",
]
