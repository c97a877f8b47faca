"""GET /health: what lives, without a token, so that a supervisor may ask."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import StoreDep
from pipeline.desk_view import HealthView, health_view

router = APIRouter(tags=["desk"])


@router.get("/health")
def get_health(store: StoreDep) -> HealthView:
    """Report each component of the desk and the worst of them as the whole."""
    return health_view(store)
