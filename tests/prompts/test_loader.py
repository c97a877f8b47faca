from __future__ import annotations

import pytest

from prompts.loader import load, parse, prompt_ids
from tools.errors import ConfigError

HEAD = "---\nid: decision/x\nversion: '1'\noutput: X\nvariables: {variables}\n---\n"


def prompt(variables: str, system: str, user: str) -> str:
    return f"{HEAD.replace('{variables}', variables)}<!-- system -->\n{system}\n<!-- user -->\n{user}\n"


def test_every_shipped_prompt_passes_its_checks() -> None:
    assert {"decision/review", "explanation/prose", "operator/intent", "reasoning/repair"} <= set(prompt_ids())
    for prompt_id in prompt_ids():
        assert load(prompt_id).id == prompt_id


def test_a_misspelt_prompt_id_names_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="decision/review") as caught:
        load("decision/revew")
    assert caught.value.code == "unknown_prompt"
    with pytest.raises(ConfigError):
        load("../pyproject")


@pytest.mark.parametrize("origin", ["untrusted", "data"])
def test_only_trusted_variables_may_stand_in_the_system_part(origin: str) -> None:
    with pytest.raises(ConfigError, match="system part"):
        parse(prompt(f"{{a: {origin}}}", "{{ a | fence }}", "b"), "decision/x")
    assert parse(prompt("{a: trusted}", "{{ a }}", "b"), "decision/x").render(a=1).system == "1"


@pytest.mark.parametrize("use", ["{{ a }}", "{{ a | upper }}", "{% set b = a %}{{ b }}", "{{ (a ~ '') | fence }}"])
def test_untrusted_text_outside_the_fence_is_refused(use: str) -> None:
    with pytest.raises(ConfigError, match="outside the fence"):
        parse(prompt("{a: untrusted}", "s", use), "decision/x")


def test_untrusted_text_is_fenced_when_rendered() -> None:
    rendered = parse(prompt("{a: untrusted}", "s", "{{ a | fence }}"), "decision/x").render(a="<b>hello</b>")
    assert rendered.system == "s"
    assert "‹b›hello‹/b›" in rendered.user


def test_a_missing_or_undeclared_variable_is_refused() -> None:
    with pytest.raises(ConfigError, match="differ in b"):
        parse(prompt("{a: data}", "s", "{{ a }} {{ b }}"), "decision/x")
    good = parse(prompt("{a: data}", "s", "{{ a }}"), "decision/x")
    for values in ({}, {"a": 1, "c": 2}):
        with pytest.raises(ConfigError) as caught:
            good.render(**values)
        assert caught.value.code == "prompt_variables"


def test_a_template_cannot_reach_into_python() -> None:
    nasty = parse(prompt("{a: data}", "s", "{{ a.__class__.__mro__ }}"), "decision/x")
    with pytest.raises(ConfigError):
        nasty.render(a="x")


def test_a_file_without_its_parts_is_refused() -> None:
    with pytest.raises(ConfigError, match="front matter"):
        parse("You are a trader.", "decision/x")


def test_a_variable_is_never_a_template_itself() -> None:
    rendered = parse(prompt("{a: data}", "s", "{{ a }}"), "decision/x").render(a="{{ 7 * 7 }}")
    assert rendered.user == "{{ 7 * 7 }}"


def test_the_tier_is_fast_unless_the_prompt_says_deep() -> None:
    text = prompt("{a: data}", "s", "{{ a }}")
    assert parse(text, "decision/x").render(a=1).tier == "fast"
    assert parse(text.replace("output: X", "output: X\ntier: deep"), "decision/x").render(a=1).tier == "deep"
    with pytest.raises(ConfigError, match="tier"):
        parse(text.replace("output: X", "output: X\ntier: huge"), "decision/x")
