"""policy test | replay | show: try a policy file before it is put in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table

group = typer.Typer(no_args_is_help=True, help="Who must release what: policy as code.")
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")]


def register(app: typer.Typer) -> None:
    """Add this group to the command line."""
    app.add_typer(group, name="policy")


def _read(file: Path) -> str:
    from tools.errors import ConfigError

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", code="unreadable_policy") from None


@group.command("test")
def try_file(ctx: typer.Context, file: FileArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check a policy file against its schema and run the tests it carries."""
    from pipeline.policy import load_policy

    policy = load_policy(_read(file))
    answer = {
        "version": policy.version, "profile": policy.profile, "rules": len(policy.rules), "tests": len(policy.tests),
    }  # fmt: skip
    if Call.of(ctx, home, as_json).as_json:
        print_json({**answer, "passed": True})
        return
    print_fields(f"{file.name}: all {len(policy.tests)} tests pass", answer)


@group.command("replay")
def replay(ctx: typer.Context, file: FileArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Say what another policy would have asked on this home's recorded history. Nothing is executed."""
    from pipeline.policy import load_policy
    from pipeline.policy_replay import replay_policy
    from pipeline.store import open_store

    call = Call.of(ctx, home, as_json)
    found = replay_policy(open_store(call.settings(), create=False), load_policy(_read(file)))
    if call.as_json:
        print_json(found.model_dump(mode="json"))
        return
    print_fields(
        f"policy {found.version} on {found.cases} asked cases",
        {
            "same": found.same, "different": len(found.differences),
            "signatures": f"{found.signatures_in_force} in force, {found.signatures_replayed} under this one",
            "rules": ", ".join(f"{name} {count}" for name, count in found.by_rule.items()),
        },
    )  # fmt: skip
    if found.differences:
        rows = ((d.case_id, d.symbol, str(d.notional), d.was, d.would_be) for d in found.differences)
        print_table("differences", ("case", "symbol", "notional", "in force", "this policy"), rows)
