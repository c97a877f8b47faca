"""Read settled views and write down what they teach, quarantined."""

from __future__ import annotations

from agents.learning import model, rules
from agents.opinion import Context, LearningBrief
from tools.types import Lesson


async def learn(brief: LearningBrief, context: Context) -> tuple[Lesson, ...]:
    """Return one lesson for each scope that is due, ordered by scope.

    Lessons are born quarantined: people read them, no brief holds them until somebody promotes them (P12). The figures
    are computed here by rules; with the model reasoner a model may put a lesson with enough data into words. The id
    follows from the outcomes a lesson rests on, so nothing new learnt is no new lesson.
    """
    scopes = rules.gather(brief.views)
    examined = sum(rules.has_enough(views) for views in scopes.values())
    due = {scope: views for scope, views in scopes.items() if rules.is_due(views, brief.written.get(scope.name))}
    lessons = [rules.lesson(scope, views, brief, examined) for scope, views in due.items()]
    if context.reasoner == "rules":
        return tuple(lessons)
    said = [
        [brief.said[view.id] for view in views if view.id in brief.said] if not scope.is_of_entries else []
        for scope, views in due.items()
    ]
    return await model.put_into_words(lessons, said, context)
