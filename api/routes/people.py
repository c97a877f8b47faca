"""People and their keys. Everything here is an admin's, but for making the first one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, SecretStr

from api.auth import address_of
from api.dependencies import Admin, StoreDep
from api.routes.session import Password, login_threads
from api.schemas import Body, Money, Text
from pipeline import api_keys, bootstrap, people
from pipeline.api_keys import ApiKey, NewKey
from pipeline.people import Added, Person, Role, Scope

router = APIRouter(prefix="/people", tags=["people"])
Limit = Annotated[Decimal | None, Field(default=None, gt=0, max_digits=20, decimal_places=2)]


class PersonRequest(Body):
    """A new person. Without a password and a key they cannot come in yet."""

    name: Annotated[str, Field(max_length=64)]
    role: Role
    password: Password | None = None
    api_key: bool = False
    scopes: list[Scope] | None = None
    order_limit: Limit = None
    day_limit: Limit = None


class RoleRequest(Body):
    """Another role for a person, and why."""

    role: Role
    reason: Annotated[Text, Field(max_length=2000)]


class KeyRequest(Body):
    """Another key; without `scopes` it may what its person may."""

    scopes: list[Scope] | None = None


class PasswordRequest(Body):
    """A password that an admin sets."""

    password: Password


class BootstrapRequest(Body):
    """The one-time token of a fresh home, and the first admin."""

    token: Annotated[SecretStr, Field(max_length=128)]
    name: Annotated[str, Field(max_length=64)]
    password: Password


class KeyBody(BaseModel):
    """A key without its secret."""

    id: str
    person: str
    scopes: list[str]
    created_by: str
    created: datetime
    revoked: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyBody:
        return cls.model_validate({**key.model_dump(), "scopes": list(key.scopes)})


class PersonBody(BaseModel):
    """A person; money in account currency."""

    name: str
    role: str
    state: Literal["active", "disabled"]
    has_password: bool
    order_limit: Money | None
    day_limit: Money | None
    created_by: str
    created: datetime
    keys: list[KeyBody]

    @classmethod
    def of(cls, person: Person) -> PersonBody:
        return cls(
            name=person.name, role=person.role, state="disabled" if person.disabled else "active",
            has_password=person.has_password, order_limit=person.order_limit, day_limit=person.day_limit,
            created_by=person.created_by, created=person.created, keys=[KeyBody.of(key) for key in person.keys],
        )  # fmt: skip


class PeopleBody(BaseModel):
    """Everybody, by name."""

    items: list[PersonBody]
    total: int

    @classmethod
    def of(cls, everybody: Iterable[Person]) -> PeopleBody:
        items = [PersonBody.of(person) for person in everybody]
        return cls(items=items, total=len(items))


class AddedBody(PersonBody):
    """A new person with the key, which is shown this once."""

    api_key: str | None

    @classmethod
    def made(cls, added: Added) -> AddedBody:
        secret = added.api_key.get_secret_value() if added.api_key else None
        return cls(**PersonBody.of(added.person).model_dump(), api_key=secret)


class NewKeyBody(KeyBody):
    """A new key, which is shown this once."""

    api_key: str

    @classmethod
    def made(cls, made: NewKey) -> NewKeyBody:
        return cls(**KeyBody.of(made.key).model_dump(), api_key=made.secret.get_secret_value())


class TokenBody(BaseModel):
    """The token of the first admin, which is shown this once."""

    token: str
    minutes: int

    @classmethod
    def made(cls, token: SecretStr) -> TokenBody:
        return cls(token=token.get_secret_value(), minutes=int(bootstrap.LIFETIME.total_seconds() // 60))


@router.get("")
def list_people(store: StoreDep, _who: Admin) -> PeopleBody:
    """List everybody with role, limits and keys; the disabled stay in the list."""
    return PeopleBody.of(people.list_people(store))


@router.post("", status_code=201)
async def add_person(request: Request, store: StoreDep, who: Admin, body: PersonRequest) -> AddedBody:
    """Add a person; the API key, if one is asked for, is in this answer and nowhere else."""
    added = await to_thread.run_sync(
        lambda: people.add(
            store, by=who.principal(), name=body.name, role=body.role, password=body.password, with_key=body.api_key,
            scopes=body.scopes, order_limit=body.order_limit, day_limit=body.day_limit,
        ),
        limiter=login_threads(request),
    )  # fmt: skip
    return AddedBody.made(added)


@router.post("/bootstrap", status_code=201)
async def use_bootstrap_token(request: Request, store: StoreDep, body: BootstrapRequest) -> PersonBody:
    """Make the first admin with the one-time token that the desk printed; they log in afterwards."""
    person = await to_thread.run_sync(
        lambda: bootstrap.use(
            store, token=body.token, name=body.name, password=body.password, address=address_of(request.scope)
        ),
        limiter=login_threads(request),
    )
    return PersonBody.of(person)


@router.post("/bootstrap/token", status_code=201)
def make_bootstrap_token(store: StoreDep, _who: Admin) -> TokenBody:
    """Make the token of the first admin; refused as soon as there is one."""
    return TokenBody.made(bootstrap.issue(store))


@router.post("/keys/{key_id}/revoke")
def revoke_key(store: StoreDep, who: Admin, key_id: str) -> KeyBody:
    """Make a key worthless at once."""
    return KeyBody.of(api_keys.revoke(store, key_id, by=who.principal()))


@router.patch("/{name}")
def change_role(store: StoreDep, who: Admin, name: str, body: RoleRequest) -> PersonBody:
    """Give somebody else another role, at once for their open sessions and keys."""
    return PersonBody.of(people.change_role(store, name, body.role, by=who.principal(), reason=body.reason))


@router.post("/{name}/keys", status_code=201)
def add_key(store: StoreDep, who: Admin, name: str, body: KeyRequest) -> NewKeyBody:
    """Give a person another key."""
    return NewKeyBody.made(people.new_key(store, name, by=who.principal(), scopes=body.scopes))


@router.post("/{name}/disable")
def disable_person(store: StoreDep, who: Admin, name: str) -> PersonBody:
    """Shut somebody out at once, open sessions and keys included."""
    return PersonBody.of(people.disable(store, name, by=who.principal()))


@router.post("/{name}/enable")
def enable_person(store: StoreDep, who: Admin, name: str) -> PersonBody:
    """Let somebody in again; they log in anew."""
    return PersonBody.of(people.enable(store, name, by=who.principal()))


@router.post("/{name}/password")
async def set_password(request: Request, store: StoreDep, who: Admin, name: str, body: PasswordRequest) -> PersonBody:
    """Set somebody's password and end their sessions."""
    person = await to_thread.run_sync(
        lambda: people.set_password(store, name, body.password, by=who.principal()), limiter=login_threads(request)
    )
    return PersonBody.of(person)
