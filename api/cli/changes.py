"""How a change of the desk looks in a terminal, beside the orders."""

from __future__ import annotations

from typing import Any

from api.cli.output import print_fields, print_table


def sentence(case: dict[str, Any]) -> str:
    """What a case is about in one line: an order, a change, or a damaged record."""
    proposal, change = case["proposal"], case["change"]
    if proposal:
        return f"{proposal['side']} {proposal['quantity']} {proposal['symbol']}{worked(case)}"
    return str(change["title"]) if change else f"{case['kind']} {case['symbol']} (its record is damaged)"


def worked(case: dict[str, Any]) -> str:
    """How an order is worked, to stand behind other words; nothing for one order at the next open."""
    how = figure(case, "working")
    return f", {how['algorithm']} over {how['sessions']} sessions" if how else ""


def figure(case: dict[str, Any], name: str) -> Any:
    """A figure of the proposed order; None where the case is about no order."""
    return (case["proposal"] or {}).get(name)


def show_change(case: dict[str, Any]) -> None:
    """Print a change with every field it moves."""
    change = case["change"]
    print_fields(
        f"{case['id']}: {change['title']} ({case['state']})",
        {
            "reason": change["reason"], "proposed by": change["proposer"], "risk": case["risk_effect"],
            "in force": change["before_sha256"], "candidate": change["after_sha256"], "ended": case["reason"],
            "approval": case["approval_id"], "digest": case["digest"],
        },
    )  # fmt: skip
    rows = ((d["field"], d["before"], d["after"], d["effect"]) for d in change["differences"])
    print_table("differences", ("field", "in force", "candidate", "effect"), rows)
