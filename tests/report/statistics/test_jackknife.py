"""The infinitesimal jackknife by loops, as a derivative, and by what must not change it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from mmact_oneshot.harness.report.statistics import Analysis, Identities, Slots, analyse, compare
from mmact_oneshot.harness.report.statistics.design import Design
from mmact_oneshot.harness.report.statistics.jackknife import by_performance, by_subject
from mmact_oneshot.harness.report.statistics.simulation.worlds import WORLDS
from mmact_oneshot.harness.report.statistics.simulation.worlds import replicate as made_up
from mmact_oneshot.harness.report.statistics.spread import minus
from tests.helpers.small_suites import accuracies, small

GENERALISING = ("performances", "subjects")


def of_one(correct: np.ndarray, identities: Identities) -> Analysis:
    return analyse(correct[None], identities)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_influences_and_variance_by_loops(seed: int, own: bool) -> None:
    """Of one method, of another, and of their difference."""
    case, other = small(seed), small(seed + 10).correct
    both, found = accuracies(case.correct, other), case.identities
    spread = by_subject(both, found, own)
    kinds = (
        [(spread, case.subject)] if own else [(spread, case.subject), (by_performance(both, found), case.performance)]
    )
    difference = case.correct.astype(float) - other
    for each, cluster in kinds:
        for rows, correct in (([0], case.correct), ([1], other), ([0, 1], difference)):
            expected, total = replace(case, correct=correct).brute_force(cluster, own)
            np.testing.assert_allclose(minus(each.linear, rows), expected, atol=1e-14)
            assert each.variance(rows) == pytest.approx(each.factor * total, abs=1e-15)


@pytest.mark.parametrize("own", [False, True])
def test_an_influence_is_the_derivative_of_the_weighted_accuracy(own: bool) -> None:
    """All two-way episodes of three classes with four performances; a query's clip matters for its answer only."""
    random = np.random.default_rng(0)
    right = random.random((3, 4, 3, 4, 2, 4)) < 0.5
    rows = np.asarray(
        [
            (a, b, *clips)
            for a, b in itertools.combinations(range(3), 2)
            for clips in itertools.product(range(4), repeat=4)
        ]
    )
    a, b, first, second, asked, other = rows.T
    correct = np.stack([right[a, first, b, second, 0, asked], right[a, first, b, second, 1, other]], axis=1)
    classes, subjects = rows[:, :2], random.integers(0, 3, (3, 4))
    support, query = rows[:, 2:4], rows[:, 4:]
    found = Identities(
        Slots(classes[:, :, None], classes),
        Slots((classes * 4 + support)[:, :, None], classes * 4 + query),
        Slots(subjects[classes, support][:, :, None], subjects[classes, query]),
    )

    def accuracy(weights: np.ndarray) -> float:
        shares = weights / weights.sum(axis=1, keepdims=True)
        chance = shares[classes, support].prod(axis=1) * shares[classes, query].prod(axis=1) / 3
        return float(chance @ correct.mean(axis=1))

    def derivative(chosen: np.ndarray) -> float:
        return (accuracy(1 + 1e-5 * chosen) - accuracy(1 - 1e-5 * chosen)) / 2e-5

    values, one = accuracies(correct), np.arange(12).reshape(3, 4)
    design = Design(found.performances.codes, found.strata, found.by_subject_inductive.parts * own)
    by_one = [derivative(one == g) for g in range(12)]
    np.testing.assert_allclose(design.moments(values)[0][0], by_one, atol=1e-8)
    by_person = [derivative(subjects == s) for s in np.unique(subjects)]
    np.testing.assert_allclose(by_subject(values, found, own).linear[0], by_person, atol=1e-8)


def test_relabelling_and_the_order_of_episodes_change_nothing() -> None:
    case = small(3, 400)
    found, random = case.identities, np.random.default_rng(0)
    names, order = random.permutation(1_000), random.permutation(400)
    other = Identities(
        *(Slots(names[s.support], names[s.query]) for s in (found.classes, found.performances, found.subjects))
    ).only(order)
    for kind in GENERALISING:
        again, once = getattr(of_one(case.correct[order], other), kind), getattr(of_one(case.correct, found), kind)
        assert again.standard_error == pytest.approx(once.standard_error, rel=1e-12)
        assert again.degrees_of_freedom == once.degrees_of_freedom


def test_shift_and_scale() -> None:
    correct, found = made_up(WORLDS["UTD C"], 0, 0, 2_000)
    plain = of_one(correct, found)
    for scale, other in ((1, correct - 0.3), (0.5, -0.5 * correct), (1e-4, 1e-4 * correct)):
        changed = of_one(other, found)
        for kind in GENERALISING:
            error = getattr(plain, kind).standard_error
            assert getattr(changed, kind).standard_error == pytest.approx(scale * error, rel=1e-9)


def test_differences_between_classes_are_not_noise_of_the_test_set() -> None:
    """Every query of a class has its class's accuracy exactly: no performance and no subject matters."""
    case = small(4, 3_000, subjects=6)
    correct = np.asarray([0.1, 0.4, 0.6, 0.9])[case.classes]
    found = of_one(correct, case.identities)
    assert found.subjects.standard_error < 1.5 * found.clips.standard_error
    assert found.performances.standard_error < 1.5 * found.clips.standard_error


def test_one_subject_and_one_performance_a_class_are_not_available() -> None:
    case = small()
    lonely = replace(case, subjects=np.zeros_like(case.subjects)).identities
    alone = of_one(case.correct, lonely)
    for found in (alone.subjects, alone.deletion):
        assert found.note == "not available: 1 subject"
        assert math.isnan(found.standard_error)
        assert math.isnan(found.p_value)
    single = replace(case, support=case.support * 0, query=case.query * 0).identities
    assert of_one(case.correct, single).performances.note == "not available: no class has two performances"


def test_all_right_is_no_effect() -> None:
    found = made_up(WORLDS["UTD B"], 0, 0, 1_000)[1]
    sure = of_one(np.ones((1_000, 5), dtype=bool), found).subjects
    assert (sure.standard_error, sure.note) == (0, "no subject effect detectable")
    assert (sure.interval().low, sure.interval().high) == (1, 1)


def test_deletion_by_sets() -> None:
    """Of one method, and of its difference to another."""
    correct, found = made_up(WORLDS["UTD C"], 0, 1, 1_500)
    other, subjects = np.random.default_rng(0).random(correct.shape) < 0.5, found.subjects.all
    without = [{b for b in range(1_500) if s not in subjects[b]} for s in range(8)]
    shared = sum(len(a & b) / len(a) / len(b) for a in without for b in without) / 8
    pair = compare(correct[None], other[None], found).analysis
    for answers, estimate in ((correct, of_one(correct, found).deletion), (correct * 1.0 - other, pair.deletion)):
        episodes = answers.mean(axis=1)
        means = [np.mean([episodes[b] for b in each]) for each in without]
        noise = episodes.var(ddof=1) * (sum(1 / len(each) for each in without) - shared)
        extra = 7 / 8 * max(0, sum((mean - np.mean(means)) ** 2 for mean in means) - noise)
        expected = (episodes.var(ddof=1) / 1_500 + extra) ** 0.5
        assert extra > 0
        assert estimate.standard_error == pytest.approx(expected)
    few = of_one(correct[:400], found.only(np.arange(400))).deletion
    assert few.note.startswith("not available: 8 subjects, one of them in all but")
