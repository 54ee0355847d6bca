"""Everything that is said of one mean: closed, open by performance and by subject, and the headline, over seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.statistics.closed import closed_estimate
from harness.statistics.clusters import Identities
from harness.statistics.deletion import by_deletion
from harness.statistics.interval import SHARE, Estimate, Interval, wider
from harness.statistics.jackknife import by_performance, by_subject
from harness.statistics.seeds import over_seeds


@dataclass(frozen=True)
class Analysis:
    """One mean, with its error under every estimand. None of them speaks for new classes.

    Attributes:
        closed: these clips, all episodes that could be drawn from them.
        performances: new performances of the same classes (infinitesimal jackknife).
        subjects: new subjects of the same classes (infinitesimal jackknife).
        deletion: new subjects, by leaving out one at a time; beside the other, never in the headline.
        seeds: training seeds; with one, all of this holds for that trained model only.
        bounds: the least and the greatest possible mean.
    """

    closed: Estimate
    performances: Estimate
    subjects: Estimate
    deletion: Estimate
    seeds: int
    bounds: tuple[float, float] = SHARE

    def headline(self, level: float = 0.95) -> Estimate:
        """The wider of the two open estimates at this level; not available where neither is."""
        return wider((self.performances, self.subjects), level)

    def interval(self, level: float = 0.95) -> Interval:
        """Of the headline."""
        return self.headline(level).interval(level, self.bounds)

    @property
    def p_value(self) -> float:
        """Two-sided, of the mean being 0: the larger of the open estimates', so that it agrees with the headline."""
        known = [found.p_value for found in (self.performances, self.subjects) if found.available]
        return max(known, default=math.nan)


def analyse(
    correct: np.ndarray,
    identities: Identities,
    inductive: bool = True,
    bounds: tuple[float, float] = SHARE,
) -> Analysis:
    """All intervals of one method, or of the differences of two.

    Args:
        correct: (K, B, Q) whether each query was answered rightly by each training seed; episodes that were not scored
            are left out beforehand, here and in ``identities``.
        inductive: as for :func:`harness.statistics.jackknife.by_subject`.
    """
    average = correct.mean(axis=0)
    seeds = partial(over_seeds, correct.mean(axis=(1, 2)))
    return Analysis(
        closed=seeds(closed_estimate(average.mean(axis=1))),
        performances=seeds(by_performance(average, identities)),
        subjects=seeds(by_subject(average, identities, inductive)),
        deletion=seeds(by_deletion(average, identities.subjects)),
        seeds=len(correct),
        bounds=bounds,
    )
