"""The SQL tables. A row holds ids, status, revision and times, and embeds the domain model in one column.

Times named `*_wall` are wall clock; every other time is desk clock (DESIGN section 3, two clocks).
"""

from memory.tables.day import SignOffRow, VenueFactsRow
from memory.tables.execution import FillRow, OrderRow, OutboxRow, PositionRow
from memory.tables.knowledge import (
    ChatRow,
    EvidenceRow,
    ExplanationRow,
    FindingRow,
    HeadlineRow,
    HealthRow,
    LessonRow,
    MemoryRow,
    OutcomeRow,
    SignalRow,
)
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
from memory.tables.runs import ActivationRow, BreachRow, EquityRow, HomeRow, RunRow, StrategyRow
from memory.tables.system import BlobRow, CommandRow, HaltRow, HeartbeatRow, LedgerRow, RecordingRow

__all__ = [
    "OPEN_CASE_STATES",
    "ActivationRow",
    "ApiKeyRow",
    "ApprovalRow",
    "BlobRow",
    "BootstrapRow",
    "BreachRow",
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
    "LoginAttemptRow",
    "LoginSessionRow",
    "MemoryRow",
    "NotificationRow",
    "OrderRow",
    "OutboxRow",
    "OutcomeRow",
    "OverrideRow",
    "PersonRow",
    "PositionRow",
    "QuestionRow",
    "RecordingRow",
    "RunRow",
    "SignOffRow",
    "SignalRow",
    "StrategyRow",
    "VenueFactsRow",
    "ViewRow",
]
