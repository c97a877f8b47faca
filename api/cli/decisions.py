"""replay: make a past decision, or a whole run, again from its recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table, print_text

if TYPE_CHECKING:
    from pipeline.decision_replay import DecisionReplay, Other


def register(app: typer.Typer) -> None:
    """Add this area to the command line."""
    app.command()(replay)


def replay(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="CASE|CYCLE|RUN", help="Id of a case, a cycle or a whole run.")],
    model: Annotated[str | None, typer.Option(help="Ask this model instead, at the configured endpoint.")] = None,
    prompt: Annotated[Path | None, typer.Option(help="A prompt file to use in the place of the one it names.")] = None,
    policy: Annotated[Path | None, typer.Option(help="A policy file to rule by instead.")] = None,
    limits: Annotated[Path | None, typer.Option(help="A limits file to check against instead.")] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the home in which a run was played again.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Make a past decision again from its recordings, or see what something else would have made. Without effects.

    With no option nothing leaves this machine, and exit code 1 says that the result is not the recorded one. A whole
    run is played in a home of its own with the network closed: models answer from the recordings, people as they did,
    and both ledgers must have the same content_sha256, or the first entry that differs is named.
    """
    if target.startswith("run_"):
        return _replay_run(Call.of(ctx, home, as_json), target, into, any((model, prompt, policy, limits)))
    from pipeline.decision_replay import replay_decision
    from pipeline.store import open_store

    call = Call.of(ctx, home, as_json)
    other = _other(model, prompt, policy, limits)
    found = replay_decision(open_store(call.settings(), create=False), target, other)
    if call.as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found)
    return 0 if found.identical or found.changed else 1


def _replay_run(call: Call, run_id: str, into: Path | None, changed: bool) -> int:
    from pipeline.run_replay import replay_run
    from pipeline.store import open_store
    from tools.errors import ConfigError

    if changed:
        raise ConfigError(
            "a whole run is replayed as it was: give a case or a cycle with that option", code="bad_choice"
        )
    found = replay_run(open_store(call.settings(), create=False), run_id, into)
    if call.as_json:
        print_json(found.model_dump(mode="json"))
        return 0 if found.identical else 1
    print_fields(
        f"run {run_id} played again",
        {
            "sessions": found.sessions, "answers of models": found.model_answers, "decisions": found.decisions,
            "entries": found.entries, "recorded": found.recorded_sha256, "replayed": found.replayed_sha256,
        },
    )  # fmt: skip
    different = found.first_difference
    if different is not None:
        sides = (("recorded", different.recorded), ("replayed", different.replayed))
        rows = ((side, e.desk_time, e.kind, e.case_id or "-", e.body) for side, e in sides if e is not None)
        title = f"entry {different.position} is the first that differs; a side without it is left out"
        print_table(title, ("side", "at", "kind", "case", "body"), rows)
    print_text("identical" if found.identical else "not identical")
    return 0 if found.identical else 1


def _other(model: str | None, prompt: Path | None, policy: Path | None, limits: Path | None) -> Other:
    from pipeline.decision_replay import Other
    from pipeline.policy import load_policy
    from prompts.loader import parse, prompt_id_of
    from tools.risk.limits import load_limits

    return Other(
        model_id=model,
        prompt=parse(text := _read(prompt), prompt_id_of(text)) if prompt else None,
        policy=load_policy(_read(policy)) if policy else None,
        limits=load_limits(_read(limits)) if limits else None,
    )


def _read(file: Path) -> str:
    from tools.errors import ConfigError

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", code="unreadable_file") from None


def _show(found: DecisionReplay) -> None:
    with_ = ", ".join(f"{name} {value}" for name, value in found.changed.items())
    rows = ((s.call, s.case_id, "identical" if s.identical else "different") for s in found.steps)
    print_table(f"{found.target} with {with_ or 'its own recordings'}", ("step", "case", "result"), rows)
    changes = [(d.subject, d.what, d.recorded, d.replayed) for step in found.steps for d in step.differences]
    if changes:
        print_table("what would be different", ("subject", "what", "recorded", "replayed"), changes)
    same = sum(step.identical for step in found.steps)
    print_text("identical" if found.identical else f"{same} of {len(found.steps)} steps are identical")
