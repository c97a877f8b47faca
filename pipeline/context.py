"""The context handed to agents: a recorder, a budget, and a model where one is configured."""

from __future__ import annotations

from agents.models import chat_model
from agents.opinion import Context
from memory.recordings import CycleRecorder
from pipeline.budget import RunBudget
from pipeline.store import Store


def agent_context(store: Store, run_id: str, cycle_id: str, budget: RunBudget) -> Context:
    """The context of agents: rules, or a model where a key or a base URL is configured."""
    settings = store.settings
    recorder = CycleRecorder(store.db, run_id, cycle_id)
    if settings.reasoner == "rules":
        return Context(reasoner="rules", recorder=recorder, budget=budget)
    key = settings.model_api_key.get_secret_value() if settings.model_api_key else ""
    model = chat_model(settings.model_base_url, key, settings.model_id, settings.model_timeout_s)
    return Context(
        reasoner="model", recorder=recorder, budget=budget, model=model, model_id=settings.model_id,
        timeout_s=settings.model_timeout_s,
    )  # fmt: skip


def rules_context(store: Store, run_id: str, cycle_id: str, budget: RunBudget) -> Context:
    """A context of rules, whatever is configured: for what must not wait for a model."""
    return Context(reasoner="rules", recorder=CycleRecorder(store.db, run_id, cycle_id), budget=budget)
