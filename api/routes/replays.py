"""GET /replays/{target}: make a past decision again from its recordings. Nothing is written, asked or sent."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import READ, StoreDep
from pipeline.decision_replay import DecisionReplay, replay_decision

router = APIRouter(prefix="/replays", tags=["cases"], dependencies=READ)


@router.get("/{target}")
def replay(target: str, store: StoreDep) -> DecisionReplay:
    """The steps of a case or a cycle, each held against its recording."""
    return replay_decision(store, target)
