"""Roles, scopes and identities: what somebody may do, and as whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, get_args

from pipeline.store import Principal
from tools.errors import AccessError

Role = Literal["viewer", "operator", "approver", "risk_officer", "admin"]
Scope = Literal["read", "operate", "decide", "halt", "admin"]
IdentityKind = Literal["person", "local_operator", "stand_in"]
LOCAL_OPERATOR: Final = "local operator"
ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""From the least to the most; each may do what those before it may."""

_OPERATOR: frozenset[Scope] = frozenset({"read", "operate", "halt"})
_APPROVER: frozenset[Scope] = frozenset({"read", "operate", "halt", "decide"})
_ADMIN: frozenset[Scope] = frozenset({"read", "operate", "halt", "decide", "admin"})
SCOPES_OF: Final[Mapping[Role, frozenset[Scope]]] = {
    "viewer": frozenset({"read"}),
    "operator": _OPERATOR,
    "approver": _APPROVER,
    "risk_officer": _APPROVER,
    "admin": _ADMIN,
}
SCOPE_OF_ROLE: Final[Mapping[Role, Scope]] = {
    "viewer": "read", "operator": "operate", "approver": "decide", "risk_officer": "decide", "admin": "admin",
}  # fmt: skip
"""The scope that a key needs for what a role is needed for, unless a route names another."""


def reaches(role: str, needed: Role) -> bool:
    """True when `role` may do what `needed` may; an unknown role may nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(needed)


class Identity(NamedTuple):
    """Who speaks, as what, and by which credential."""

    name: str
    role: Role
    kind: IdentityKind
    scopes: frozenset[Scope]
    session_id: str | None = None
    address: str | None = None

    def principal(self) -> Principal:
        """The name that decisions and the ledger carry."""
        kind: Literal["person", "stand_in"] = "stand_in" if self.kind == "stand_in" else "person"
        return Principal(self.name, kind, self.address, self.session_id)

    def must(self, role: Role, scope: Scope | None = None) -> None:
        """AccessError `role` or `scope` unless this identity may; the message names what is needed."""
        if not reaches(self.role, role):
            raise AccessError(
                f"this needs the role {role}; {self.name} is {self.role}",
                code="role", detail={"needed": role, "role": self.role},
            )  # fmt: skip
        wanted = scope or SCOPE_OF_ROLE[role]
        if wanted not in self.scopes:
            raise AccessError(
                f"this needs a key with the scope {wanted}; yours has {', '.join(sorted(self.scopes)) or 'none'}",
                code="scope", detail={"needed": wanted},
            )  # fmt: skip


def local_operator(address: str | None) -> Identity:
    """The labelled stand-in for accounts: whoever sits at this machine, in replay only."""
    return Identity(LOCAL_OPERATOR, "admin", "local_operator", SCOPES_OF["admin"], None, address)
