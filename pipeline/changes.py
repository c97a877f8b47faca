"""Changes of the desk as cases: new limits or a new policy wait in the same queue as orders, while the desk runs.

The candidate is parsed and runs its own tests before anybody is asked. Who must agree is the policy's word, that of the
policy in force. People's questions run on the wall clock: a change expires in minutes, never with a session.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import cast

from pydantic import BaseModel
from sqlmodel import Session, col, select

from agents.explanation.claims import ClaimBuilder
from agents.explanation.output import Explanation, ExplanationStats
from memory import evidence as evidence_store
from memory.ledger import Entry, Stage, append
from memory.tables import OPEN_CASE_STATES, ActivationRow, CaseRow, ExplanationRow, RunRow
from pipeline import activation, asking
from pipeline.activation import Kind
from pipeline.approvals import clean_reason
from pipeline.differences import compare, only_tightens
from pipeline.policy import Facts
from pipeline.standing import confirm
from pipeline.store import Principal, Store, now, require_run
from pipeline.voiding import supersede, void_case
from tools.canonical import plain, sha256_hex, stable_id
from tools.errors import ApprovalError, ConfigError
from tools.types import DESK, CaseState, Change, Difference, Evidence, Frozen, LawKind

FILE = Principal("file", "control")
"""Who proposes a file that was found changed at a start."""
MAX_TEXT = 50_000
TTL_MINUTES = 1_440
NO_SESSION = 1_000_000
"""Sessions that a change may wait: more than any market has."""


class Proposed(Frozen):
    """The case that a change became."""

    case_id: str
    approval_id: str


def propose(store: Store, kind: LawKind, *, principal: Principal, reason: str, text: str | None = None) -> Proposed:
    """Open a case for a change; the file of the home when no `text` is given.

    ApprovalError: invalid (the reason, the text, or nothing would change), exists (one is open for this subject).
    """
    why = clean_reason(reason)
    subject = cast(Kind, kind.partition(".")[0])
    try:
        found = activation.candidate(store, subject).text if text is None else text
        if len(found) > MAX_TEXT:
            raise ApprovalError(f"the text has {len(found)} characters, more than {MAX_TEXT}", code="invalid")
        parsed = activation.parse(subject, found)
    except ConfigError as error:
        raise ApprovalError(error.message, code="invalid") from None
    activation.in_force(store)
    with store.db.write() as session:
        confirm(session, principal, needed="operator")
        run = require_run(session)
        before = activation.latest(session, subject)
        change, evidence = _change(session, run, kind, subject, before, found, parsed, principal, why)
        make_room(session, run, change, principal)
        proposed = ask(store, session, run, change, evidence, partial(explain_change, change=change, evidence=evidence))
    store.publish_head()
    return proposed


def propose_files(store: Store) -> tuple[Proposed, ...]:
    """At a start: every sound file that is not the law in force becomes a case, and a case whose file was put back
    is voided. What a person proposed stays as it is."""
    opened = []
    for subject in activation.KINDS:
        trouble = activation.trouble_with(store, subject)
        if trouble is None:
            _withdraw(store, subject)
        elif trouble.code == f"{subject}_not_activated":
            kind = cast(LawKind, f"{subject}.activation")
            try:
                opened.append(propose(store, kind, principal=FILE, reason="the file of the home was changed"))
            except ApprovalError as error:
                if error.code != "exists":
                    raise
    return tuple(opened)


def open_change(session: Session, run: RunRow, subject: str) -> CaseRow | None:
    """The change of a subject that is not decided and applied yet."""
    return session.exec(
        select(CaseRow).where(
            CaseRow.run_id == run.id, CaseRow.strategy == DESK, CaseRow.symbol == subject.upper(),
            col(CaseRow.state).in_([state.value for state in OPEN_CASE_STATES]),
        )
    ).first()  # fmt: skip


def _change(
    session: Session,
    run: RunRow,
    kind: LawKind,
    subject: Kind,
    before: ActivationRow | None,
    text: str,
    parsed: BaseModel,
    principal: Principal,
    reason: str,
) -> tuple[Change, Evidence]:
    after_sha256 = sha256_hex(text.encode())
    if before is not None and before.sha256 == after_sha256:
        raise ApprovalError(f"these {subject} are in force already: nothing would change", code="invalid")
    old = _parsed(subject, before)
    differences = compare(old, parsed)
    was, will = (before.version if before else None), str(getattr(parsed, "version", ""))
    as_of = desk_time(session, run)
    payload = {
        "subject": subject, "version": {"before": was, "after": will}, "proposer": principal.name,
        "differences": {item.field: {"before": item.before, "after": item.after} for item in differences},
    }  # fmt: skip
    evidence = Evidence.of("proposal", "pipeline.changes", payload, event_time=as_of, known_at=as_of)
    earlier = session.exec(
        select(CaseRow.id).where(CaseRow.run_id == run.id, CaseRow.strategy == DESK, CaseRow.symbol == subject.upper())
    ).all()
    change = Change(
        id=stable_id("chg", run.id, kind, before.sha256 if before else None, after_sha256, len(earlier)), run_id=run.id,
        kind=kind, subject=subject, title=f"{subject.capitalize()} version {will} in place of version {was}",
        reason=reason, proposer=principal.name, before_sha256=before.sha256 if before else None,
        after_sha256=after_sha256, text=text, differences=differences,
        risk_effect="reduces" if only_tightens(differences) else "increases", evidence_ids=(evidence.id,), as_of=as_of,
    )  # fmt: skip
    return change, evidence


def _parsed(subject: Kind, row: ActivationRow | None) -> BaseModel | None:
    """What is in force; None when a later version of the desk no longer reads it."""
    try:
        return activation.parse(subject, row.body) if row else None
    except ConfigError:
        return None


def desk_time(session: Session, run: RunRow) -> datetime:
    """Desk time of a change: that of the newest case of the run, else the day the run starts."""
    query = select(CaseRow).where(CaseRow.run_id == run.id).order_by(col(CaseRow.opened_index).desc()).limit(1)
    newest = session.exec(query).first()
    return datetime.combine(run.start, time(), UTC) if newest is None else newest.as_of


def make_room(session: Session, run: RunRow, change: Change, principal: Principal) -> None:
    """One open change per subject: a changed file replaces its own earlier case, nothing else gives way."""
    standing = open_change(session, run, change.subject)
    if standing is None:
        return
    earlier = standing.body if isinstance(standing.body, Change) else None
    own = earlier is not None and earlier.proposer == principal.name == FILE.name
    if own and earlier and earlier.after_sha256 != change.after_sha256 and standing.state == CaseState.AWAITING.value:
        supersede(session, change, change.as_of)
        return
    raise ApprovalError(
        f"case {standing.id} about {change.subject} is open: decide it first", code="exists",
        detail={"case_id": standing.id},
    )  # fmt: skip


def _withdraw(store: Store, subject: Kind) -> None:
    with store.db.write() as session:
        case = open_change(session, require_run(session), subject)
        if case is None or case.state != CaseState.AWAITING.value or not isinstance(case.body, Change):
            return
        if case.body.proposer == FILE.name:
            void_case(
                session, case, why="the file of the home was put back", desk_time=case.as_of, stage=Stage.CASE,
                detail={},
            )  # fmt: skip


def ask(
    store: Store,
    session: Session,
    run: RunRow,
    change: Change,
    evidence: Evidence,
    explain: Callable[[str], Explanation],
) -> Proposed:
    """Open the case of a change and ask what the policy in force wants; `explain` is given the id of the case."""
    case = CaseRow(
        id=stable_id("case", run.id, change.id), run_id=run.id, cycle_id=change.cycle_id, strategy=change.strategy,
        symbol=change.symbol, side=change.side, kind=change.kind, state=CaseState.DRAFTED.value, rank=0,
        risk_effect=change.risk_effect, digest=change.digest, opened=change.as_of.date(),
        opened_index=run.session_index, review={}, checks=[], body=change, updated_wall=now(),
    )  # fmt: skip
    session.add(case)
    session.flush()
    append(
        session,
        Entry(
            kind="case.drafted", step="drafted", case_id=case.id, run_id=run.id, desk_time=change.as_of,
            stage=Stage.CASE, content={"proposal": change, "digest": case.digest},
        ),
    )  # fmt: skip
    evidence_store.keep(session, [evidence])
    told = explain(case.id)
    session.add(
        ExplanationRow(
            case_id=case.id, run_id=run.id, sha256=told.sha256, claims=told.stats.claims, numbers=told.stats.numbers,
            unresolved=told.stats.unresolved, dropped=told.stats.dropped, reasoner=told.reasoner, body=plain(told),
        )
    )  # fmt: skip
    session.flush()
    law = activation.read_law(session)
    facts = Facts(kind=change.kind, risk_effect=change.risk_effect, strategy=change.strategy)
    ruling = law.policy.rule_on(facts)
    minutes = ruling.ttl_minutes or TTL_MINUTES
    row = asking.request(
        store, session, case, ruling.model_copy(update={"ttl_sessions": NO_SESSION, "ttl_minutes": minutes}),
        asking.Asked(
            explanation_hash=told.sha256, portfolio_hash="", exposure=0, data_sha256="", checks={},
            expires=(now() + timedelta(minutes=minutes)).date(), desk_time=change.as_of, facts=facts,
        ),
        law,
    )  # fmt: skip
    assert row is not None
    return Proposed(case_id=case.id, approval_id=row.id)


def explain_change(case_id: str, change: Change, evidence: Evidence) -> Explanation:
    """Say what changes and what each field does to risk. Rendered from the differences; no model is asked."""
    claims = ClaimBuilder([evidence])
    claims.say("thesis", f"{change.title}, proposed by {change.proposer}.", [evidence])
    for item in change.differences:
        claims.say("control", _sentence(item), [evidence])
    if not change.differences:
        claims.say("control", "Only the wording of the file differs; every value stays.", [evidence])
    unclear = tuple(item.field for item in change.differences if item.effect == "unclear")
    unknowns = (f"Whether it tightens or loosens is not known of {', '.join(unclear)}.",) if unclear else ()
    return explained(case_id, change, claims, unknowns)


def explained(case_id: str, change: Change, claims: ClaimBuilder, unknowns: tuple[str, ...]) -> Explanation:
    """The explanation that a change is bound to, from the claims that were made."""
    return Explanation(
        case_id=case_id, proposal_id=change.id, proposal_digest=change.digest, claims=tuple(claims.claims),
        binding_constraint=None, counterfactuals=(), dissent=None, unknowns=unknowns, similar_cases=(),
        prose=" ".join([*(claim.text for claim in claims.claims), *unknowns]), reasoner="rules",
        stats=ExplanationStats(
            claims=len(claims.claims), numbers=claims.numbers, unresolved=claims.unresolved, dropped=claims.dropped
        ),
    )  # fmt: skip


def _sentence(item: Difference) -> str:
    effect = {"tighter": ": tighter", "looser": ": looser"}.get(item.effect, "")
    if item.before is None or item.after is None:
        return f"{item.field} {'comes' if item.before is None else 'goes'}: {item.after or item.before or 'empty'}."
    return f"{item.field} goes from {item.before or 'nothing'} to {item.after or 'nothing'}{effect}."
