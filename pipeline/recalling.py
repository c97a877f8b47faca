"""What memory has to say about one proposal: similar cases and promoted lessons, as evidence for a brief."""

from __future__ import annotations

from typing import NamedTuple

from memory.remembered import Question, Recalled
from pipeline.briefs import recall_evidence, recalled_cases, situation
from pipeline.work import CycleWork
from tools.types import Evidence, Proposal, RecalledCase

LESSONS = 3


class Memories(NamedTuple):
    """Past cases for a brief, and the evidence that records how each was found. Both empty without memory."""

    cases: tuple[RecalledCase, ...]
    evidence: Evidence


def recall_for(work: CycleWork, proposal: Proposal) -> Memories:
    """Ask memory about a proposal, as of the session of `work`; nobody's lesson before people promoted it."""
    desk = work.desk
    cases: tuple[Recalled, ...] = ()
    lessons: tuple[Recalled, ...] = ()
    if desk.recall is not None:
        text = situation(proposal, desk.market.instrument(proposal.symbol))
        asked = Question(desk.run_id, work.index, strategy=proposal.strategy, regime_now=work.regime)
        cases = desk.recall.recall(text, asked)
        lessons = desk.recall.recall(text, asked._replace(kinds=("lesson",), limit=LESSONS))
    with desk.db.read() as session:
        past = recalled_cases(session, cases)
    return Memories(
        past, recall_evidence(past, proposal.symbol, work.tick.as_of, found=cases, lessons=lessons)
    )  # fmt: skip
