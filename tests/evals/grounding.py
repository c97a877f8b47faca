"""What the grounding check keeps and drops of labelled explanations: `python -m tests.evals.grounding [--json]`.

An explanation is kept when it is correct and dropped when it is corrupted. Precision is the share of what was dropped
that deserved it, recall the share of the corrupted that was dropped, `kept` the share of the correct that was kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from agents.explanation import model, rules
from agents.explanation.output import Explanation
from agents.opinion import ExplanationBrief
from tests.evals.by_hand import brief_by_hand

FOLDER = Path(__file__).parent
CASES = FOLDER / "grounding_cases.json"
GENERATED = FOLDER / "grounding_generated.jsonl"
BY_HAND = FOLDER / "grounding_by_hand.jsonl"
HELD_OUT = FOLDER / "grounding_held_out.jsonl"
HAND = "by hand"


class Sample(BaseModel):
    """One labelled text about one case. `kind` says how a correct one renders, or what is wrong with the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    label: Literal["correct", "corrupt"]
    kind: str
    text: str
    case: str = HAND


class Result(NamedTuple):
    """What the check made of one sample: the texts that nothing in evidence says, none when it was kept."""

    sample: Sample
    unresolved: tuple[str, ...]

    @property
    def dropped(self) -> bool:
        return bool(self.unresolved)

    @property
    def right(self) -> bool:
        return self.dropped == (self.sample.label == "corrupt")


class Score(BaseModel):
    """Shares in [0, 1]; `kinds` holds how many of each kind there are and the share that was judged rightly."""

    samples: int
    precision: float
    recall: float
    kept: float
    kinds: dict[str, tuple[int, float]]


def samples() -> tuple[Sample, ...]:
    """The whole labelled set, what was written by hand first."""
    lines = (line for path in (BY_HAND, HELD_OUT, GENERATED) for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(Sample.model_validate_json(line) for line in lines)


@cache
def _cases() -> Mapping[str, tuple[ExplanationBrief, Explanation]]:
    raw = json.loads(CASES.read_text(encoding="utf-8"))
    briefs = {HAND: brief_by_hand(), **{name: ExplanationBrief.model_validate(item) for name, item in raw.items()}}
    return {name: (brief, rules.explain(brief)) for name, brief in briefs.items()}


def judge(sample: Sample) -> Result:
    """Hold one text against its case as prose of a model is held."""
    brief, explanation = _cases()[sample.case]
    return Result(sample, model.grounded(sample.text, brief, explanation).unresolved)


def score(results: Iterable[Result]) -> Score:
    """Precision, recall and shares by kind."""
    listed = list(results)
    dropped = [item for item in listed if item.dropped]
    corrupt = [item for item in listed if item.sample.label == "corrupt"]
    correct = [item for item in listed if item.sample.label == "correct"]
    kinds = {f"{item.sample.label}: {item.sample.kind}": [] for item in listed}  # type: dict[str, list[bool]]
    for item in listed:
        kinds[f"{item.sample.label}: {item.sample.kind}"].append(item.right)
    return Score(
        samples=len(listed), precision=_share([item.sample.label == "corrupt" for item in dropped]),
        recall=_share([item.dropped for item in corrupt]), kept=_share([not item.dropped for item in correct]),
        kinds={name: (len(right), _share(right)) for name, right in sorted(kinds.items())},
    )  # fmt: skip


def _share(right: list[bool]) -> float:
    return round(sum(right) / len(right), 4) if right else 1.0


def main() -> None:
    """Print the score, and every sample that was judged wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    results = [judge(sample) for sample in samples()]
    found = score(results)
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    print(f"{found.samples} samples: precision {found.precision}, recall {found.recall}, kept {found.kept}")
    for name, (count, share) in found.kinds.items():
        print(f"  {name:32} {count:4} {share:.3f}")
    for item in results:
        if not item.right:
            print(
                f"{item.sample.label} {item.sample.kind} [{item.sample.case}] {item.sample.text} -> {item.unresolved}"
            )


if __name__ == "__main__":
    main()
