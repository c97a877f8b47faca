"""doctor, token and version, and the two processes that the supervisor starts."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table

BAD_NEWS = 1


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("doctor")(doctor)
    app.command("token")(token)
    app.command("version")(version)
    app.command("_api", hidden=True)(api_process)
    app.command("_engine", hidden=True)(engine_process)


def doctor(
    ctx: typer.Context,
    strict: Annotated[bool, typer.Option(help="Exit with 1 when anything is missing or unsafe.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is configured, missing or unsafe, each with a remedy."""
    from pipeline.doctor import examine

    call = Call.of(ctx, home, as_json)
    lines = examine(call.settings())
    data = [line.model_dump(mode="json") for line in lines]
    if call.as_json:
        print_json({"lines": data})
    else:
        rows = ((line["state"], line["component"], line["text"], line["remedy"]) for line in data)
        print_table("doctor", ("state", "component", "finding", "remedy"), rows)
    if strict and any(line["state"] in {"missing", "unsafe"} for line in data):
        raise typer.Exit(BAD_NEWS)


def token(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the home's token and the link that signs a browser in. Keep both to yourself."""
    from pipeline.home import Home
    from tools.errors import HomeError

    call = Call.of(ctx, home, as_json)
    settings = call.settings()
    if not settings.home.is_dir():
        raise HomeError(f"{settings.home} does not exist: start a desk with `quarterdeck run` first", code="no_home")
    place = Home(settings.home)
    found = place.desk()
    url = found.url if found else f"http://{settings.host}:{settings.port}"
    secret = place.token()
    answer = {"token": secret, "url": f"{url.rstrip('/')}/start?token={secret}", "running": found is not None}
    if call.as_json:
        print_json(answer)
        return
    typer.echo(secret)
    typer.echo(answer["url"])


def version(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the version."""
    from importlib.metadata import version as installed
    from platform import python_version

    call = Call.of(ctx, home, as_json)
    answer = {"quarterdeck": installed("quarterdeck"), "python": python_version()}
    if call.as_json:
        print_json(answer)
        return
    print_fields("version", answer)


def api_process(ctx: typer.Context, home: HomeOption = None) -> None:
    """Serve the API of a home; settings come from the environment."""
    from api.server import run_api

    run_api(Call.of(ctx, home, False).settings())


def engine_process(ctx: typer.Context, home: HomeOption = None) -> None:
    """Run the engine of a home; settings come from the environment."""
    from pipeline.engine import run_engine

    run_engine(Call.of(ctx, home, False).settings())
