"""Open interval by subject, by leaving out one subject at a time: a check on the infinitesimal jackknife."""

from __future__ import annotations

import numpy as np

from harness.statistics.closed import closed_estimate
from harness.statistics.clusters import Slots
from harness.statistics.interval import Estimate, mean_of, unavailable
from harness.statistics.jackknife import FEWEST_SUBJECTS, NO_EFFECT

FEWEST_EPISODES = 200


def by_deletion(correct: np.ndarray, subjects: Slots) -> Estimate:
    """Delete-one jackknife over S subjects, t with S - 1 degrees of freedom.

    theta_s is the mean over the B_s episodes without subject s. Means over different episodes differ even where
    subjects do not matter: what that adds to the spread of the theta_s is taken off, given the episodes they share.

    Args:
        correct: (B, Q) as for :func:`harness.statistics.jackknife.by_subject`.
    """
    without = ~subjects.members.present
    count, left = len(without), without.sum(axis=1)
    if count < FEWEST_SUBJECTS:
        return unavailable(mean_of(correct), f"{count} subject{'s' * (count != 1)}")
    if left.min() < FEWEST_EPISODES:
        return unavailable(mean_of(correct), f"{count} subjects, one of them in all but {left.min()} episodes")
    episodes = correct.mean(axis=1)
    closed = closed_estimate(episodes)
    means = without @ episodes / left
    weights = without.astype(np.float64)
    # tr(M) - sum(M) / S for the covariances M of the theta_s under a common variance of the episodes
    shared = weights @ weights.T / np.outer(left, left)
    noise = float(episodes.var(ddof=1)) * (float((1 / left).sum()) - float(shared.sum()) / count)
    extra = (count - 1) / count * max(0.0, float(((means - means.mean()) ** 2).sum()) - noise)
    error = (closed.standard_error**2 + extra) ** 0.5
    return Estimate(closed.mean, error, count - 1, "" if extra > 0 else NO_EFFECT.format("subject"))
