"""What happens at the desk is told: halts, voided cases and critical findings leave a message with the event itself."""

from __future__ import annotations

from memory.ledger import Stage
from memory.tables import CaseRow, RunRow
from pipeline import attention, halt, halt_release
from pipeline.findings import raise_finding
from pipeline.store import Store
from pipeline.voiding import void_case
from tests.pipeline import life
from tests.pipeline.life import ANN, AS_OF
from tests.pipeline.notify.outside import configure, hook, rows
from tools.types import Severity


def told(store: Store) -> list[str]:
    return sorted(row.event for row in rows(store))


def finding(store: Store, severity: Severity) -> None:
    with store.db.write() as session:
        raise_finding(
            session, session.get_one(RunRow, life.RUN), code="books_differ", severity=severity, component="execution",
            message=f"the books differ ({severity})", recommendation="Stop.", as_of=AS_OF,
        )  # fmt: skip


def test_a_halt_and_its_release_are_told(store: Store) -> None:
    configure(store, webhooks=[hook("https://hooks.example.com/x", "ops")])
    halt.engage(store, action="no_new", reason="a drill with private words", principal=ANN)
    halt_release.release(store, reason="over", principal=ANN)
    assert told(store) == ["halt.engaged", "halt.released"]
    assert "private words" not in str([row.content for row in rows(store)])


def test_a_voided_case_is_told_once(store: Store) -> None:
    configure(store, webhooks=[hook("https://hooks.example.com/x", "ops", events=["case.voided"])])
    asked = life.ask(store, life.proposal(), life.ONE)
    with store.db.write() as session:
        case = session.get_one(CaseRow, asked.case_id)
        void_case(session, case, why="the price left its band", desk_time=AS_OF, stage=Stage.SUBMIT, detail={})
    assert [(row.event, row.subject_id) for row in rows(store)] == [("case.voided", asked.case_id)]


def test_only_a_critical_finding_is_told(store: Store) -> None:
    configure(store, webhooks=[hook("https://hooks.example.com/x", "ops")])
    finding(store, "warning")
    assert told(store) == []
    finding(store, "critical")
    finding(store, "critical")
    assert told(store) == ["finding.critical"]


def test_an_approver_who_does_not_read_becomes_a_finding(store: Store) -> None:
    for number in range(attention.Thresholds().min_answers):
        asked = life.ask(store, life.proposal(number), life.ONE)
        life.say(store, asked)
    with store.db.write() as session:
        assert [item.person for item in attention.raise_findings(session)] == [ANN.name]
        assert attention.raise_findings(session) == ()
