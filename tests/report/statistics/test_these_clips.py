"""Intervals for these clips against scipy, by hand, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mmact_oneshot.harness.report.statistics import episode_interval, seeds_interval


def test_the_episode_interval_is_the_t_interval_of_a_mean() -> None:
    episodes = np.asarray([0.2, 0.4, 0.4, 0.6, 1.0, 0.0, 0.4])
    found = episode_interval(episodes)
    low, high = stats.t.interval(0.95, 6, episodes.mean(), stats.sem(episodes))
    assert found.mean == pytest.approx(3 / 7)
    assert found.standard_error == pytest.approx(stats.sem(episodes))
    assert [found.low, found.high, found.degrees_of_freedom] == pytest.approx([low, high, 6])
    wide = episode_interval(episodes, 0.99)
    assert wide.low < found.low < found.high < wide.high


def test_bounds_are_shares() -> None:
    found = episode_interval(np.asarray([1.0, 1.0, 0.0]))
    assert (found.low, found.high) == (0, 1)
    sure = episode_interval(np.ones(5))
    assert (sure.mean, sure.standard_error, sure.low, sure.high) == (1, 0, 1, 1)


def test_too_few_episodes_give_no_interval() -> None:
    one, none = episode_interval(np.asarray([0.4])), episode_interval(np.asarray([]))
    assert one.mean == 0.4
    assert math.isnan(none.mean)
    assert all(math.isnan(value) for found in (one, none) for value in (found.standard_error, found.low, found.high))


def test_one_seed_has_no_seed_term() -> None:
    episodes = np.random.default_rng(0).random((1, 50))
    assert seeds_interval(episodes) == episode_interval(episodes[0])


def test_seeds_and_episodes_are_two_sources_of_variance() -> None:
    """Satterthwaite by hand: the Welch form of two variances with K - 1 and B - 1 degrees of freedom."""
    random = np.random.default_rng(1)
    episodes = np.clip(random.random((3, 40)) + np.asarray([[0.0], [0.1], [-0.1]]), 0, 1)
    a = episodes.mean(axis=1).var(ddof=1) / 3
    b = stats.sem(episodes.mean(axis=0)) ** 2
    freedom = (a + b) ** 2 / (a**2 / 2 + b**2 / 39)
    low, high = stats.t.interval(0.95, freedom, episodes.mean(), (a + b) ** 0.5)
    found = seeds_interval(episodes)
    assert found.standard_error == pytest.approx((a + b) ** 0.5)
    assert found.degrees_of_freedom == pytest.approx(freedom)
    assert [found.low, found.high] == pytest.approx([low, high])
    assert found.standard_error > episode_interval(episodes.ravel()).standard_error, "never pooled as one sample"


def test_seeds_that_agree_leave_the_error_of_the_episodes() -> None:
    row = np.random.default_rng(2).random(30)
    found = seeds_interval(np.stack([row, row]))
    assert found.standard_error == pytest.approx(episode_interval(row).standard_error)
    assert seeds_interval(np.full((3, 4), 0.5)).standard_error == 0


def test_coverage_of_the_episode_interval() -> None:
    """2,000 samples of 200 episodes with five queries each: a nominal 95 % covers 93.5-96.5 %."""
    random = np.random.default_rng(3)
    samples = random.binomial(5, 0.35, size=(2_000, 200)) / 5
    found = [episode_interval(sample) for sample in samples]
    coverage = np.mean([interval.low <= 0.35 <= interval.high for interval in found])
    assert 0.935 < coverage < 0.965


def test_coverage_over_seeds() -> None:
    """Seeds that differ by more than the episodes explain: pooling would cover far less."""
    random = np.random.default_rng(4)
    inside = pooled = 0
    for _ in range(1_000):
        shares = np.clip(0.5 + 0.05 * random.normal(size=(3, 1)), 0, 1)
        episodes = random.binomial(5, shares, size=(3, 150)) / 5
        both, one = seeds_interval(episodes), episode_interval(episodes.ravel())
        inside += both.low <= 0.5 <= both.high
        pooled += one.low <= 0.5 <= one.high
    assert 0.93 < inside / 1_000 < 0.985
    assert pooled / 1_000 < 0.7
