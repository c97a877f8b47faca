"""GET /health: what lives, without a login, so that a supervisor may ask."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.auth import identity_of
from api.dependencies import StoreDep
from pipeline.desk_view import HealthView, health_view

router = APIRouter(tags=["desk"])


@router.get("/health")
def get_health(request: Request, store: StoreDep) -> HealthView:
    """Report each component of the desk and the worst of them as the whole.

    Where other machines can reach the desk, a stranger learns the whole only.
    """
    view = health_view(store)
    if store.settings.exposed and identity_of(request) is None:
        return HealthView(status=view.status, components=())
    return view
