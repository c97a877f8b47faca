"""Read settled outcomes and write down what they teach, quarantined."""

from __future__ import annotations

from agents.learning.rules import lesson
from agents.opinion import Context, LearningBrief
from tools.types import Lesson, Outcome


async def learn(brief: LearningBrief, context: Context) -> tuple[Lesson, ...]:
    """Return one lesson per strategy and disposition with a settled outcome, ordered by scope.

    Lessons are born quarantined: people read them, no brief holds them until somebody promotes them (P12).
    The id follows from the outcomes a lesson rests on, so nothing new learnt is no new lesson.
    """
    del context
    scopes: dict[tuple[str, str], list[Outcome]] = {}
    for item in brief.outcomes:
        if item.settled and item.excess_return is not None:
            scopes.setdefault((item.strategy, item.disposition), []).append(item)
    return tuple(lesson(scope, scopes[scope], brief) for scope in sorted(scopes))
