"""Load prompts from package resources, check them, and render them in a sandbox.

A prompt is `prompts/<agent>/<task>.md`: front matter (`id, version, variables, output`, and `tier` where the task wants
the deep model), then a part after
`<!-- system -->` (may be left out) and one after `<!-- user -->`. Each variable declares its origin:

    trusted    comes from our code or limits; the only origin allowed in the system part
    data       results of our tools; user part only
    untrusted  text a stranger could have written; user part only, and only as `{{ name | fence }}`

Breaking a rule, a misspelt id or a variable nobody declared is a ConfigError, which stops the start-up (P9).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

import yaml
from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, ValidationError

from prompts.fence import fence
from tools.canonical import sha256_hex
from tools.errors import ConfigError
from tools.types import Frozen, Sha256

Origin = Literal["trusted", "data", "untrusted"]
Tier = Literal["fast", "deep"]
"""Which model a task is for: `fast` for what is many or only words, `deep` for judgement."""

_SHAPE = re.compile(
    r"\A---\n(?P<head>.*?)\n---\n\s*(?:<!-- system -->\n(?P<system>.*?)\n)?<!-- user -->\n(?P<user>.*)\Z", re.DOTALL
)
RUNBOOKS = "runbooks"
"""The folder of what is written for people; see `prompts.runbooks`."""
_ID = re.compile(r"[a-z_]+/[a-z_]+")


class FrontMatter(Frozen):
    """The head of a prompt file."""

    id: str = Field(pattern=r"^[a-z_]+/[a-z_]+$")
    version: str = Field(min_length=1)
    variables: dict[str, Origin]
    output: str
    tier: Tier = "fast"


class Rendered(Frozen):
    """A prompt with its variables filled in, ready to be sent and recorded."""

    prompt_id: str
    version: str
    sha256: Sha256
    system: str
    user: str
    tier: Tier = "fast"


@dataclass(frozen=True)
class Prompt:
    """One checked prompt. `sha256` covers both parts and the declared variables, not the version and not the tier."""

    head: FrontMatter
    system: str
    user: str
    sha256: str

    @property
    def id(self) -> str:
        return self.head.id

    @property
    def version(self) -> str:
        return self.head.version

    def render(self, **values: Any) -> Rendered:
        """Fill the template. ConfigError when a variable is missing or not declared."""
        declared = set(self.head.variables)
        if set(values) != declared:
            wrong = ", ".join(sorted(set(values) ^ declared))
            raise ConfigError(
                f"prompt {self.id} wants exactly {sorted(declared)}: missing or unknown {wrong}",
                code="prompt_variables",
            )
        try:
            parts = [_environment().from_string(part).render(values).strip() for part in (self.system, self.user)]
        except TemplateError as error:
            raise ConfigError(f"prompt {self.id} cannot be rendered: {error}", code="prompt_render") from None
        return Rendered(
            prompt_id=self.id, version=self.version, sha256=self.sha256, system=parts[0], user=parts[1],
            tier=self.head.tier,
        )  # fmt: skip


def prompt_ids() -> tuple[str, ...]:
    """Ids of every prompt that ships, sorted."""
    root = _root()
    return tuple(
        sorted(
            f"{folder.name}/{file.name.removesuffix('.md')}"
            for folder in root.iterdir()
            if folder.is_dir() and not folder.name.startswith(("_", ".")) and folder.name != RUNBOOKS
            for file in folder.iterdir()
            if file.name.endswith(".md")
        )
    )


def load(prompt_id: str) -> Prompt:
    """The checked prompt, or the one that `using` put in its place."""
    other = _other.get()
    return other if other is not None and other.id == prompt_id else _shipped(prompt_id)


@contextmanager
def using(prompt: Prompt) -> Iterator[None]:
    """Put another prompt in the place of the shipped one with the same id, in this context only."""
    token = _other.set(prompt)
    try:
        yield
    finally:
        _other.reset(token)


_other: ContextVar[Prompt | None] = ContextVar("other_prompt", default=None)


@cache
def _shipped(prompt_id: str) -> Prompt:
    """Read and check one prompt; ConfigError `unknown_prompt` names those that exist."""
    if not _ID.fullmatch(prompt_id) or prompt_id not in prompt_ids():
        raise ConfigError(
            f"there is no prompt {prompt_id!r}: known are {', '.join(prompt_ids())}", code="unknown_prompt"
        )
    agent, task = prompt_id.split("/")
    return parse((_root() / agent / f"{task}.md").read_text(encoding="utf-8"), prompt_id)


def prompt_id_of(text: str) -> str:
    """The id in the front matter of a prompt file; ConfigError `unknown_prompt` unless such a prompt ships."""
    found = _SHAPE.match(text)
    head = yaml.safe_load(found["head"]) if found else None
    name = str(head.get("id")) if isinstance(head, dict) else "(none)"
    if name not in prompt_ids():
        raise ConfigError(f"there is no prompt {name!r}: known are {', '.join(prompt_ids())}", code="unknown_prompt")
    return name


def parse(text: str, prompt_id: str) -> Prompt:
    """Check the text of a prompt file; ConfigError `bad_prompt` says what breaks which rule."""
    found = _SHAPE.match(text)
    if not found:
        raise ConfigError(
            f"prompt {prompt_id}: wants front matter between --- lines, then <!-- system --> and <!-- user -->",
            code="bad_prompt",
        )
    try:
        head = FrontMatter.model_validate(yaml.safe_load(found["head"]))
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"prompt {prompt_id}: front matter is wrong: {error}", code="bad_prompt") from None
    if head.id != prompt_id:
        raise ConfigError(f"prompt {prompt_id}: its front matter calls it {head.id}", code="bad_prompt")
    system, user = found["system"] or "", found["user"]
    _check_parts(head, system, user)
    body = "\x00".join([system, user, repr(sorted(head.variables.items())), head.output])
    return Prompt(head=head, system=system, user=user, sha256=sha256_hex(body.encode()))


def _root() -> Traversable:
    return resources.files("prompts")


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["fence"] = fence
    return environment


def _check_parts(head: FrontMatter, system: str, user: str) -> None:
    try:
        trees = {"system": _environment().parse(system), "user": _environment().parse(user)}
    except TemplateError as error:
        raise ConfigError(f"prompt {head.id}: {error}", code="bad_prompt") from None
    used = {part: meta.find_undeclared_variables(tree) for part, tree in trees.items()}
    everything = used["system"] | used["user"]
    if everything != set(head.variables):
        wrong = ", ".join(sorted(everything ^ set(head.variables)))
        raise ConfigError(f"prompt {head.id}: declared and used variables differ in {wrong}", code="bad_prompt")
    for name in sorted(used["system"]):
        if head.variables[name] != "trusted":
            raise ConfigError(
                f"prompt {head.id}: {name} is {head.variables[name]}, so it cannot stand in the system part",
                code="bad_prompt",
            )
    untrusted = {name for name, origin in head.variables.items() if origin == "untrusted"}
    fenced = {id(f.node) for f in trees["user"].find_all(nodes.Filter) if f.name == "fence"}
    for use in trees["user"].find_all(nodes.Name):
        if use.name in untrusted and id(use) not in fenced:
            raise ConfigError(
                f"prompt {head.id}: untrusted variable outside the fence; write {{{{ {use.name} | fence }}}}",
                code="bad_prompt",
            )
