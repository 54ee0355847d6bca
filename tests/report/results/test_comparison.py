"""Paired comparisons: known answers, agreement with the report, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.report.formats import short
from mmact_oneshot.harness.report.results.compare_all import adjusted_p, compare_selected
from mmact_oneshot.harness.report.results.comparison import Comparison, compare_sides
from mmact_oneshot.harness.report.results.row_selectors import Scope, Selector, select
from mmact_oneshot.harness.report.statistics import holm
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.small_runs import (
    CONDITIONS,
    add,
    add_control,
    add_seeds,
    add_study,
    add_suite,
    answers,
    row_of,
    shares,
    study_suite,
    three_seeds,
)

EPISODES = 60
MEANS = {"good": 0.9, "fair": 0.85, "bad": 0.3}
ONE, OTHER = [1.0, 0.5, 0.0, 0.5], [1.0, 1.0, 0.5, 1.0]


def compared(folder: Path, first: str, second: str) -> Comparison:
    ((a, b),) = select(Selector(folder, first), Selector(folder, second), Scope()).pairs
    return compare_sides(a, b)


def fill(folder: Path) -> Path:
    add_suite(folder, EPISODES)
    for place, (name, mean) in enumerate(MEANS.items()):
        add_seeds(folder, name, three_seeds(mean, 10 * place, EPISODES))
    add_control(folder, shares(0.5, 99, EPISODES))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only read."""
    return fill(tmp_path_factory.mktemp("run") / "records")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """To be added to."""
    return fill(tmp_path / "own")


def test_a_known_difference(tmp_path: Path) -> None:
    add(tmp_path, "one", 0, answers(ONE))
    add(tmp_path, "other", 0, answers(OTHER))
    found = compared(tmp_path, "one", "other")
    assert found.means == (0.5, 0.875)
    clips = found.analysis.clips
    assert clips.mean == -0.375  # 0, -1/2, -1/2, -1/2
    assert clips.standard_error == pytest.approx(0.125)
    assert clips.degrees_of_freedom == 3
    assert clips.interval(bounds=(-1, 1)).low == pytest.approx(-0.375 - 3.182446 * 0.125, abs=1e-6)
    counts = found.answers
    assert (counts.both, counts.only_first, counts.only_second, counts.neither) == (4, 0, 3, 1)
    assert (counts.more_first, counts.more_second, counts.equal) == (0, 3, 1)
    assert not counts.same


def test_the_other_way_about_is_the_same_with_other_signs(folder: Path) -> None:
    one, two = compared(folder, "good", "bad"), compared(folder, "bad", "good")
    assert one.interval.mean == pytest.approx(-two.interval.mean)
    assert (one.interval.low, one.interval.high) == pytest.approx((-two.interval.high, -two.interval.low))
    assert one.p == pytest.approx(two.p)
    assert one.pair is not None
    assert two.pair is not None
    assert one.pair.simultaneous.low == pytest.approx(-two.pair.simultaneous.high)
    assert [each.difference for each in one.classes] == pytest.approx([-each.difference for each in two.classes])


def test_it_agrees_with_the_pairs_of_the_report(folder: Path) -> None:
    ranking = study_suite(folder).rankings["video"]
    pairs = ranking.pairs()
    assert len(pairs) == 3
    for pair in pairs:
        found = compared(folder, pair.first.name, pair.second.name)
        assert found.interval.mean == pytest.approx(pair.interval.mean)
        assert (found.interval.low, found.interval.high) == pytest.approx((pair.interval.low, pair.interval.high))
        assert found.p == pytest.approx(pair.p)
        assert found.signs.p_value == pair.signs.p_value
        assert found.signs.smallest == 2.0**-7
        assert found.pair is not None
        assert found.pair.adjusted == pair.adjusted


def test_classes_are_those_of_the_queries(tmp_path: Path) -> None:
    episodes = add_suite(tmp_path, EPISODES)
    right = answers([1.0] * EPISODES)
    wrong = right.copy()
    wrong[episodes.drawn == 1] = 1 - wrong[episodes.drawn == 1]  # the queries of the second class
    add(tmp_path, "right", 0, right)
    add(tmp_path, "wrong", 0, wrong)
    found = compared(tmp_path, "right", "wrong")
    asked = int((episodes.drawn == 1).sum())
    assert [(each.name, each.difference) for each in found.classes] == [("alpha", 0), ("beta", 1), ("gamma", 0)]
    assert found.classes[1].queries == asked
    assert found.answers.only_first == asked


def test_seeds_are_those_that_both_have(own: Path) -> None:
    for seed in (1, 2, 7):
        add(own, "late", seed, answers(shares(0.5, 70 + seed, EPISODES)))
    found = compared(own, "good", "late")
    assert found.seeds == (1, 2)
    assert found.unused == ((0,), (7,))
    assert found.analysis.seeds == 2
    good = row_of(study_suite(own), "good").measured.inference.correct
    assert found.means[0] == good[1:].mean()


def test_no_common_seed_is_refused(own: Path) -> None:
    add(own, "late", 7, answers(shares(0.5, 70, EPISODES)))
    with pytest.raises(HarnessError, match=r"no seed in common.*0, 1, 2.*has 7.*--seeds 8"):
        compared(own, "good", "late")


def test_a_control_has_one_seed_against_any(folder: Path) -> None:
    found = compared(folder, "good", "random")
    assert found.seeds == (0, 1, 2)
    assert found.unused == ((), ())
    assert found.pair is None
    assert found.answers.both + found.answers.only_first + found.answers.only_second + found.answers.neither == 360


