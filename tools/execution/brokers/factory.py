"""Brokers by name. Others come from the entry point group `quarterdeck.brokers`: a callable that returns a Broker.

What a broker tells beyond the Protocol:

                    simulation                  alpaca
bracket legs        `legs`, as the venue's own  `legs` (nested orders); the desk itself sends stops one by one
busts, corrections  `amendments`                by the trading stream only; a missed one is a break of the books
borrow, interest    `charges`                   not per order: day-end activities, a break of cash until adopted
own messages        none, it is asked           `messages`, the trading stream

The sources for Alpaca are its public pages: Placing Orders (bracket orders, nested), Websocket Streaming (trade
updates), the trade events of the Broker API (trade_bust, trade_correct), and Account Activities (type of a fill).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tools.errors import ConfigError
from tools.execution.types import Broker

GROUP = "quarterdeck.brokers"


def _simulation() -> Callable[..., Broker]:
    from tools.execution.brokers.simulation import SimulationBroker

    return SimulationBroker


def _alpaca() -> Callable[..., Broker]:
    from tools.execution.brokers.alpaca import AlpacaBroker

    return AlpacaBroker


BUILT_IN: dict[str, Callable[[], Callable[..., Broker]]] = {"alpaca": _alpaca, "simulation": _simulation}


def broker_names() -> tuple[str, ...]:
    """Names that `make_broker` takes, sorted. Loads nothing."""
    return tuple(sorted({*BUILT_IN, *_installed()}))


def make_broker(name: str, **options: Any) -> Broker:
    """Open a broker by name with the options that it takes.

    Raises ConfigError `unknown_broker` naming what exists, `ambiguous_broker` when two packages offer the same name,
    `broker_options` for missing or unknown options (named, never shown), `broker_unusable` when a plug-in cannot load.
    """
    build = _builder(name)
    try:
        inspect.signature(build).bind(**options)
    except TypeError as error:
        raise ConfigError(f"broker {name}: {error}; it takes {inspect_options(build)}", code="broker_options") from None
    return build(**options)


def inspect_options(build: Callable[..., Broker]) -> str:
    """The option names of a broker, the optional ones with a question mark."""
    parts = inspect.signature(build).parameters.values()
    return ", ".join(part.name + ("" if part.default is part.empty else "?") for part in parts)


def _builder(name: str) -> Callable[..., Broker]:
    installed = _installed()
    offers = [*installed.get(name, []), *([None] if name in BUILT_IN else [])]
    if not offers:
        raise ConfigError(
            f"broker {name!r} is not known: there are {', '.join(broker_names())}; "
            f"another comes with a package that offers it as {GROUP}",
            code="unknown_broker",
        )
    if len(offers) > 1:
        owners = [offer.value if offer else "built in" for offer in offers]
        raise ConfigError(
            f"broker {name!r} is offered {len(offers)} times ({', '.join(owners)}): uninstall all but one",
            code="ambiguous_broker",
        )
    if offers[0] is None:
        return BUILT_IN[name]()
    try:
        loaded = offers[0].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"broker {name!r} ({offers[0].value}) cannot be loaded: {error}", code="broker_unusable"
        ) from error
    if not callable(loaded):
        raise ConfigError(f"broker {name!r} ({offers[0].value}) is not callable", code="broker_unusable")
    return loaded  # type: ignore[no-any-return]


def _installed() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return found
