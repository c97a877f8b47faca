"""The register of controls as it stands: each with its rule, its limit and how much of it is used."""

from __future__ import annotations

from sqlmodel import col, select

from memory.tables import CaseRow
from pipeline.activation import in_force
from pipeline.feed import market_of
from pipeline.flow import checked_view
from pipeline.risk_view import BEFORE_CLOSE
from pipeline.store import Store, require_run
from tools.risk.groups import WINDOW, correlated
from tools.risk.types import Check
from tools.risk.uses import ControlUse, control_uses


def control_register(store: Store) -> tuple[ControlUse, ...]:
    """Every control at the last close of the active run; HomeError `no_run` without one."""
    limits = in_force(store).limits
    with store.db.read() as session:
        run = require_run(session)
        market = market_of(store, run)
        index = max(0, run.session_index - (run.stage in BEFORE_CLOSE))
        tick = market.tick(market.sessions[index], "close")
        view = checked_view(session, run, market, tick, limits)
        found = session.exec(
            select(CaseRow.checks).where(
                CaseRow.run_id == run.id, CaseRow.opened_index == index, col(CaseRow.checks).is_not(None)
            )
        ).all()
    checked = [Check.model_validate(item) for checks in found for item in checks or ()]
    groups = correlated(market.panel(tick.as_of, WINDOW + 1), float(limits.group_correlation))
    return control_uses(view, limits, checked, groups)
