"""What a route may ask for: the store, and who is asking."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.auth import principal_of
from pipeline.store import Principal, Store


def current_store(connection: HTTPConnection) -> Store:
    """The store that `create_app` was given."""
    store: Store = connection.app.state.store
    return store


StoreDep = Annotated[Store, Depends(current_store)]
PrincipalDep = Annotated[Principal, Depends(principal_of)]
