"""What a person must be to be told something in chat: for each tool the role and scope that the API asks for the same.

A test holds this table against the routes, so that chat can never show what the API would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.roles import Identity, Role, Scope


class Needed(NamedTuple):
    """The API operation that gives the same, and what it needs."""

    operation: str
    role: Role = "viewer"
    scope: Scope = "read"


NEEDED: Final[Mapping[str, Needed]] = {
    "universe": Needed("GET /desk"),
    "desk": Needed("GET /desk"),
    "positions": Needed("GET /positions"),
    "exposure": Needed("GET /exposure"),
    "risk": Needed("GET /risk"),
    "limits_used": Needed("GET /risk"),
    "waiting": Needed("GET /approvals"),
    "find_cases": Needed("GET /cases"),
    "case": Needed("GET /cases/{case_id}"),
    "explain": Needed("GET /explanations/{case_id}"),
    "why_not": Needed("GET /cases/{case_id}/why-not"),
    "changes": Needed("GET /ledger"),
    "findings": Needed("GET /findings"),
    "pace": Needed("GET /sla", "approver"),
    "lessons": Needed("GET /lessons"),
    "suppose_limit": Needed("POST /risk/what-if"),
    "suppose_order": Needed("POST /risk/what-if"),
    "suppose_shock": Needed("POST /risk/stress"),
    "propose": Needed("POST /chat", "operator", "operate"),
}


def require_may(reader: Identity, tool: str) -> None:
    """AccessError `role` or `scope` unless this person may use the tool."""
    needed = NEEDED[tool]
    reader.must(needed.role, needed.scope)
