"""Intervals for accuracies over fixed episodes: pure functions on arrays, no torch.

What an interval here covers: all episodes that could be drawn from these clips, and, with several training seeds,
training again. It says nothing about new recordings, new subjects or new classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True)
class Interval:
    """A mean with its standard error and a two-sided interval, as shares; bounds are clipped to 0..1."""

    mean: float
    standard_error: float
    low: float
    high: float
    degrees_of_freedom: float


def episode_interval(episodes: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of one trained model: Monte Carlo error of drawing episodes (closed interval).

    Args:
        episodes: (B,) accuracy of every episode.
    """
    count = len(episodes)
    if count < 2:
        mean = float(episodes.mean()) if count else float("nan")
        return Interval(mean, float("nan"), float("nan"), float("nan"), 0.0)
    error = float(episodes.std(ddof=1)) / count**0.5
    return _interval(float(episodes.mean()), error, count - 1, level)


def seeds_interval(episodes: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of a method over training seeds: SE^2 = s_seed^2 / K + SE_episodes^2, with Satterthwaite's df.

    Seeds and episodes are two sources of variance; pooling them as one sample would understate the first.

    Args:
        episodes: (K, B) accuracy of every episode for every training seed. K = 1 gives no seed term.
    """
    seeds = len(episodes)
    closed = episode_interval(episodes.mean(axis=0), level)
    if seeds == 1:
        return closed
    seed_variance = float(episodes.mean(axis=1).var(ddof=1)) / seeds
    closed_variance = closed.standard_error**2
    total = seed_variance + closed_variance
    parts = seed_variance**2 / (seeds - 1) + closed_variance**2 / max(1.0, closed.degrees_of_freedom)
    freedom = total**2 / parts if parts > 0 else float(seeds - 1)
    return _interval(closed.mean, total**0.5, freedom, level)


def _interval(mean: float, error: float, freedom: float, level: float) -> Interval:
    half = float(stdtrit(freedom, 0.5 + level / 2)) * error
    return Interval(mean, error, max(0.0, mean - half), min(1.0, mean + half), freedom)
