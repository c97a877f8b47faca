"""What may leave a position with nobody there: pure planning of (position, features, policy, occasion)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from tools.risk.exit_policy import ExitPolicy, Occasion, Reduction
from tools.risk.types import PositionView
from tools.strategy.evidence import money, shown
from tools.strategy.generators.exits import Cause, cause_of, wish
from tools.strategy.types import Candidate, Features
from tools.types import Evidence

OCCASION_WORDS: dict[Occasion, str] = {
    "night": "nobody could answer between the close and this open",
    "nobody_answers": "the exit was asked and nobody answered",
    "desk_half_dead": "a part of the desk is down",
}


class Standing(NamedTuple):
    """An occasion that holds for a position: for how many sessions, and whether its unanswered question is tainted."""

    occasion: Occasion
    sessions: int
    taint: bool = False


class Planned(NamedTuple):
    """A reduction that the policy allows: never more shares than are held."""

    candidate: Candidate
    quantity: int
    cause: Reduction


def plan_reduction(
    position: PositionView,
    item: Features,
    held: int,
    policy: ExitPolicy,
    standing: Standing,
    as_of: datetime,
    *,
    tightened: bool = False,
    reduced_before: bool = False,
) -> Planned | None:
    """The first reduction of a long position that the occasion allows; None when there is none.

    The order is: a stop that was passed, the strategy's own rule or its time, then `reduce`. `tightened` says that the
    stop is no longer the entry's. `reduce` happens once in the life of a position (`reduced_before`): else a share of
    the rest would go every session.
    """
    allowed = policy.on(standing.occasion)
    for cause in _causes(position, item, held, policy, standing, tightened):
        if cause.code == "reduce" and reduced_before:
            continue
        quantity = allowed.quantity(cause.code, position.quantity)
        if quantity == 0:
            continue
        candidate = wish(position, item, cause, held, policy, as_of, _evidence(position, standing, as_of))
        if candidate is not None:
            return Planned(candidate, quantity, cause.code)
    return None


def _causes(
    position: PositionView, item: Features, held: int, policy: ExitPolicy, standing: Standing, tightened: bool
) -> Iterator[Cause]:
    stop = position.stop_price
    if stop is not None and money(item.close) <= stop:
        code: Reduction = "trailing_stop" if tightened else "protective_stop"
        text = f"{item.symbol} closed at {shown(item.close)}, at or below its stop of {shown(float(stop))}"
        yield Cause(code, f"{text}, and is still held; {OCCASION_WORDS[standing.occasion]}.", 1.0)
    rule = cause_of(position.strategy, item, held, policy)
    if rule is not None:
        yield rule._replace(text=f"{rule.text.removesuffix('.')}; {OCCASION_WORDS[standing.occasion]}.")
    yield Cause(
        "reduce",
        f"{item.symbol} is held and {OCCASION_WORDS[standing.occasion]}, for {standing.sessions} sessions.",
        0.5,
    )


def _evidence(position: PositionView, standing: Standing, as_of: datetime) -> Evidence:
    payload = {
        "occasion": standing.occasion, "sessions": standing.sessions, "symbol": position.symbol,
        "held": position.quantity,
    }  # fmt: skip
    return Evidence.of(
        "health", "tools.strategy.exit_planning", payload, event_time=as_of, known_at=as_of, symbol=position.symbol,
        taint=standing.taint,
    )  # fmt: skip
