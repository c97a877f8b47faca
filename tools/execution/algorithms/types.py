"""Execution algorithms behind one Protocol: a parent and what is known in, slices out, one child at a time.

Pure: no clock, no broker. The caller owns the grant, sends each slice as a child order, and may stop at any of them by
not asking for the next. An iceberg is an Algorithm whose slices share one window; routing fills in `venue`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Protocol, Self

from pydantic import Field, model_validator

from tools.types import Frozen, Instant, Side, Symbol


class Parent(Frozen):
    """What is to be done in all. `quantity` is the budget that the grant allows; children draw it down."""

    parent_id: str
    symbol: Symbol
    side: Side
    quantity: int = Field(gt=0)
    limit_price: Decimal | None = Field(default=None, gt=0)


class Window(Frozen):
    """A stretch of trading time. `bucket` counts equal parts of the session from its open; 0 of 1 is all of it."""

    session: date
    start: Instant
    end: Instant
    bucket: int = Field(default=0, ge=0)
    buckets: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"window of {self.session} ends at {self.end}, not after its start {self.start}")
        if self.bucket >= self.buckets:
            raise ValueError(f"bucket {self.bucket} of {self.buckets}: buckets count from 0")
        return self


class SessionVolume(Frozen):
    """Shares traded in a past session."""

    session: date
    volume: int = Field(ge=0)


class BucketVolume(Frozen):
    """Shares traded in one of `buckets` equal parts of a past session, from intraday bars."""

    session: date
    bucket: int = Field(ge=0)
    buckets: int = Field(ge=2)
    volume: int = Field(ge=0)


class Context(Frozen):
    """What a planner may know: when it may trade, what traded before, and how much of the volume may be ours.

    `windows` ascend and do not overlap. Everything is known as of the plan; nothing here looks ahead.
    """

    windows: tuple[Window, ...] = Field(min_length=1)
    daily: tuple[SessionVolume, ...] = ()
    intraday: tuple[BucketVolume, ...] = ()
    participation: Decimal = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for before, after in pairwise(self.windows):
            if after.start < before.end:
                raise ValueError(f"window from {after.start} starts before the one before it ends at {before.end}")
            if after.session < before.session:
                raise ValueError(f"session {after.session} comes after {before.session} in the windows")
            if after.session == before.session and after.buckets != before.buckets:
                raise ValueError(f"session {after.session} is cut into {before.buckets} and into {after.buckets} parts")
        return self


class Slice(Frozen):
    """One child to be: so many shares in a window.

    `capacity` is the most that the participation cap lets it grow to, `session_capacity` the most that it and the other
    children of its session may trade together.
    """

    number: int = Field(ge=0)
    quantity: int = Field(ge=0)
    window: Window
    capacity: int = Field(ge=0)
    session_capacity: int = Field(ge=0)
    limit_price: Decimal | None = None
    venue: str | None = None


class Plan(Frozen):
    """The slices of a parent; their quantities sum to the parent's exactly. `basis` says what the shape rests on.

    `arrival_price` is the price when the plan was made, None where nobody knew one; the caller adds it.
    """

    parent: Parent
    algorithm: str
    basis: str
    slices: tuple[Slice, ...]
    arrival_price: Decimal | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(item.quantity for item in self.slices)
        if total != self.parent.quantity:
            raise ValueError(f"slices of {self.parent.parent_id} sum to {total}, not {self.parent.quantity}")
        return self


class Child(Frozen):
    """What became of a slice that was sent: `filled` of `sent` shares, and whether more may still come."""

    number: int = Field(ge=0)
    sent: int = Field(ge=0)
    filled: int = Field(ge=0)
    ended: bool

    @property
    def committed(self) -> int:
        """Shares that are filled or may still fill."""
        return self.filled if self.ended else max(self.sent, self.filled)


class Algorithm(Protocol):
    """A planner. `plan` once, then `next` after each child or when a window opens."""

    @property
    def name(self) -> str: ...

    def plan(self, parent: Parent, context: Context) -> Plan:
        """Spread the parent over the windows. ExecutionError when it does not fit or the shape has no data."""
        ...

    def next(self, plan: Plan, children: Sequence[Child], now: Instant) -> Slice | None:
        """The slice to send now, its quantity set for what the children did so far; None when there is none.

        Never lets filled and open shares together pass the parent's quantity, whatever the fills were.
        """
        ...
