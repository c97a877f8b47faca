"""The app and the command line with the notification, attention and service-level rooms, wired or not."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from api import app as app_module
from api.app import PREFIX
from api.routes import attention, notifications, sla
from pipeline.store import Store

_CREATE = app_module.create_app


def wired_app(store: Store, **options: Any) -> FastAPI:
    app = _CREATE(store, **options)
    known = {getattr(route, "path", "") for route in app.routes}
    for area in (notifications, attention, sla):
        if f"{PREFIX}{getattr(area.router.routes[0], 'path', '')}" not in known:
            app.include_router(area.router, prefix=PREFIX)
    return app
