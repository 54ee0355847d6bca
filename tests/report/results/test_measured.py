"""Figures of one row, known by hand: means, intervals over seeds, classes, costs, metrics beside the accuracy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.records import Ablation, Calibration, Operations
from mmact_oneshot.harness.report.metrics.macro_f1 import macro_f1
from mmact_oneshot.harness.report.metrics.worst_decile import worst_decile
from mmact_oneshot.harness.report.results.inference import shown_interval, shown_p
from mmact_oneshot.harness.report.results.load import load
from mmact_oneshot.harness.report.results.measured import Measured
from mmact_oneshot.harness.report.results.metric import Answers
from mmact_oneshot.harness.report.statistics import analyse, compare
from mmact_oneshot.harness.report.statistics.interval import unavailable
from tests.helpers.small_runs import (
    BOTH,
    HALF,
    add,
    add_control,
    add_seeds,
    add_suite,
    answers,
    row_of,
    study_suite,
    three_seeds,
)

SURE = Calibration(
    queries=(0, 0, 0, 0, 0, 6, 0, 0, 0, 2),
    confidence=(0, 0, 0, 0, 0, 3.0, 0, 0, 0, 1.8),
    correct=(0, 0, 0, 0, 0, 3, 0, 0, 0, 1),
)
HALF_COMPLETE = [0.75, 0.75, 0.5]  # accuracy on the first two episodes


def measured(folder: Path, label: str, modality: str = "video") -> Measured:
    return row_of(study_suite(folder), label, modality).measured


def test_means_and_errors_over_seeds_and_episodes(tmp_path: Path) -> None:
    add_seeds(tmp_path, "one", HALF)
    row = measured(tmp_path, "one")
    # Seed means .5, .625, .375: variance 1/64, over 3 seeds 1/192. Seed-averaged episodes 5/6, 1/2, 1/6, 1/2:
    # variance 2/27, over 4 episodes 1/54.
    analysis = row.inference.analysis
    assert analysis is not None
    assert row.interval.mean == analysis.clips.mean == pytest.approx(0.5)
    assert analysis.clips.standard_error == pytest.approx((1 / 192 + 1 / 54) ** 0.5)
    freedom = (1 / 192 + 1 / 54) ** 2 / ((1 / 192) ** 2 / 2 + (1 / 54) ** 2 / 3)
    assert analysis.clips.degrees_of_freedom == pytest.approx(freedom)
    assert row.seeds == (0, 1, 2)
    assert (row.train_seconds, row.test_seconds, row.episodes_per_second, row.memory) == (11.0, 1.5, 100.0, None)


def test_classes_are_counted_over_seeds(tmp_path: Path) -> None:
    episodes = add_suite(tmp_path, 60)
    wrong = answers([1.0] * 60)
    wrong[episodes.drawn == 1] = 1 - wrong[episodes.drawn == 1]  # the queries of the second class
    for seed in range(3):
        add(tmp_path, "one", seed, wrong)
    row = measured(tmp_path, "one")
    asked = np.bincount(episodes.drawn.ravel())
    assert list(row.per_class) == [1, 0, 1]
    assert row.confusion.sum(axis=1).tolist() == (3 * asked).tolist()
    assert row.confusion.diagonal().tolist() == [3 * asked[0], 0, 3 * asked[2]]
    assert row.extreme_class(best=False) == ("beta", 0)
    assert row.extreme_class(best=True) == ("gamma", 1)


def test_the_interval_is_the_wider_of_performances_and_subjects(tmp_path: Path) -> None:
    add_suite(tmp_path, 300)
    add_seeds(tmp_path, "protonet", three_seeds(0.6))
    loaded, row = load(tmp_path), measured(tmp_path, "protonet")
    (suite,) = loaded.suites.values()
    group = sorted(loaded.scored.values(), key=lambda each: each.training.seed)
    expected = analyse(np.stack([each.correct for each in group]), suite.identities)
    assert row.interval == expected.interval()
    assert expected.clips.standard_error <= row.interval.standard_error
    wider = max(expected.performances.half_width(0.95), expected.subjects.half_width(0.95))
    assert (row.interval.high - row.interval.low) / 2 == pytest.approx(wider)


def test_identities_are_those_of_the_clips(tmp_path: Path) -> None:
    """Clips of the helper are numbered class by class, subject by subject, performance by performance."""
    found = add_suite(tmp_path, 50)
    add_seeds(tmp_path, "one", three_seeds(0.6, episodes=50))
    (suite,) = load(tmp_path).suites.values()
    assert np.array_equal(suite.identities.classes.query, found.query // 32)
    assert np.array_equal(suite.identities.classes.support, found.support // 32)
    assert np.array_equal(suite.identities.subjects.query, found.query // 4 % 8)
    assert (suite.way, suite.shot, suite.queries, len(suite), suite.chance) == (2, 1, 2, 50, 0.5)


def test_with_few_subjects_the_interval_is_for_performances(tmp_path: Path) -> None:
    add_suite(tmp_path, 300, subjects=4)
    add_seeds(tmp_path, "protonet", three_seeds(0.6))
    analysis = measured(tmp_path, "protonet").inference.analysis
    assert analysis is not None
    assert analysis.subjects.note == "not available: 4 subjects"
    assert shown_interval(analysis) == analysis.performances.interval()


def test_the_shown_p_agrees_with_the_shown_interval(tmp_path: Path) -> None:
    """Also where neither performances nor subjects are known, and these clips decide."""
    add_suite(tmp_path, 300)
    add_seeds(tmp_path, "one", three_seeds(0.62))
    add_seeds(tmp_path, "two", three_seeds(0.58, 10))
    one, two = (measured(tmp_path, name).inference for name in ("one", "two"))
    (suite,) = load(tmp_path).suites.values()
    analysis = compare(one.correct, two.correct, suite.identities).analysis
    nothing = unavailable(analysis.clips.mean, "for this test")
    on_clips = replace(analysis, performances=nothing, subjects=nothing)
    for found in (analysis, on_clips):
        interval = shown_interval(found)
        assert (shown_p(found) < 0.05) == (interval.low > 0 or interval.high < 0)
    assert shown_p(analysis) == analysis.p_value
    assert shown_p(on_clips) == analysis.clips.p_value


def test_a_pretraining_of_each_seed_is_covered_by_the_interval(tmp_path: Path) -> None:
    for name, own, seeds in (("each", True, HALF), ("shared", False, HALF), ("once", True, HALF[:1])):
        add_seeds(tmp_path / name, name, seeds, pretrained="mu_mae", own=own)
    found = {name: measured(tmp_path / name, name) for name in ("each", "shared", "once")}
    assert {name: row.pretrained_anew for name, row in found.items()} == {
        "each": True,
        "shared": False,
        "once": False,  # a single seed covers nothing again
    }
    assert {name: row.pretraining_seconds for name, row in found.items()} == {
        "each": 360.0,
        "shared": 120.0,
        "once": 120.0,
    }


def test_memory_is_the_largest_over_seeds(tmp_path: Path) -> None:
    for seed, memory in enumerate((100, 300, 200)):
        add(tmp_path, "one", seed, answers(HALF[seed]), volatile={"peak_memory_bytes": memory})
    row = measured(tmp_path, "one")
    assert (row.memory, row.train_seconds) == (300, None)


def said(predicted: list[list[int]], label: list[list[int]], drawn: list[list[int]], classes: int) -> Answers:
    """Answers of which metrics are taken by hand."""
    answered, true, position = (np.asarray(each, np.int64) for each in (predicted, label, drawn))
    nothing = np.zeros((len(label), 0), np.int64)
    names = tuple(f"class{number}" for number in range(classes))
    return Answers(answered, true, position, nothing, nothing, names, ("somebody",), np.zeros(0, np.int64))


def test_macro_f1_by_hand() -> None:
    # Class 0: 3 of 4 right, answered 4 times: F1 = 6 / 8. Class 1: 1 of 2 right, answered 2 times: 2 / 4. Class 2: not
    # asked for, so not counted. The positions of the two classes change from episode to episode.
    answers = said(
        [[0, 0, 0], [0, 0, 1]],
        [[0, 0, 1], [1, 0, 1]],
        [[0, 1], [1, 0]],
        classes=3,
    )
    assert answers.confusion.tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert macro_f1.function(answers) == pytest.approx((0.75 + 0.5) / 2)


@pytest.mark.parametrize(
    ("shares", "worst"), [([0.5, 0.0, 1.0], 0.0), ([0.2, 0.4] + [1.0] * 18, 0.3)], ids=["one at least", "a tenth"]
)
def test_the_worst_decile_by_hand(shares: list[float], worst: float) -> None:
    label = [[0] * 10 for _ in shares]
    predicted = [[0] * round(10 * share) + [1] * round(10 * (1 - share)) for share in shares]
    answers = said(predicted, label, [[0, 1]] * len(shares), classes=2)
    assert worst_decile.function(answers) == pytest.approx(worst)


def test_a_metric_says_nothing_where_nothing_was_scored() -> None:
    empty = said([], [], [], classes=1)
    assert (macro_f1.over_seeds([empty]), worst_decile.over_seeds([empty])) == (None, None)


def test_calibration_error_by_hand(tmp_path: Path) -> None:
    """Of 8 queries, 6 at 50 % of which 3 are right: no gap. 2 at 90 % of which 1 is right: 0.8 / 8 = 10 points."""
    for seed in range(3):
        add(tmp_path, "half", seed, answers([0.5] * 4), evaluation={"calibration": SURE})
    metrics = measured(tmp_path, "half").metrics
    assert metrics.calibration is not None
    assert metrics.calibration.queries[5] == 18
    assert metrics.value("calibration_error") == pytest.approx(0.1)
    add_control(tmp_path, [0.5] * 4)
    assert measured(tmp_path, "random").metrics.value("calibration_error") is None


def test_groups_are_of_the_queries(tmp_path: Path) -> None:
    """Right for the first four subjects only."""
    episodes = add_suite(tmp_path, 80)
    subject = episodes.subject[episodes.query]
    predicted = np.where(subject < 4, episodes.label, 1 - episodes.label)
    for seed in range(3):
        add(tmp_path, "one", seed, predicted)
    groups = measured(tmp_path, "one").metrics.groups
    assert set(groups) == {"subject", "camera"}, "there is one scene"
    assert [group.accuracy for group in groups["subject"]] == [1.0] * 4 + [0.0] * 4
    assert [group.queries for group in groups["subject"]] == np.bincount(subject.ravel()).tolist()
    assert sum(group.queries for group in groups["camera"]) == 160


def test_episodes_that_lack_a_stream_stand_apart(tmp_path: Path) -> None:
    """Clip 0 has no sensor: that matters to rows that use sensors."""
    episodes = add_suite(tmp_path, 120)
    lacking = (episodes.support == 0).any(axis=(1, 2)) | (episodes.query == 0).any(axis=1)
    assert lacking.any()
    accuracies = [0.0 if each else 1.0 for each in lacking]
    for modalities in (("video",), BOTH):
        add_seeds(tmp_path, "one", [accuracies] * 3, modalities=modalities)
    assert measured(tmp_path, "one").metrics.lacking is None
    found = measured(tmp_path, "one", "both").metrics.lacking
    assert found is not None
    assert (found.episodes, found.accuracy, found.others) == (lacking.sum(), 0.0, 1.0)


def test_ablations_are_means_over_seeds_of_what_every_seed_was_tested_without(tmp_path: Path) -> None:
    for seed in range(3):
        tested = [Ablation(without="video", episodes=2, accuracy=seed / 4, complete=HALF_COMPLETE[seed])]
        if seed:
            tested.append(Ablation(without="acc", episodes=2, accuracy=0.5, complete=HALF_COMPLETE[seed]))
        cost = Operations(clip=5_000_000, episode=7)
        add(tmp_path, "one", seed, answers(HALF[seed]), evaluation={"ablations": tested, "operations": cost})
    metrics = measured(tmp_path, "one").metrics
    (found,) = metrics.ablations
    assert (found.without, found.episodes, found.accuracy) == ("video", 2, 0.25)
    assert found.complete == pytest.approx(sum(HALF_COMPLETE) / 3)
    assert metrics.operations == Operations(clip=5_000_000, episode=7)


def test_decimals_of_classes_follow_the_least_certain_one(tmp_path: Path) -> None:
    add_suite(tmp_path, 300)
    add_seeds(tmp_path, "rough", three_seeds(0.6))
    assert measured(tmp_path, "rough").class_decimals == 0
    add_seeds(tmp_path, "sure", [[1.0] * 300] * 3)
    assert measured(tmp_path, "sure").class_decimals == 1
