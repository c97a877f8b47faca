"""What a route may ask for: the store, and who is asking with at least which role."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.auth import principal_of, require
from memory.embedding import SentenceEncoder
from pipeline.people import Identity
from pipeline.store import Principal, Store


def current_store(connection: HTTPConnection) -> Store:
    """The store that `create_app` was given."""
    store: Store = connection.app.state.store
    return store


def current_encoder(connection: HTTPConnection) -> SentenceEncoder:
    """The encoder of this process, loaded at the first search. Two at once load it twice, which harms nobody."""
    state = connection.app.state
    if not hasattr(state, "encoder"):
        state.encoder = SentenceEncoder()
    found: SentenceEncoder = state.encoder
    return found


EncoderDep = Annotated[SentenceEncoder, Depends(current_encoder)]
StoreDep = Annotated[Store, Depends(current_store)]
PrincipalDep = Annotated[Principal, Depends(principal_of)]

READ = [Depends(require("viewer"))]
"""What a router of reads is given, so that none of its routes can be forgotten."""
Viewer = Annotated[Identity, Depends(require("viewer"))]
Operator = Annotated[Identity, Depends(require("operator"))]
Approver = Annotated[Identity, Depends(require("approver"))]
Decider = Annotated[Identity, Depends(require("approver", lent=True))]
"""Whoever answers the queue: an approver, or who holds the role of one for a time."""
RiskOfficer = Annotated[Identity, Depends(require("risk_officer"))]
Admin = Annotated[Identity, Depends(require("admin"))]
Halter = Annotated[Identity, Depends(require("operator", "halt"))]
"""Whoever may stop the desk: any operator, and a key that may do nothing else."""
