"""All intervals of one mean: for these clips, for new performances and for new subjects, and the headline."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmact_oneshot.harness.report.statistics.interval import SHARE, Estimate, Interval, wider


@dataclass(frozen=True)
class Analysis:
    """One mean, with its error under every estimand. None of them speaks for new classes.

    Attributes:
        clips: these clips, all episodes that could be drawn from them (Monte Carlo error).
        performances: new performances of the same classes (infinitesimal jackknife).
        subjects: new subjects of the same classes (infinitesimal jackknife).
        deletion: new subjects, by leaving out one at a time; beside the other, never in the headline.
        seeds: training seeds; with one, all of this holds for that trained model only.
        bounds: the least and the greatest possible mean.
    """

    clips: Estimate
    performances: Estimate
    subjects: Estimate
    deletion: Estimate
    seeds: int
    bounds: tuple[float, float] = SHARE

    def headline(self, level: float = 0.95) -> Estimate:
        """The wider of the estimates for performances and for subjects; not available where neither is.

        Where seeds decide, the larger of the errors has more degrees of freedom (Satterthwaite), and its interval can
        come out narrower than that for these clips.
        """
        return wider((self.performances, self.subjects), level)

    def interval(self, level: float = 0.95) -> Interval:
        """Of the headline."""
        return self.headline(level).interval(level, self.bounds)

    @property
    def p_value(self) -> float:
        """Two-sided, of the mean being 0: the larger of the two, so that it agrees with the headline."""
        known = [found.p_value for found in (self.performances, self.subjects) if found.available]
        return max(known, default=math.nan)
