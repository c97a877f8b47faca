"""risk: the book's measures, exposures and stress in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table, print_text
from tools.errors import ToolRejected

DIMENSIONS = ("sector", "strategy", "agent", "symbol")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("risk")(risk)
    app.command("controls")(controls)


def controls(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List every control: the rule it answers to, its limit, and how much of it is used now."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        items = desk.get("/controls")["items"]
    if call.as_json:
        print_json(items)
        return
    rows = (
        (
            item["control"].replace("_", " "), item["rule"], "hard" if item["hard"] else "soft", _limit(item),
            _used(item), item["basis"],
        )
        for item in items
    )  # fmt: skip
    print_table("controls", ("control", "rule", "", "limit#", "use#", "measured on"), rows)


def _limit(item: dict[str, Any]) -> str:
    if item["limit"] is None or item["unit"] == "flag":
        return "must not be" if item["unit"] == "flag" else "by the order"
    if item["unit"] == "share":
        return f"{Decimal(item['limit']) * 100:.2f} %"
    unit = {"price": "ATR", "count": "", "quantity": "shares", "money": ""}.get(item["unit"], item["unit"])
    return f"{Decimal(item['limit']):,} {unit}".rstrip()


def _used(item: dict[str, Any]) -> str:
    if item["use"] is None:
        return "not measured"
    if item["unit"] == "flag":
        return "raised" if Decimal(item["use"]) else "clear"
    return f"{Decimal(item['use']) * 100:.0f} %"


def risk(
    ctx: typer.Context,
    stress: Annotated[
        str | None, typer.Option(help="Your own moves, e.g. 'market=-10%, Energy=-20%, IBM=-30%'.", show_default=False)
    ] = None,
    what_if: Annotated[
        str | None, typer.Option(help="Try an order, e.g. 'buy 100 IBM'; nothing is sent.", show_default=False)
    ] = None,
    confidence: Annotated[float, typer.Option(min=0.8, max=0.995, help="Of value at risk.")] = 0.95,
    horizon: Annotated[int, typer.Option(min=1, max=20, help="Sessions.")] = 1,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the risk of the book: limits used, measures with their conventions, exposures, stress, protection."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    order = None if what_if is None else _order(what_if)
    with open_desk(call) as desk:
        answer: dict[str, Any] = {
            "risk": desk.get("/risk", {"confidence": confidence, "horizon": horizon}),
            "exposure": desk.get("/exposure"),
            "stress": None if stress is None else desk.post("/risk/stress", {"text": stress}),
            "what_if": None if order is None else desk.post("/risk/what-if", order),
        }
    if call.as_json:
        print_json(answer)
        return
    if answer["stress"] is not None:
        _stressed(answer["stress"])
    if answer["what_if"] is not None:
        print_what_if(answer["what_if"])
    if answer["stress"] is None and answer["what_if"] is None:
        _report(answer["risk"])
        _exposures(answer["exposure"])


def _order(text: str) -> dict[str, Any]:
    parts = text.split()
    if len(parts) != 3 or parts[0].lower() not in ("buy", "sell") or not parts[1].isdecimal():
        raise ToolRejected(f"{text!r} is no order: write side, shares and symbol, e.g. 'buy 100 IBM'", code="invalid")
    return {"side": parts[0].lower(), "quantity": int(parts[1]), "symbol": parts[2].upper()}


def percent(value: Any, digits: int = 2) -> str:
    """A fraction, or its decimal text, as percent."""
    return "-" if value is None else f"{float(value) * 100:.{digits}f} %"


def _report(report: dict[str, Any]) -> None:
    print_fields(
        f"book of {report['run']} at the close of {report['session']} ({report['label']})",
        {
            "equity": report["equity"], "positions": f"{report['positions']} held, {report['pending']} pending",
            "history": f"{report['window_sessions']} sessions",
        },
    )  # fmt: skip
    rows = ((u["limit"], percent(u["value"]), percent(u["maximum"]), percent(u["use"], 0)) for u in report["limits"])
    print_table("limits", ("limit", "now#", "maximum#", "used#"), rows)
    print_table(
        "measures (fractions of equity, losses positive)", ("measure", "value#", "convention"), _measures(report)
    )
    for result in report["stress"]:
        _stress_line(result)
    guard = report["protection"]["state"]
    print_fields(
        "drawdown protection of new entries",
        {
            "drawdown": percent(guard["drawdown"]), "factor": percent(guard["factor"], 0),
            "curve says": percent(guard["target"], 0), "sizing": report["sizing"]["method"].replace("_", " "),
        },
    )  # fmt: skip


def _measures(report: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, tail in report["tail"].items():
        title = name.replace("_", "-")
        if tail["status"] != "ok":
            yield f"VaR {title}", "not enough data", tail["message"]
            continue
        by = tail["convention"]
        span = (
            "1 session" if by["horizon_sessions"] == 1 else f"{by['horizon_sessions']} sessions by the {by['scaling']}"
        )
        how = f"{percent(by['confidence'], 1)}, {span}, {by['quantile']}"
        yield f"VaR {title}", percent(tail["var"]), how
        yield f"CVaR {title}", percent(tail["cvar"]), how
    for name, spread in report["volatility"].items():
        ok = spread["status"] == "ok"
        how = "annualised by 252" + (f", lambda {spread['decay']}" if ok and spread["decay"] else "")
        yield (
            f"volatility {name}",
            percent(spread["value"]) if ok else "not enough data",
            how if ok else spread["message"],
        )
    fall = report["drawdown"]
    if fall["status"] == "ok":
        yield "drawdown", percent(fall["current"]), f"deepest {percent(fall['maximum'])}"
        yield "under water", str(fall["sessions_under_water"]), f"sessions; longest {fall['longest_under_water']}"
    slope = report["index"]
    if slope["status"] == "ok":
        correlation = "-" if slope["correlation"] is None else f"{slope['correlation']:.2f}"
        yield "beta", f"{slope['beta']:.2f}", f"to the S&P 500, correlation {correlation}"
    else:
        yield "beta", "not enough data", slope["message"]
    names = report["concentration"]
    yield "concentration", f"{names['herfindahl']:.3f}", f"Herfindahl; {names['effective_names']:.1f} effective names"
    parts = report["contributions"]
    if parts["status"] == "ok":
        top = sorted(parts["items"], key=lambda item: -item["component_var"])[:3]
        yield (
            "most VaR in",
            percent(parts["var"]),
            ", ".join(f"{i['symbol']} {percent(i['component_var'])}" for i in top),
        )


def _stress_line(result: dict[str, Any]) -> None:
    scenario = result["scenario"]
    crossed = [item["limit"] for item in result["crossings"] if item["crossed"]]
    used: dict[str, int] = {}
    for item in result["positions"]:
        used[item["used"]] = used.get(item["used"], 0) + 1
    told = ", ".join(f"{count} by {name.replace('_', ' ')}" for name, count in sorted(used.items()))
    hindsight = " (after the desk's clock: hindsight, never evidence)" if scenario["hindsight"] else ""
    print_fields(
        f"stress: {scenario['name']}{hindsight}",
        {
            "loss": f"{percent(result['loss_share'])} of equity ({result['change']})", "moves": told or "no positions",
            "would cross": ", ".join(crossed) or "no limit",
        },
    )  # fmt: skip


def _stressed(result: dict[str, Any]) -> None:
    _stress_line(result)
    rows = (
        (
            p["symbol"],
            p["sector"],
            p["value"],
            percent(p["move"]),
            p["change"],
            p["used"].replace("_", " "),
            p["source"],
        )
        for p in sorted(result["positions"], key=lambda item: float(item["change"]))
    )
    print_table("positions", ("symbol", "sector", "value#", "move#", "change#", "by", "source"), rows)


def _exposures(report: dict[str, Any]) -> None:
    for dimension in DIMENSIONS:
        rows = (
            (e["name"], e["long"], e["short"], e["net"], percent(e["share"]), percent(e["limit"]), percent(e["use"], 0))
            for e in report[dimension]
        )
        print_table(
            f"exposure by {dimension}", (dimension, "long#", "short#", "net#", "share#", "limit#", "used#"), rows
        )


def print_what_if(found: dict[str, Any]) -> None:
    """The book before and after one order, for a terminal."""
    rows = ((c["label"], *_before_after(c), percent(c["limit"]), c["missing"]) for c in found["changes"])
    print_table(
        f"the book with {found['side']} {found['quantity']} {found['symbol']} at {found['price']}",
        ("measure", "before#", "after#", "limit#", "not known"),
        rows,
    )
    print_text(
        f"Value at risk changes by {percent(found['incremental_var'], 3)} of equity (historical, "
        f"{percent(found['confidence'], 0)}, {found['window_sessions']} sessions); at the margin by "
        f"{percent(found['marginal_var'], 3)} (normal)."
    )


def _before_after(change: dict[str, Any]) -> tuple[str, str]:
    if change["unit"] == "share":
        beyond = change["after"] is not None and change["limit"] and float(change["after"]) > float(change["limit"])
        return percent(change["before"]), percent(change["after"]) + (" above" if beyond else "")
    before, after = (None if change[key] is None else f"{float(change[key]):.2f}" for key in ("before", "after"))
    return before or "-", after or "-"
