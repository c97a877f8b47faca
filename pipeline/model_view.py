"""What the last model calls say: whether the model answers, and which fallbacks had to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from sqlmodel import Session, col, select

from memory.tables import RecordingRow, RunRow
from pipeline.findings import raise_finding
from pipeline.settings import Settings

ASKED = "gen_ai.request.model"


class ModelState(NamedTuple):
    state: Literal["ok", "down", "off"]
    detail: str
    at: datetime | None


def model_state(session: Session, settings: Settings) -> ModelState:
    """The model as its last call left it; `down` where that call ended without an answer or a fallback gave it."""
    if settings.reasoner != "model":
        return ModelState("off", "no model configured, agents use their rules", None)
    names = " and ".join(dict.fromkeys((settings.model_id, settings.model_id_deep or settings.model_id)))
    last = session.exec(
        select(RecordingRow).where(RecordingRow.kind == "model").order_by(col(RecordingRow.id).desc()).limit(1)
    ).first()
    if last is None:
        return ModelState("ok", f"{names}, not asked yet", None)
    if last.meta.get("quarterdeck.breaker") == "open":
        asked = last.meta[ASKED]
        return ModelState("down", f"{asked} failed too often in a row and is left alone for a while", last.at_wall)
    if "error.type" in last.meta:
        asked = last.meta[ASKED]
        return ModelState("down", f"{asked} gave no answer ({last.meta['error.type']})", last.at_wall)
    if last.meta.get("quarterdeck.endpoint"):
        spare = last.meta[ASKED]
        return ModelState("down", f"{names} cannot be reached, the fallback {spare} answers", last.at_wall)
    return ModelState("ok", names, last.at_wall)


def raise_fallbacks(session: Session, run: RunRow, cycle_id: str, as_of: datetime) -> None:
    """Raise a finding for every endpoint of a cycle that was passed over; once for each way it failed."""
    metas = session.exec(
        select(RecordingRow.meta).where(
            RecordingRow.run_id == run.id, RecordingRow.cycle_id == cycle_id, RecordingRow.kind == "model"
        )
    ).all()
    seen = {
        (str(meta["quarterdeck.fallback.from"]), str(meta["quarterdeck.fallback.reason"]), str(meta[ASKED]))
        for meta in metas
        if "quarterdeck.fallback.from" in meta
    }
    for model, reason, spare in sorted(seen):
        raise_finding(
            session, run, code="model_fallback", severity="warning", component="model", as_of=as_of,
            message=f"The model {model} gave no answer ({reason.replace('_', ' ')}); {spare} was asked instead.",
            recommendation="See to the endpoint; until then another model judges than the one that was chosen.",
        )  # fmt: skip
