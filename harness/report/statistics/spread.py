"""How far a mean, or a difference of two, goes from one test set to the next, for many methods at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from mmact_oneshot.harness.report.statistics.interval import Estimate, unavailable

_ROUNDING = 1e-14
"""Variances of an episode's share below this are rounding, not differences."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Variance over one kind of cluster: V = factor max(0, |C|^2 - N / B).

    C is linear in the accuracies, so that it is subtracted where methods are; N, the Monte Carlo noise of |C|^2, is
    quadratic, and N_ii - 2 N_ij + N_jj for two methods.

    Attributes:
        cluster: in words.
        linear: (M, G) C of every method.
        noise: (M, M) N of every two.
        episodes: B.
        reason: why V is not available; empty where it is.
    """

    cluster: str
    linear: np.ndarray
    noise: np.ndarray
    episodes: int
    factor: float
    freedom: int
    reason: str = ""

    def variance(self, rows: Sequence[int]) -> float:
        """V of one method, or of a first minus a second; never below 0.

        Two methods' noise is the difference of numbers that may be nearly equal. It is off by about 1e-16; where they
        differ in one answer of a million, it is above 1e-9.
        """
        noise = float(minus(minus(self.noise, rows), rows))
        found = self.episodes * float((minus(self.linear, rows) ** 2).sum()) - noise
        return self.factor * found / self.episodes if found > _ROUNDING else 0.0

    def estimate(self, rows: Sequence[int], clips: Estimate) -> Estimate:
        """The error for these clips and the variance over clusters, together."""
        if self.reason:
            return unavailable(clips.mean, self.reason)
        extra = self.variance(rows)
        note = "" if extra > 0 else f"no {self.cluster} effect detectable"
        return Estimate(clips.mean, (clips.standard_error**2 + extra) ** 0.5, self.freedom, note)


def minus(values: Sequence[np.ndarray] | np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """What is linear in the accuracies, (M, ..): of one method, or of a first minus a second, as the rows say."""
    return np.asarray(reduce(np.subtract, [values[row] for row in rows]))
