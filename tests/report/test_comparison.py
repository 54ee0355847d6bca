"""A paired comparison: known differences, the same episodes and seeds or a refusal, and words that say no more."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.records import EvaluationRecord
from harness.report import read_report, verdict
from harness.report.addresses import Address, Pairs, address, pair_up
from harness.report.comparison import Comparison, compare_sides
from harness.report.comparison_json import as_json
from harness.report.lookup import matching
from harness.runtime.errors import HarnessError
from tests.helpers.retold import on_other_episodes, retell
from tests.helpers.small_runs import add, add_seeds, add_suite, answers

EPISODES = 60
ONE, OTHER = [1.0, 0.5, 0.0, 0.5], [1.0, 1.0, 0.5, 1.0]
NAMES = [
    "protonet (global_loss 0.0), both, frozen",
    "protonet (global_loss 2.0), both, frozen",
    "protonet, both, tuned",
    "trx, video, frozen",
    "trx, both, frozen",
    "can, both, frozen",
    "canonical, both, frozen",
]


def drawn(mean: float, *seeds: int) -> np.ndarray:
    right = np.random.default_rng(seeds).random((EPISODES, 2)) < mean
    return answers(right.mean(axis=1).tolist())


def pairs(folder: Path, first: str, second: str) -> Pairs:
    return pair_up(Address(folder, first), Address(folder, second))


def compared(folder: Path, first: str, second: str) -> Comparison:
    ((a, b),) = pairs(folder, first, second).pairs
    return compare_sides(a, b)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    records = tmp_path / "records"
    add_suite(records, EPISODES)
    for place, name in enumerate(("good", "fair", "bad")):
        for seed in range(3):
            add(records, name, seed, drawn((0.9, 0.85, 0.3)[place], place, seed))
    add(records, "random", 0, drawn(0.5, 9), regime="untrained")
    return records


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("trx, both", ["trx, both, frozen"]),
        ("trx", ["trx, video, frozen", "trx, both, frozen"]),
        ("TRX , BOTH", ["trx, both, frozen"]),
        ("protonet (global_loss 2)", ["protonet (global_loss 2.0), both, frozen"]),
        ("protonet, tuned", ["protonet, both, tuned"]),
        ("can, both", ["can, both, frozen"]),
        ("canon", ["canonical, both, frozen"]),
        ("both", []),
        ("trx, frozen, both", []),
        ("", []),
    ],
)
def test_rows_are_found_by_parts_of_their_names(query: str, wanted: list[str]) -> None:
    assert matching(query, NAMES) == wanted


def test_a_whole_name_is_never_ambiguous() -> None:
    names = ["protonet, both, frozen", "protonet, both, frozen, transformer from mu_mae"]
    assert matching(names[0], names) == [names[0]]
    assert matching("protonet", names) == names


def test_known_difference_on_these_clips(tmp_path: Path) -> None:
    add(tmp_path, "one", 0, answers(ONE))
    add(tmp_path, "other", 0, answers(OTHER))
    found = compared(tmp_path, "one", "other")
    assert found.means == (0.5, 0.875)
    assert found.closed.mean == -0.375  # 0, -1/2, -1/2, -1/2
    assert found.closed.standard_error == pytest.approx(0.125)
    assert found.closed.degrees_of_freedom == 3
    assert found.interval.low == pytest.approx(-0.375 - 3.182446 * 0.125, abs=1e-6)
    assert not found.open
    assert found.analysis is None
    counts = found.answers
    assert (counts.both, counts.only_first, counts.only_second, counts.neither) == (4, 0, 3, 1)
    assert (counts.more_first, counts.more_second, counts.equal) == (0, 3, 1)
    assert found.classes == (), "which class was asked for is not recorded"
    assert verdict.sentence(found).startswith("On these clips, no difference can be told: A less B is ")
    assert "this trained model" not in verdict.coverage(found)
    assert "these two trained models only" in verdict.coverage(found)


def test_the_other_way_about_is_the_same_with_other_signs(folder: Path) -> None:
    one, two = compared(folder, "good", "bad"), compared(folder, "bad", "good")
    assert one.interval.mean == pytest.approx(-two.interval.mean)
    assert (one.interval.low, one.interval.high) == pytest.approx((-two.interval.high, -two.interval.low))
    assert one.p == pytest.approx(two.p)
    assert one.family is not None
    assert two.family is not None
    assert one.family.simultaneous.low == pytest.approx(-two.family.simultaneous.high)
    assert verdict.sentence(one).startswith("A is better than B by ")
    assert verdict.sentence(one).replace("A is", "B is").replace("than B", "than A") == verdict.sentence(two)
    assert [each.difference for each in one.classes] == pytest.approx([-each.difference for each in two.classes])


def test_agrees_with_the_pairs_of_the_report(folder: Path) -> None:
    section = read_report(folder).suites[0].sections[0]
    assert section.comparisons is not None
    for number, (first, second) in enumerate(section.comparisons.pairs):
        found = compared(folder, section.ranked[first].name, section.ranked[second].name)
        paired = section.comparisons.paired[number]
        assert found.interval.mean == pytest.approx(paired.analysis.interval().mean)
        assert found.interval.high == pytest.approx(paired.analysis.interval().high)
        assert found.p == pytest.approx(paired.analysis.p_value)
        assert found.signs is not None
        assert found.signs.p_value == paired.signs.p_value
        assert found.signs.smallest == 2.0**-7
        assert found.family is not None
        assert found.family.adjusted == section.comparisons.adjusted[number]
        assert found.family.pairs == 3


def test_classes_are_those_of_the_queries(tmp_path: Path) -> None:
    episodes = add_suite(tmp_path, EPISODES)
    right = drawn(1.0)
    wrong = right.copy()
    wrong[episodes.drawn == 1] = 1 - wrong[episodes.drawn == 1]  # the queries of the second class
    add(tmp_path, "right", 0, right)
    add(tmp_path, "wrong", 0, wrong)
    found = compared(tmp_path, "right", "wrong")
    asked = int((episodes.drawn == 1).sum())
    assert [(each.name, each.difference) for each in found.classes] == [("alpha", 0), ("beta", 1), ("gamma", 0)]
    assert found.classes[1].queries == asked
    assert found.answers.only_first == asked
    assert verdict.classes(found) == ["Classes in which A gains most: beta +100 (100 against 0 %)."]


def test_seeds_are_those_that_both_have(folder: Path) -> None:
    for seed in (1, 2, 7):
        add(folder, "late", seed, drawn(0.5, 5, seed))
    found = compared(folder, "good", "late")
    assert found.seeds == (1, 2)
    assert found.unused == ((0,), (7,))
    assert found.analysis is not None
    assert found.analysis.seeds == 2
    row = read_report(folder).suites[0].rows
    good = next(each for each in row if each.label == "good").inference.correct
    assert found.means[0] == good[1:].mean()
    assert "seeds 0 of A" in " ".join(verdict.seeds(found))
    assert "seeds 7 of B" in " ".join(verdict.seeds(found))


def test_no_common_seed_is_refused(folder: Path) -> None:
    add(folder, "late", 7, drawn(0.5, 5))
    with pytest.raises(HarnessError, match=r"no seed in common.*0, 1, 2.*has 7.*--seeds 8"):
        compared(folder, "good", "late")


def test_a_control_has_one_seed_against_any(folder: Path) -> None:
    found = compared(folder, "good", "random")
    assert found.seeds == (0, 1, 2)
    assert found.unused == ((), ())
    assert "training A again (3 seeds)" in verdict.coverage(found)
    assert "B is a control" in verdict.training(found)
    assert any("every seed of the other" in text for text in verdict.seeds(found))
    assert found.answers.both + found.answers.only_first + found.answers.only_second + found.answers.neither == 360


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"digest": "1" * 64}, r"the recordings \(dddddddd and 11111111\)\."),
        ({"split_digest": "2" * 64}, r"the split of classes \(eeeeeeee and 22222222\)\."),
        ({}, r"the episodes \(60 episodes, 2-way 1-shot, 2 queries, and as many others\)\."),
    ],
)
def test_other_episodes_are_refused_by_what_differs(
    folder: Path, tmp_path: Path, data: dict[str, str], told: str
) -> None:
    other = tmp_path / "other"
    add_suite(other, EPISODES)
    add_seeds(other, "good", [[1.0] * EPISODES] * 3)
    on_other_episodes(other, "9" * 64, **data)
    with pytest.raises(HarnessError, match=f"not tested on the same episodes of suite test. Different: {told}"):
        pair_up(Address(folder, "good"), Address(other, None))
    with pytest.raises(HarnessError, match="not tested on the same episodes"):
        pair_up(Address(folder, None), Address(other, None))


def test_one_suite_of_two_is_compared_and_the_other_told(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    add_suite(other, EPISODES)
    for seed in range(3):
        add(other, "good", seed, drawn(0.6, seed), suite="val")
    retell(other, EvaluationRecord, ".val", evaluation_digest="89" * 32)
    for seed in range(3):
        add(other, "good", seed, drawn(0.6, seed))
        add(folder, "good", seed, drawn(0.9, 0, seed), suite="val")
    found = pair_up(Address(folder, "good"), Address(other, None))
    assert [a.table.suite for a, _ in found.pairs] == ["test"]
    assert any(text.startswith("suite val was left out: different") for text in found.left_out)


def test_a_difference_in_training_is_told_first(folder: Path) -> None:
    protocol = {"classes": "base", "training": {"steps": 50}}
    add_seeds(folder, "long", [[1.0] * EPISODES] * 3, training_digest="5" * 64, training_protocol=protocol)
    found = compared(folder, "long", "good")
    assert found.conditions == [("training.steps", "50", "5")]
    assert verdict.training(found).startswith("TRAINING DIFFERS")
    assert found.family is None
    same = compared(folder, "good", "fair")
    assert same.conditions == []
    assert verdict.training(same).startswith("Trained under the same conditions")


def test_versions_of_one_method_are_told_by_their_source(folder: Path) -> None:
    for digest, mean in (("1" * 64, 0.5), ("2" * 64, 0.9)):
        for seed in range(3):
            add(folder, "mine", seed, drawn(mean, 3, seed), tag=digest[:2], method_source=digest)
    with pytest.raises(HarnessError, match="fits 2 rows"):
        compared(folder, "mine", "good")
    found = compared(folder, "mine (source 2)", "mine (source 1)")
    assert found.settings == [("source", "22222222", "11111111")]
    assert verdict.sentence(found).startswith("A is better than B")


def test_two_folders_compare_what_both_have(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    add_suite(other, EPISODES)
    for seed in range(3):
        add(other, "good", seed, drawn(0.9, 0, seed))
        add(other, "bad", seed, drawn(0.6, 4, seed))
        add(other, "new", seed, drawn(0.6, 5, seed))
    found = pair_up(Address(folder, None), Address(other, None))
    assert [(a.name, b.name) for a, b in found.pairs] == [
        (name, name) for name in ("good, video, frozen", "bad, video, frozen")
    ]
    assert "only A has fair, video, frozen (test)" in found.left_out
    assert "only B has new, video, frozen (test)" in found.left_out
    good, bad = (compare_sides(a, b) for a, b in found.pairs)
    assert good.same_answers
    assert (
        verdict.sentence(good) == "A and B are right and wrong on the very same queries: there is no difference here."
    )
    assert good.p == 1
    assert bad.interval.mean < 0


def test_incomplete_rows_are_compared_on_what_both_scored(tmp_path: Path) -> None:
    nan = float("nan")
    add(tmp_path, "gaps", 0, answers([1.0, nan, 0.5, 1.0, 0.0]))
    add(tmp_path, "other", 0, answers([nan, 0.0, 0.5, 0.5, 1.0]))
    add(tmp_path, "lone", 0, answers([nan, 1.0, nan, 0.5, nan]))
    found = compared(tmp_path, "gaps", "other")
    assert found.episodes == 3
    assert found.means == pytest.approx((0.5, 2 / 3))
    assert "Only 3 of 5 episodes were scored by both." in verdict.cautions(found)
    with pytest.raises(HarnessError, match=r"too few episodes of suite test that both .* scored: 1"):
        compared(tmp_path, "gaps", "lone")


def test_a_difference_that_the_family_takes_back(folder: Path) -> None:
    found = compared(folder, "good", "fair")
    assert found.family is not None
    (text,) = verdict.cautions(found)
    assert text.startswith("One of 3 pairs of its section.")
    assert ("no difference can be told" in text) == (found.p < 0.05 <= found.family.adjusted)
    (other,) = verdict.cautions(compared(folder, "good", "random"))
    assert other.startswith("One of 6 pairs of the 4 rows of this table")


def test_no_difference_is_not_called_equality(folder: Path) -> None:
    add_seeds(folder, "twin", [[0.5, 1.0] * (EPISODES // 2)] * 3)
    add_seeds(folder, "brother", [[1.0, 0.5] * (EPISODES // 2)] * 3)
    text = verdict.sentence(compared(folder, "twin", "brother"))
    assert text.startswith("No difference can be told: A less B is ")
    assert "That does not make them equal: up to" in text


def test_one_row_cannot_be_compared_with_itself(folder: Path) -> None:
    with pytest.raises(HarnessError, match="both are the row 'good, video, frozen'"):
        compared(folder, "good", "good, video")
    with pytest.raises(HarnessError, match="are the same"):
        pairs(folder, "good", "good")


def test_json_holds_the_same_numbers(folder: Path) -> None:
    found = compared(folder, "good", "bad")
    content = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert content["difference"]["mean"] == found.interval.mean
    assert content["difference"]["low"] == found.interval.low
    assert content["difference"]["p"] == found.p
    assert content["a"]["mean"] - content["b"]["mean"] == pytest.approx(content["difference"]["mean"])
    assert content["estimates"]["closed"]["standard_error"] == found.closed.standard_error
    assert content["sign_flips"]["smallest"] == 2.0**-7
    assert content["section"]["pairs"] == 3
    assert content["answers"]["only_a"] == found.answers.only_first
    assert verdict.sentence(found) in content["words"]
    closed = as_json(compared(folder, "good", "random"))
    assert closed["section"] is None


def test_addresses(folder: Path, tmp_path: Path) -> None:
    def nowhere() -> Path:
        raise HarnessError("no run here.")

    assert address(str(folder), None, nowhere) == Address(folder, None)
    assert address(f"{folder}: good, video", None, nowhere) == Address(folder, "good, video")
    assert address("good", folder, nowhere) == Address(folder, "good")
    assert address("good (weights a:b)", folder, nowhere) == Address(folder, "good (weights a:b)")
    assert address("good", None, lambda: tmp_path) == Address(tmp_path, "good")
    with pytest.raises(HarnessError, match="no such folder"):
        address(f"{tmp_path}/quik:good", None, nowhere)
    (tmp_path / "empty").mkdir()
    with pytest.raises(HarnessError, match="no records here"):
        address(str(tmp_path / "empty"), folder, nowhere)