def test_incomplete_rows_are_compared_on_what_both_scored(tmp_path: Path) -> None:
    nan = float("nan")
    add(tmp_path, "gaps", 0, answers([1.0, nan, 0.5, 1.0, 0.0]))
    add(tmp_path, "other", 0, answers([nan, 0.0, 0.5, 0.5, 1.0]))
    add(tmp_path, "lone", 0, answers([nan, 1.0, nan, 0.5, nan]))
    found = compared(tmp_path, "gaps", "other")
    assert found.episodes == 3
    assert found.means == pytest.approx((0.5, 2 / 3))
    with pytest.raises(HarnessError, match=r"too few episodes of suite test that both .* scored: 1"):
        compared(tmp_path, "gaps", "lone")


def test_one_row_cannot_be_compared_with_itself(folder: Path) -> None:
    with pytest.raises(HarnessError, match="both are the row 'good, video'"):
        compared(folder, "good", "good, video")


def test_conditions_that_differ_are_named(own: Path) -> None:
    conditions = CONDITIONS | {"budget": {"steps": 50}}
    add_seeds(own, "long", [[1.0] * EPISODES] * 3, conditions=conditions)
    found = compared(own, "long", "good")
    assert found.conditions == found.unplanned == [("budget.steps", "50", "5")]
    assert not found.same_conditions
    assert found.pair is None, "they are not ranked together"
    same = compared(own, "good", "fair")
    assert (same.conditions, same.same_conditions) == ([], True)
    add_study(own, varies=("method", "budget"))
    found = compared(own, "long", "good")
    assert found.conditions
    assert found.unplanned == [], "it is what the study varies"


def test_a_table_that_one_side_lacks_is_one_condition(own: Path) -> None:
    conditions = CONDITIONS | {"pretraining": {"method": "mu_mae", "epochs": 3, "batch": 4}}
    add_seeds(own, "mu_mae", [[1.0] * EPISODES] * 3, conditions=conditions, pretrained="mu_mae")
    found = compared(own, "mu_mae", "good")
    assert found.conditions == [("pretraining", "mu_mae", "none")]
    assert found.unplanned == []


def test_versions_of_one_method_are_distinguished_by_their_source(own: Path) -> None:
    for digest, mean in (("1" * 64, 0.5), ("2" * 64, 0.9)):
        add_seeds(own, "mine", three_seeds(mean, 30, EPISODES), method_source=digest)
    found = compared(own, "mine (source 2", "mine (source 1")
    assert [(name, short(a), short(b)) for name, a, b in found.settings] == [("defined in", "22222222", "11111111")]


def test_two_folders_compare_what_both_have(folder: Path, tmp_path: Path) -> None:
    add_suite(tmp_path, EPISODES)
    add_seeds(tmp_path, "good", three_seeds(0.9, 0, EPISODES))
    add_seeds(tmp_path, "bad", three_seeds(0.6, 40, EPISODES))
    found, left_out = compare_selected(select(Selector(folder, None), Selector(tmp_path, None), Scope()), strict=False)
    good, bad = sorted(found, key=lambda each: not each.answers.same)
    assert (good.first.name, bad.first.name) == ("good, video", "bad, video")
    assert good.p == 1
    assert bad.interval.mean < 0
    assert any("fair, video" in text for text in left_out)
    assert adjusted_p([good, bad]) == holm(np.asarray([good.p, bad.p])).tolist()


def test_a_pair_that_cannot_be_compared_is_left_out_unless_it_was_asked_for(own: Path, tmp_path: Path) -> None:
    add(own, "late", 7, answers(shares(0.5, 70, EPISODES)))
    add_suite(tmp_path / "two", EPISODES)
    add_seeds(tmp_path / "two", "good", three_seeds(0.9, 3, EPISODES))
    add(tmp_path / "two", "late", 1, answers(shares(0.5, 71, EPISODES)))
    selected = select(Selector(own, None), Selector(tmp_path / "two", None), Scope())
    found, left_out = compare_selected(selected, strict=False)
    assert [each.first.name for each in found] == ["good, video"]
    assert any(text.startswith("late, video (test) was left out: no seed in common") for text in left_out)
    with pytest.raises(HarnessError, match="no seed in common"):
        compare_selected(selected, strict=True)


def test_holm_is_over_the_rows_of_a_suite(tmp_path: Path) -> None:
    for name, first in (("one", 0), ("two", 100)):
        for place, suite in enumerate(("test", "test-cross-subject")):
            add_suite(tmp_path / name, EPISODES, suite=suite)
            for number, row in enumerate(("a", "b")[: 2 - place]):
                accuracies = three_seeds(0.6 + 0.1 * bool(first), first + 10 * number, EPISODES)
                add_seeds(tmp_path / name, row, accuracies, suite=suite)
    selected = select(Selector(tmp_path / "one", None), Selector(tmp_path / "two", None), Scope())
    found, _ = compare_selected(selected, strict=True)
    adjusted = adjusted_p(found)
    by_suite = {
        suite: [each.p for each in found if each.suite.name == suite] for suite in ("test", "test-cross-subject")
    }
    assert [len(p) for p in by_suite.values()] == [2, 1]
    for suite, p in by_suite.items():
        chosen = [each for each, comparison in zip(adjusted, found, strict=True) if comparison.suite.name == suite]
        assert chosen == holm(np.asarray(p)).tolist()
