"""The interval for these clips: this trained model, and all episodes that could be drawn from them."""

from __future__ import annotations

import numpy as np

from mmact_oneshot.harness.report.statistics.interval import SHARE, Estimate, Interval, mean_of, unavailable


def clips_estimate(episodes: np.ndarray) -> Estimate:
    """Monte Carlo error of drawing B episodes: SE = sd / sqrt(B), with B - 1 degrees of freedom.

    Args:
        episodes: (B,) accuracy of every episode, or differences of two accuracies.
    """
    count = len(episodes)
    if count < 2:
        return unavailable(mean_of(episodes), f"{count} episode{'s' * (count != 1)}")
    return Estimate(float(episodes.mean()), float(episodes.std(ddof=1)) / count**0.5, count - 1)


def episode_interval(episodes: np.ndarray, level: float = 0.95, bounds: tuple[float, float] = SHARE) -> Interval:
    """Interval of one trained model: Monte Carlo error of drawing episodes (for these clips).

    Args:
        episodes: (B,) accuracy of every episode.
    """
    return clips_estimate(episodes).interval(level, bounds)
