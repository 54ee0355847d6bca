"""Training seeds as a second source of variance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmact_oneshot.harness.report.statistics.interval import SHARE, Estimate, Interval
from mmact_oneshot.harness.report.statistics.these_clips import clips_estimate


def over_seeds(means: np.ndarray, estimate: Estimate) -> Estimate:
    """The error with training again: SE^2 = s_seed^2 / K + SE^2, with Satterthwaite's degrees of freedom.

    Seeds and episodes are two sources of variance; pooling them as one sample would understate the first.

    Args:
        means: (K,) mean of every training seed. K = 1 gives no seed term.
        estimate: of the accuracies averaged over seeds.
    """
    seeds = len(means)
    if seeds == 1 or not estimate.available:
        return estimate
    between = float(means.var(ddof=1)) / seeds
    within = estimate.standard_error**2
    total = between + within
    parts = between**2 / (seeds - 1) + within**2 / max(1.0, estimate.degrees_of_freedom)
    freedom = total**2 / parts if parts > 0 else float(seeds - 1)
    return replace(estimate, standard_error=total**0.5, degrees_of_freedom=freedom)


def seeds_interval(episodes: np.ndarray, level: float = 0.95, bounds: tuple[float, float] = SHARE) -> Interval:
    """Interval for these clips of a method over training seeds.

    Args:
        episodes: (K, B) accuracy of every episode for every training seed. K = 1 gives no seed term.
    """
    return over_seeds(episodes.mean(axis=1), clips_estimate(episodes.mean(axis=0))).interval(level, bounds)
