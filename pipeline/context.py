"""The context handed to agents: a recorder, a budget, and endpoints in their order where a model is configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.breaker import Breaker
from agents.gate import Gate
from agents.models import DEFAULT_BASE_URL, LiveEndpoint, chat_model
from agents.opinion import Context, Endpoint
from memory.recordings import CycleRecorder
from pipeline.budget import SpendBudget
from pipeline.model_settings import secret
from pipeline.store import Store
from prompts.loader import Tier


def agent_context(store: Store, run_id: str, cycle_id: str) -> Context:
    """The context of agents: rules, or a model where a key or a base URL is configured."""
    settings = store.settings
    if settings.reasoner == "rules":
        return rules_context(store, run_id, cycle_id)
    return Context(
        reasoner="model", recorder=CycleRecorder(store.db, run_id, cycle_id),
        budget=SpendBudget(store.db, settings, run_id, cycle_id), endpoints=model_endpoints(store),
        framework=settings.model_framework, samples=settings.model_samples, beside=settings.models_beside,
    )  # fmt: skip


def rules_context(store: Store, run_id: str, cycle_id: str) -> Context:
    """A context of rules, whatever is configured: for what must not wait for a model."""
    recorder = CycleRecorder(store.db, run_id, cycle_id)
    return Context(reasoner="rules", recorder=recorder, budget=SpendBudget(store.db, store.settings, run_id, cycle_id))


def model_endpoints(store: Store, model_id: str | None = None) -> Mapping[Tier, Sequence[Endpoint]]:
    """Who is asked for each tier, in order; `model_id` in the place of all of them, without fallbacks."""
    settings = store.settings
    key = settings.model_api_key.get_secret_value() if settings.model_api_key else ""
    url = settings.model_base_url or DEFAULT_BASE_URL
    if model_id is not None:
        only = [_endpoint(store, url, key, model_id)]
        return {"fast": only, "deep": only}
    later = [
        _endpoint(store, item.base_url, (secret(item.key_variable) or "") if item.key_variable else "", item.model_id)
        for item in settings.fallbacks
    ]
    fast = _endpoint(store, url, key, settings.model_id)
    deep = _endpoint(store, url, key, settings.model_id_deep or settings.model_id)
    return {"fast": [fast, *later], "deep": [deep, *later]}


def _endpoint(store: Store, url: str, key: str, model_id: str) -> LiveEndpoint:
    settings = store.settings
    gate = store.gates.setdefault(url, Gate(settings.model_concurrency))
    model = chat_model(url, key, model_id, settings.model_timeout_s)
    fresh = Breaker(settings.model_breaker_failures, settings.model_breaker_cool_down_s)
    breaker = store.breakers.setdefault((url, model_id), fresh)
    return LiveEndpoint(model, model_id, settings.model_timeout_s, gate, breaker)
