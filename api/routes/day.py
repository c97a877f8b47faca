"""The day: what its start and its end found, and who signed them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import READ, Operator, StoreDep
from api.schemas import Body, Text
from pipeline import day_life
from pipeline.standing import acting_for
from tools.types import Sha256

router = APIRouter(prefix="/day", tags=["day"])


class SignOffRequest(Body):
    """Sign the start or the end of a session. Over a failed check `reason_code` is needed, and a risk officer."""

    moment: Annotated[day_life.Moment, Field(alias="phase")]
    session: date | None = None
    note: Annotated[Text, Field(max_length=2000)]
    reason_code: day_life.DayReasonCode | None = None
    checks_sha256: Sha256 | None = None


@router.get("", dependencies=READ)
def get_day(store: StoreDep) -> day_life.DayView:
    """Run the checks of the coming start and of the last end of day."""
    return day_life.day_view(store)


@router.post("/sign-off")
def post_sign_off(store: StoreDep, who: Operator, body: SignOffRequest) -> day_life.SignResult:
    """Sign a start (operator) or an end (approver). Signing again is the same result; another person gets 409."""
    return day_life.sign(
        acting_for(store, who, "operator"), moment=body.moment, session=body.session, note=body.note,
        principal=who.principal(), reason_code=body.reason_code, checks_sha256=body.checks_sha256,
    )  # fmt: skip
