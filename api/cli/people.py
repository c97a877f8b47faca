"""people add | list | role | disable | enable | key | revoke-key | password | bootstrap: who may use the desk.

With a desk running they go through its API, as an admin's key (QUARTERDECK_API_KEY) or the local operator. Without
one, whoever can take the home's lock can read the store anyway: they act as the local operator on the store itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_note, print_table

if TYPE_CHECKING:
    from api.cli.desk import RemoteDesk
    from pipeline.store import Principal, Store

group = typer.Typer(no_args_is_help=True, help="Who may use the desk, and as what.")
NameArgument = Annotated[str, typer.Argument(metavar="NAME")]
ScopesOption = Annotated[
    str | None, typer.Option(help="What the key may do: read,operate,decide,halt,admin; default: all of the role.")
]
PasswordOption = Annotated[bool, typer.Option("--password-stdin", help="Read a password from standard input.")]


class RoleName(StrEnum):
    """From the least to the most."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    RISK_OFFICER = "risk_officer"
    ADMIN = "admin"


def register(app: typer.Typer) -> None:
    """Add this group to the command line."""
    app.add_typer(group, name="people")


@group.command("add")
def add(
    ctx: typer.Context,
    name: NameArgument,
    role: Annotated[RoleName, typer.Option(help="What they may do.")],
    api_key: Annotated[bool, typer.Option("--api-key", help="Make an API key and print it, this once.")] = False,
    password_stdin: PasswordOption = False,
    scopes: ScopesOption = None,
    order_limit: Annotated[
        str | None, typer.Option(metavar="MONEY", help="Most they may release in one order.")
    ] = None,
    day_limit: Annotated[str | None, typer.Option(metavar="MONEY", help="Most they may release in one day.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a person."""
    call = Call.of(ctx, home, as_json)
    wish: dict[str, Any] = {
        "name": name, "role": role.value, "api_key": api_key, "scopes": _list(scopes), "order_limit": order_limit,
        "day_limit": day_limit, "password": _password() if password_stdin else None,
    }  # fmt: skip
    told = _do(call, lambda desk: desk.post("/people", wish), lambda store, by: _add_here(store, by, wish), create=True)
    if call.as_json:
        print_json(told)
        return
    _print_person(told)
    if told["api_key"]:
        print_fields("the API key, shown this once", {"key": told["api_key"]})
    elif not told["has_password"]:
        print_note("without a password or a key they cannot come in: `people password` or `people key` gives one")


@group.command("list")
def list_people(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List everybody with role, limits and keys."""
    call = Call.of(ctx, home, as_json)
    told = _do(call, lambda desk: desk.get("/people"), _list_here)
    if call.as_json:
        print_json(told)
        return
    columns = ("name", "role", "state", "password", "order limit#", "day limit#", "keys")
    print_table(f"{told['total']} people", columns, (_row(person) for person in told["items"]))


@group.command("role")
def change_role(
    ctx: typer.Context,
    name: NameArgument,
    role: Annotated[RoleName, typer.Argument(metavar="ROLE", help="viewer, operator, approver, risk_officer, admin.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give somebody else another role, at once for their open sessions and keys."""
    call = Call.of(ctx, home, as_json)

    def here(store: Store, by: Principal) -> Any:
        from api.routes.people import PersonBody
        from pipeline import people

        return _json(PersonBody.of(people.change_role(store, name, role.value, by=by, reason=reason)))

    wish = {"role": role.value, "reason": reason}
    _answer(call, _do(call, lambda desk: desk.patch(f"/people/{_quoted(name)}", wish), here))


@group.command("disable")
def disable(ctx: typer.Context, name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Shut somebody out at once, open sessions and keys included."""
    from pipeline import people

    _change(Call.of(ctx, home, as_json), name, "disable", people.disable)


@group.command("enable")
def enable(ctx: typer.Context, name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Let somebody in again; they log in anew, keys that were not revoked work again."""
    from pipeline import people

    _change(Call.of(ctx, home, as_json), name, "enable", people.enable)


@group.command("password")
def set_password(
    ctx: typer.Context,
    name: NameArgument,
    password_stdin: PasswordOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set somebody's password, read from standard input, and end their sessions."""
    if not password_stdin:
        raise typer.BadParameter("give --password-stdin: a password on the command line would be seen by others")
    password = _password()
    call = Call.of(ctx, home, as_json)

    def here(store: Store, by: Principal) -> Any:
        from pydantic import SecretStr

        from api.routes.people import PersonBody
        from pipeline import people

        return _json(PersonBody.of(people.set_password(store, name, SecretStr(password), by=by)))

    told = _do(call, lambda desk: desk.post(f"/people/{_quoted(name)}/password", {"password": password}), here)
    _answer(call, told)


@group.command("key")
def add_key(
    ctx: typer.Context,
    name: NameArgument,
    scopes: ScopesOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make another API key for somebody and print it, this once."""
    call, wanted = Call.of(ctx, home, as_json), _list(scopes)

    def here(store: Store, by: Principal) -> Any:
        from api.routes.people import NewKeyBody
        from pipeline import people

        return _json(NewKeyBody.made(people.new_key(store, name, by=by, scopes=wanted)))

    told = _do(call, lambda desk: desk.post(f"/people/{_quoted(name)}/keys", {"scopes": wanted}), here)
    if call.as_json:
        print_json(told)
        return
    print_fields(
        f"an API key of {name}, shown this once", {"key": told["api_key"], "scopes": ", ".join(told["scopes"])}
    )


@group.command("revoke-key")
def revoke_key(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `people list` shows it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API key worthless at once."""
    call = Call.of(ctx, home, as_json)

    def here(store: Store, by: Principal) -> Any:
        from api.routes.people import KeyBody
        from pipeline import api_keys

        return _json(KeyBody.of(api_keys.revoke(store, key_id, by=by)))

    told = _do(call, lambda desk: desk.post(f"/people/keys/{_quoted(key_id)}/revoke", {}), here)
    if call.as_json:
        print_json(told)
        return
    print_fields("revoked", {"key": told["id"], "person": told["person"]})


@group.command("bootstrap")
def bootstrap(
    ctx: typer.Context,
    token: Annotated[str | None, typer.Option(help="Use this token instead of making one.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the first admin, with --token.")] = None,
    password_stdin: PasswordOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the one-time token of the first admin and print it, this once; with --token, use one."""
    call = Call.of(ctx, home, as_json)
    if token is not None:
        if name is None or not password_stdin:
            raise typer.BadParameter("--token needs --name and --password-stdin")
        wish = {"token": token, "name": name, "password": _password()}
        _answer(call, _do(call, lambda desk: desk.post("/people/bootstrap", wish), lambda s, _by: _use_here(s, wish)))
        return

    def here(store: Store, _by: Principal) -> Any:
        from api.routes.people import TokenBody
        from pipeline.bootstrap import issue

        return _json(TokenBody.made(issue(store)))

    told = _do(call, lambda desk: desk.post("/people/bootstrap/token", {}), here, create=True)
    if call.as_json:
        print_json(told)
        return
    print_fields("the token of the first admin, shown this once", {"token": told["token"], "minutes": told["minutes"]})
    print_note("use it: quarterdeck people bootstrap --token TOKEN --name NAME --password-stdin")


def _do(
    call: Call,
    remote: Callable[[RemoteDesk], Any],
    local: Callable[[Store, Principal], Any],
    *,
    create: bool = False,
) -> Any:
    """Ask the desk that holds the home, else act on the store under its lock. Both answer with the same JSON."""
    with _reach(call, create=create) as (desk, store):
        if desk is not None:
            return remote(desk)
        from pipeline.store import Principal

        assert store is not None
        return local(store, Principal("local operator", "person", "cli"))


@contextmanager
def _reach(call: Call, *, create: bool) -> Iterator[tuple[RemoteDesk | None, Store | None]]:
    from api.cli.desk import find_remote, open_locked

    settings = call.settings()
    desk = find_remote(settings)
    if desk is not None:
        with desk:
            if desk.answers():
                yield desk, None
                return
    with open_locked(settings, silent=desk, create=create) as store:
        yield None, store


def _add_here(store: Store, by: Principal, wish: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from api.routes.people import AddedBody, PersonRequest
    from pipeline import people
    from tools.errors import AccessError

    try:
        asked = PersonRequest.model_validate(wish)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AccessError(f"{where}: {first['msg']}", code="invalid") from None
    added = people.add(
        store, by=by, name=asked.name, role=asked.role, password=asked.password, with_key=asked.api_key,
        scopes=asked.scopes, order_limit=asked.order_limit, day_limit=asked.day_limit,
    )  # fmt: skip
    return _json(AddedBody.made(added))


def _list_here(store: Store, _by: Principal) -> Any:
    from api.routes.people import PeopleBody
    from pipeline import people

    return _json(PeopleBody.of(people.list_people(store)))


def _use_here(store: Store, wish: dict[str, str]) -> Any:
    from pydantic import SecretStr

    from api.routes.people import PersonBody
    from pipeline import bootstrap as first

    token, password = SecretStr(wish["token"]), SecretStr(wish["password"])
    return _json(PersonBody.of(first.use(store, token=token, name=wish["name"], password=password, address="cli")))


def _change(call: Call, name: str, verb: str, change: Callable[..., Any]) -> None:
    def here(store: Store, by: Principal) -> Any:
        from api.routes.people import PersonBody

        return _json(PersonBody.of(change(store, name, by=by)))

    _answer(call, _do(call, lambda desk: desk.post(f"/people/{_quoted(name)}/{verb}", {}), here))


def _answer(call: Call, person: dict[str, Any]) -> None:
    if call.as_json:
        print_json(person)
    else:
        _print_person(person)


def _print_person(person: dict[str, Any]) -> None:
    print_fields(
        f"{person['name']}: {person['role']}, {person['state']}",
        {
            "password": "yes" if person["has_password"] else "none", "keys": len(person["keys"]),
            "order limit": person["order_limit"], "day limit": person["day_limit"],
        },
    )  # fmt: skip


def _row(person: dict[str, Any]) -> tuple[Any, ...]:
    keys = "; ".join(f"{key['id']} {','.join(key['scopes'])}" for key in person["keys"] if key["revoked"] is None)
    return (
        person["name"], person["role"], person["state"], person["has_password"], person["order_limit"],
        person["day_limit"], keys,
    )  # fmt: skip


def _json(body: Any) -> Any:
    return body.model_dump(mode="json")


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _password() -> str:
    """One line from standard input; a terminal is asked without showing it."""
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("Password: ")
    return sys.stdin.readline().rstrip("\r\n")
