"""The infinitesimal jackknife by loops, as a derivative, and by what must not change it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from harness.statistics import Identities, Slots, by_deletion, by_performance, by_subject, closed_estimate
from harness.statistics.jackknife import influences, residuals, variance
from harness.statistics.worlds import WORLDS
from harness.statistics.worlds import replicate as made_up
from tests.statistics.small import small


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_influences_and_variance_by_loops(seed: int, own: bool) -> None:
    case = small(seed)
    found = case.identities
    values = residuals(case.correct, found.strata, own)
    for members, shares, cluster in (
        (found.performances.members, found.performance_shares, case.performance),
        (found.subjects.members, found.subject_shares, case.subject),
    ):
        expected, total = case.brute_force(cluster, own)
        np.testing.assert_allclose(influences(values, members), expected, atol=1e-14)
        assert variance(values, members, found.strata, shares) == pytest.approx(total, abs=1e-15)


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

    values, one = residuals(correct, found.strata, own), np.arange(12).reshape(3, 4)
    by_one = [derivative(one == g) for g in range(12)]
    np.testing.assert_allclose(influences(values, found.performances.members), by_one, atol=1e-8)
    by_person = [derivative(subjects == s) for s in np.unique(subjects)]
    np.testing.assert_allclose(influences(values, found.subjects.members), by_person, atol=1e-8)


def test_relabelling_and_the_order_of_episodes_change_nothing() -> None:
    case = small(3, 400)
    found, random = case.identities, np.random.default_rng(0)
    names, order = random.permutation(1_000), random.permutation(400)
    other = Identities(
        *(Slots(names[s.support], names[s.query]) for s in (found.classes, found.performances, found.subjects))
    ).only(order)
    for function in (by_performance, by_subject):
        again, once = function(case.correct[order], other), function(case.correct, found)
        assert again.standard_error == pytest.approx(once.standard_error, rel=1e-12)
        assert again.degrees_of_freedom == once.degrees_of_freedom


def test_shift_and_scale() -> None:
    correct, found = made_up(WORLDS["UTD C"], 0, 0, 2_000)
    for function in (by_performance, by_subject):
        plain = function(correct, found).standard_error
        assert function(correct - 0.3, found).standard_error == pytest.approx(plain, rel=1e-9)
        assert function(-0.5 * correct, found).standard_error == pytest.approx(0.5 * plain, rel=1e-9)


def test_differences_between_classes_are_not_noise_of_the_test_set() -> None:
    """Every query of a class has its class's accuracy exactly: no performance and no subject matters."""
    case = small(4, 3_000, subjects=6)
    correct = np.asarray([0.1, 0.4, 0.6, 0.9])[case.classes]
    alone = by_subject(correct, case.identities)
    closed = closed_estimate(correct.mean(axis=1)).standard_error
    assert alone.standard_error < 1.5 * closed
    assert by_performance(correct, case.identities).standard_error < 1.5 * closed


def test_one_subject_and_one_performance_a_class_are_not_available() -> None:
    case = small()
    lonely = replace(case, subjects=np.zeros_like(case.subjects)).identities
    for found in (by_subject(case.correct, lonely), by_deletion(case.correct, lonely.subjects)):
        assert found.note == "not available: 1 subject"
        assert math.isnan(found.standard_error)
        assert math.isnan(found.p_value)
    single = replace(case, support=case.support * 0, query=case.query * 0).identities
    assert by_performance(case.correct, single).note == "not available: no class has two performances"


def test_all_right_is_no_effect() -> None:
    found = made_up(WORLDS["UTD B"], 0, 0, 1_000)[1]
    sure = by_subject(np.ones((1_000, 5), dtype=bool), found)
    assert (sure.standard_error, sure.note) == (0, "no subject effect detectable")
    assert (sure.interval().low, sure.interval().high) == (1, 1)


def test_deletion_by_sets() -> None:
    correct, found = made_up(WORLDS["UTD C"], 0, 1, 1_500)
    episodes, subjects = correct.mean(axis=1), found.subjects.all
    without = [{b for b in range(1_500) if s not in subjects[b]} for s in range(8)]
    means = [np.mean([episodes[b] for b in each]) for each in without]
    shared = sum(len(a & b) / len(a) / len(b) for a in without for b in without) / 8
    noise = episodes.var(ddof=1) * (sum(1 / len(each) for each in without) - shared)
    extra = 7 / 8 * max(0, sum((mean - np.mean(means)) ** 2 for mean in means) - noise)
    expected = (episodes.var(ddof=1) / 1_500 + extra) ** 0.5
    assert by_deletion(correct, found.subjects).standard_error == pytest.approx(expected)
    few = by_deletion(correct[:400], found.subjects.only(np.arange(400)))
    assert few.note.startswith("not available: 8 subjects, one of them in all but")
