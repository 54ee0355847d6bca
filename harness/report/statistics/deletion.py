"""Interval for new subjects by leaving out one at a time: a check on the infinitesimal jackknife."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmact_oneshot.harness.report.statistics.spread import Spread

FEWEST_SUBJECTS = 5
FEWEST_EPISODES = 200


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Which episodes remain without each of S subjects.

    Attributes:
        episodes: (S, B) 1 where the subject is not in the episode, else 0.
    """

    episodes: np.ndarray

    @classmethod
    def of(cls, subjects: np.ndarray, count: int) -> LeftOut:
        """From the codes 0 .. count - 1 of all slots, (B, T)."""
        episodes = np.ones((count, len(subjects)))
        episodes[subjects, np.arange(len(subjects))[:, None]] = 0
        return cls(episodes)

    @cached_property
    def left(self) -> np.ndarray:
        """(S,) episodes that remain, B_s."""
        return np.asarray(self.episodes.sum(axis=1))

    @cached_property
    def noise(self) -> float:
        """sum_s 1 / B_s - (1 / S) sum_s,s' |B_s and B_s'| / (B_s B_s').

        That is tr(M) - sum(M) / S for the covariances M of the theta_s under a common variance, 1, of the episodes.
        """
        shared = self.episodes @ self.episodes.T / np.outer(self.left, self.left)
        return float((1 / self.left).sum()) - float(shared.mean() * len(shared))

    @cached_property
    def reason(self) -> str:
        """Why the subjects cannot be left out; empty where they can."""
        count = len(self.left)
        if count < FEWEST_SUBJECTS:
            return f"{count} subject{'s' * (count != 1)}"
        if self.left.min() < FEWEST_EPISODES:
            return f"{count} subjects, one of them in all but {self.left.min():.0f} episodes"
        return ""


def by_deletion(episodes: np.ndarray, without: LeftOut) -> Spread:
    """Delete-one jackknife over S subjects, with S - 1 degrees of freedom.

    theta_s is the mean over the B_s episodes without subject s. Means over different episodes differ even where
    subjects do not matter: what that adds to the spread of the theta_s is taken off, given the episodes they share.

    Args:
        episodes: (M, B) accuracy of every episode.
    """
    methods, count = episodes.shape
    subjects = len(without.left)
    factor = (subjects - 1) / max(1, subjects)
    if without.reason:
        nothing = np.zeros((methods, 0)), np.zeros((methods, methods))
        return Spread("subject", *nothing, count, factor, subjects - 1, without.reason)
    means = episodes @ without.episodes.T / without.left
    noise = count * without.noise * np.atleast_2d(np.cov(episodes))
    return Spread("subject", means - means.mean(axis=1, keepdims=True), noise, count, factor, subjects - 1)
