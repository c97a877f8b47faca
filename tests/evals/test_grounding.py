"""The labelled set is judged well enough, in all and by kind, and is what it says it is."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.evals.grounding import BY_HAND, HAND, HELD_OUT, Result, Sample, judge, samples, score

PRECISION, KEPT, RECALL, KIND = 0.97, 0.97, 0.95, 0.85
CORRUPTIONS = frozenset({
    "wrong_digit", "wrong_unit", "sign_flipped", "wrong_date", "swapped_name", "direction_reversed", "other_symbol",
    "stale", "invented",
})  # fmt: skip


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [judge(sample) for sample in samples()]


def wrong(results: list[Result]) -> str:
    return "\n".join(
        f"{item.sample.kind}: {item.sample.text} -> {item.unresolved}" for item in results if not item.right
    )


def test_corrupted_explanations_are_dropped_and_correct_ones_are_kept(results: list[Result]) -> None:
    found = score(results)
    assert found.precision >= PRECISION, wrong(results)
    assert found.kept >= KEPT, wrong(results)
    assert found.recall >= RECALL, wrong(results)


def test_no_kind_is_judged_badly(results: list[Result]) -> None:
    assert {name: share for name, (_, share) in score(results).kinds.items() if share < KIND} == {}, wrong(results)


def test_the_set_is_large_and_balanced_and_names_every_corruption() -> None:
    labels = Counter(sample.label for sample in samples())
    assert sum(labels.values()) >= 120
    assert max(labels.values()) <= 1.6 * min(labels.values())
    assert {sample.kind for sample in samples() if sample.label == "corrupt"} == CORRUPTIONS


def test_no_text_stands_in_the_set_twice_with_two_labels() -> None:
    labels: dict[tuple[str, str], set[str]] = {}
    for sample in samples():
        labels.setdefault((sample.case, sample.text), set()).add(sample.label)
    assert {text for text, found in labels.items() if len(found) > 1} == set()


def test_what_was_written_by_hand_is_judged_as_well_as_what_was_generated() -> None:
    for path in (BY_HAND, HELD_OUT):
        own = [judge(Sample.model_validate_json(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        assert all(item.sample.case == HAND for item in own)
        assert score(own).recall >= RECALL, wrong(own)
        assert score(own).kept >= KEPT, wrong(own)


def test_the_score_counts_what_is_wrong() -> None:
    right = Result(Sample(label="corrupt", kind="stale", text="a"), ("1",))
    missed = Result(Sample(label="corrupt", kind="stale", text="b"), ())
    spurned = Result(Sample(label="correct", kind="plain", text="c"), ("2",))
    found = score([right, missed, spurned])
    assert (found.precision, found.recall, found.kept) == (0.5, 0.5, 0.0)
    assert found.kinds == {"correct: plain": (1, 0.0), "corrupt: stale": (2, 0.5)}
