"""What memory has to say about one proposal: similar cases, as evidence for a brief.

Lessons reach a brief through their record (`pipeline.lesson_use`), never through their likeness.
"""

from __future__ import annotations

from typing import NamedTuple

from memory.remembered import Question, Recalled
from pipeline.briefs import recall_evidence, recalled_cases, situation
from pipeline.work import CycleWork
from tools.types import Evidence, Proposal, RecalledCase


class Memories(NamedTuple):
    """Past cases for a brief, and the evidence that records how each was found. Both empty without memory."""

    cases: tuple[RecalledCase, ...]
    evidence: Evidence


def recall_for(work: CycleWork, proposal: Proposal) -> Memories:
    """Ask memory about a proposal, as of the session of `work`."""
    desk = work.desk
    cases: tuple[Recalled, ...] = ()
    if desk.recall is not None:
        text = situation(proposal, desk.market.instrument(proposal.symbol))
        asked = Question(desk.run_id, work.index, strategy=proposal.strategy, regime_now=work.regime)
        cases = desk.recall.recall(text, asked)
    with desk.db.read() as session:
        past = recalled_cases(session, cases)
    return Memories(past, recall_evidence(past, proposal.symbol, work.tick.as_of, found=cases))
