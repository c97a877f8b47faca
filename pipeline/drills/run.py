"""A whole drill: every control, every halt cell and the other ways to stop, one line each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from pipeline.activation import latest, read_law
from pipeline.drills.control_drills import calm_situation, control_names, drill_control
from pipeline.drills.halt_drills import CELLS, drill_cell, play_usual
from pipeline.drills.report import DrillReport, Line
from pipeline.drills.scratch import close, new_desk, scratch_market
from pipeline.drills.stage import Stage, on_copy, set_stage
from pipeline.drills.stop_drills import STOPS
from pipeline.drills.tamper_drills import TAMPERINGS
from pipeline.store import Store
from tools.canonical import sha256_hex
from tools.data.types import MarketData
from tools.errors import ConfigError, QuarterdeckError
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import Limits

BROKEN = (
    QuarterdeckError, SQLAlchemyError, OSError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What a broken control or halt may raise: a line that did not fire, and the drill goes on."""
OnLine = Callable[[Line], None]


OTHERS = {**STOPS, **TAMPERINGS}


def names_of(only: str | None = None) -> tuple[str, ...]:
    """What a drill provokes, in order; ConfigError(invalid) when `only` is in no name."""
    every = (*control_names(), *CELLS, *OTHERS)
    chosen = tuple(name for name in every if only is None or only in name)
    if not chosen:
        raise ConfigError(f"no drill has {only!r} in its name: take a part of one, such as halt:firm", code="invalid")
    return chosen


def limits_to_hold(store: Store | None) -> tuple[Limits, str]:
    """The limits in force in a home and their hash; the shipped ones without a home or before its first start."""
    if store is not None:
        with store.db.read() as session:
            known = latest(session, "limits")
            if known is not None:
                law = read_law(session)
                return law.limits, law.limits_sha256
    text = default_limits_text()
    return load_limits(text), sha256_hex(text.encode())


def run_drill(
    folder: Path,
    limits: Limits,
    limits_sha256: str,
    *,
    equity: int | None = None,
    only: str | None = None,
    keep: bool = False,
    on_line: OnLine = lambda _line: None,
) -> DrillReport:
    """Provoke everything whose name holds `only` in scratch homes under `folder`, an empty folder.

    `limits` are those that controls are held against, with their hash, and `equity` what they are meant for.
    """
    names = names_of(only)
    lines: list[Line] = []

    def tell(line: Line) -> None:
        lines.append(line)
        on_line(line)

    market = scratch_market()
    _controls(folder, market, limits, equity, [name for name in names if name in control_names()], tell)
    halts = [name for name in names if name in CELLS or name in OTHERS]
    if halts:
        asyncio.run(_stops(folder, market, halts, keep=keep, tell=tell))
    return DrillReport(
        lines=tuple(lines), limits_sha256=limits_sha256, version=metadata.version("quarterdeck"), only=only
    )


def _controls(
    folder: Path, market: MarketData, limits: Limits, equity: int | None, names: list[str], tell: OnLine
) -> None:
    if not names:
        return
    desk = new_desk(folder / "controls", market, equity)
    try:
        calm = calm_situation(desk, limits)
    except BROKEN as error:
        for name in names:
            tell(_fell(name, error))
        return
    finally:
        close(desk)
    for name in names:
        try:
            tell(drill_control(name, calm))
        except BROKEN as error:
            tell(_fell(name, error))


async def _stops(folder: Path, market: MarketData, names: list[str], *, keep: bool, tell: OnLine) -> None:
    try:
        stage = await set_stage(folder, market, keep=keep)
        usual = await play_usual(stage)
    except BROKEN as error:
        for name in names:
            tell(_fell(name, error))
        return
    for name in names:
        try:
            line = await (drill_cell(stage, usual, *CELLS[name]) if name in CELLS else _other(stage, name))
        except BROKEN as error:
            line = _fell(name, error)
        tell(line)


async def _other(stage: Stage, name: str) -> Line:
    drill, seen = OTHERS[name]
    async with on_copy(stage, name) as scene:
        return Line.of(name, await drill(scene), seen)


def _fell(name: str, error: BaseException) -> Line:
    return Line.of(name, [f"it could not be drilled: {type(error).__name__}: {error}"], "")
