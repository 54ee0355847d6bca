"""Paired comparisons, sign flips and many comparisons: against scipy, by hand, and at the ends."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mmact_oneshot.harness.report.statistics import (
    Identities,
    Interval,
    analyse,
    compare,
    compare_all,
    holm,
    sign_flips,
)
from mmact_oneshot.harness.report.statistics.comparisons import ranks, simultaneous_level
from mmact_oneshot.harness.report.statistics.simulation.worlds import WORLDS, replicate
from tests.helpers.small_suites import small


@pytest.fixture(scope="module")
def found() -> Identities:
    return replicate(WORLDS["UTD C"], 0, 0, 2_000)[1]


def answers(share: float, seeds: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((seeds, 2_000, 5)) < share


def test_one_seed_on_these_clips_is_the_paired_t_test(found: Identities) -> None:
    a, b = answers(0.7, 1), answers(0.68, 1, 1)
    expected = stats.ttest_rel(a[0].mean(axis=1), b[0].mean(axis=1))
    on_clips = compare(a, b, found).analysis.clips
    assert on_clips.p_value == pytest.approx(expected.pvalue)
    interval = on_clips.interval(bounds=(-1, 1))
    assert [interval.low, interval.high] == pytest.approx(list(expected.confidence_interval()))


def test_swapping_turns_the_sign_only(found: Identities) -> None:
    one, other = (
        compare(*pair, found) for pair in ((answers(0.7), answers(0.6, 3, 1)), (answers(0.6, 3, 1), answers(0.7)))
    )
    assert one.analysis.interval().low == pytest.approx(-other.analysis.interval().high)
    assert one.analysis.p_value == pytest.approx(other.analysis.p_value)
    assert one.signs.p_value == other.signs.p_value


def test_a_method_against_itself(found: Identities) -> None:
    same = compare(answers(0.7), answers(0.7), found)
    assert (same.analysis.p_value, same.signs.p_value) == (1, 1)
    assert same.analysis.interval().standard_error == 0


def test_p_agrees_with_the_headline_at_every_level(found: Identities) -> None:
    analysis = compare(answers(0.7), answers(0.695, 3, 1), found).analysis
    p = analysis.p_value
    assert 0.001 < p < 0.999
    for level, excludes in ((1 - p - 1e-6, True), (1 - p + 1e-6, False)):
        interval = analysis.interval(level)
        assert (interval.low > 0 or interval.high < 0) == excludes


def test_an_untrained_method_has_one_seed_against_any_number(found: Identities) -> None:
    fixed = answers(0.5, 1, 9)
    once, repeated = (compare(answers(0.7), b, found) for b in (fixed, np.repeat(fixed, 3, axis=0)))
    assert once == repeated
    assert once.analysis.seeds == 3


def test_one_seed_has_no_seed_term(found: Identities) -> None:
    one, again = answers(0.7, 1), np.repeat(answers(0.7, 1), 4, axis=0)
    assert analyse(one, found).headline().standard_error == pytest.approx(
        analyse(again, found).headline().standard_error
    )


@pytest.mark.parametrize("inductive", [False, True])
@pytest.mark.parametrize("subjects", [3, 6])
def test_signs_of_pseudo_values_by_loops(subjects: int, inductive: bool) -> None:
    """Also where there are too few subjects for an interval."""
    case, other = small(1, subjects=subjects), small(2).correct
    difference = case.correct.astype(float) - other
    influences, _ = replace(case, correct=difference).brute_force(case.subject, inductive)
    signs = compare(case.correct[None], other[None], case.identities, inductive).signs
    assert signs == sign_flips(difference.mean() + len(influences) * influences)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_sign_flips_as_scipy(count: int) -> None:
    values = np.random.default_rng(count).normal(0.3, 1, count)
    found = sign_flips(values)
    assert found.smallest == 2.0 ** (1 - count)
    if count > 1:
        expected = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
        assert found.p_value == pytest.approx(expected.pvalue)
    assert sign_flips(np.abs(values) + 0.1).p_value == found.smallest


def test_sign_flips_count_ties() -> None:
    """Whole numbers, many patterns of which have the same sum: all 2^11 of them one by one."""
    for seed in range(20):
        values = np.random.default_rng(seed).integers(-2, 4, 11)
        sums = [abs(np.dot(signs, values)) for signs in itertools.product((1, -1), repeat=11)]
        assert sign_flips(values / 7).p_value == np.mean(np.asarray(sums) >= abs(values.sum()))
    assert sign_flips(np.zeros(8)).p_value == 1


def test_many_subjects_take_a_fixed_stream() -> None:
    values = np.random.default_rng(0).normal(0.4, 1, 25)
    found = sign_flips(values)
    assert found == sign_flips(values)
    normal = 2 * stats.norm.sf(abs(values.sum()) / (values**2).sum() ** 0.5)
    assert found.p_value == pytest.approx(normal, rel=0.1)
    assert found.smallest == 1e-5


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.asarray([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.asarray([0.01, np.nan, 0.5])), [0.03, np.nan, 1.0])
    assert holm(np.asarray([])).shape == (0,)


def test_ranks_by_hand() -> None:
    """0 surely above 2, nothing else known."""
    known, unknown = Interval(0.2, 0.01, 0.1, 0.3, 9), Interval(0.0, 0.1, -0.2, 0.2, 9)
    pairs = ((0, 1), (0, 2), (1, 2))
    assert ranks(3, pairs, (unknown, known, unknown)).tolist() == [[1, 2], [1, 3], [2, 3]]


def test_all_pairs(found: Identities) -> None:
    methods = [answers(0.55, seed=1), answers(0.8, seed=2), answers(0.8, seed=3), answers(0.3, seed=4)]
    result = compare_all(methods, found)
    assert len(result.pairs) == len(result.simultaneous) == 6
    assert result.tied.tolist() == [False, True, True, False]
    assert result.best in (1, 2)
    assert result.ranks.tolist() == [[3, 3], [1, 2], [1, 2], [4, 4]]
    assert simultaneous_level(0.95, 5) == pytest.approx(0.99)
    alone = compare_all(methods[:1], found)
    assert (alone.best, alone.tied.tolist(), alone.ranks.tolist()) == (0, [True], [[1, 1]])
