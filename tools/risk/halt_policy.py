"""What a halt may do by itself, and for how long: the `halts` section of the limits file."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from tools.types import Frozen


class HaltPolicy(Frozen):
    """Bounds of flattening, of halts that a control engages, and of the dead-man timer.

    Sessions run on the desk clock, seconds and minutes on the wall clock. Shares are fractions.
    """

    flatten_protection_atr: Decimal = Field(gt=0, description="no close further than this many ATR from the last close")
    flatten_protection_share: Decimal = Field(gt=0, lt=1, description="the same as a share of price, where no ATR is")
    flatten_adv_share: Decimal = Field(gt=0, le=1, description="child orders of one session over average daily volume")
    control_sessions: int = Field(ge=1, description="sessions after which a halt of a control ends")
    control_minutes: int = Field(ge=0, description="and minutes, outside replay; both must have passed")
    finding_sessions: int = Field(ge=1, description="sessions after which a halt on a finding ends")
    findings_per_window: int = Field(ge=0, description="halts that findings may engage within one window")
    finding_window_sessions: int = Field(ge=1)
    max_unknown_orders: int = Field(ge=0, description="orders in doubt, above which nothing new is opened")
    max_book_breaks: int = Field(ge=0, description="symbols where books disagree, above which nothing new is opened")
    dead_man_seconds: int = Field(ge=5, le=3600, description="silence of engine or API that the watchdog bears")
