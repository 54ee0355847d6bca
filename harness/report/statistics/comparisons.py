"""Many comparisons at once: what remains of the differences when all pairs of methods are tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mmact_oneshot.harness.report.statistics.analysis import Analysis
from mmact_oneshot.harness.report.statistics.interval import Interval
from mmact_oneshot.harness.report.statistics.signflips import SignFlips


@dataclass(frozen=True)
class Paired:
    """The mean of A minus that of B. ``analysis.p_value`` is the test; ``signs`` stands beside it."""

    analysis: Analysis
    signs: SignFlips


@dataclass(frozen=True)
class Comparisons:
    """All P = M (M - 1) / 2 pairs of M methods, which are the family.

    Attributes:
        pairs: (i, j) with i < j; differences are the i-th method's mean minus the j-th's.
        paired: one comparison a pair.
        adjusted: (P,) Holm-adjusted p.
        simultaneous: one interval a pair; all of them hold at once.
        best: the highest mean, the first of equals.
        tied: (M,) bool, no significant difference from the best, by adjusted p; true for the best.
        ranks: (M, 2) lowest and highest rank that the simultaneous intervals leave; they, too, hold all at once.
    """

    pairs: tuple[tuple[int, int], ...]
    paired: tuple[Paired, ...]
    adjusted: np.ndarray
    simultaneous: tuple[Interval, ...]
    best: int
    tied: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, means: Sequence[float], paired: Sequence[Paired], level: float = 0.95) -> Comparisons:
        """From the means of all methods and the comparisons of all pairs: (0, 1), (0, 2), .., (1, 2), .."""
        count, best = len(means), int(np.argmax(means))
        pairs = tuple(combinations(range(count), 2))
        adjusted = holm(np.asarray([pair.analysis.p_value for pair in paired], dtype=np.float64))
        each = simultaneous_level(level, len(pairs))
        intervals = tuple(pair.analysis.interval(each) for pair in paired)
        left, found = tied(best, count, pairs, adjusted, level), ranks(count, pairs, intervals)
        return cls(pairs, tuple(paired), adjusted, intervals, best, left, found)


def holm(p_values: np.ndarray) -> np.ndarray:
    """(P,) adjusted p of Holm's step-down (Holm 1979): rejecting below alpha keeps the chance of any false one there.

    A p that is NaN stays so, and counts in the size of the family.
    """
    order = np.argsort(p_values)  # NaN last
    steps = np.arange(len(p_values), 0, -1) * p_values[order]
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def simultaneous_level(level: float, comparisons: int) -> float:
    """The level of each interval at which all of them hold together (Bonferroni)."""
    return 1 - (1 - level) / max(1, comparisons)


def tied(
    best: int, count: int, pairs: Sequence[tuple[int, int]], adjusted: np.ndarray, level: float = 0.95
) -> np.ndarray:
    """(M,) bool: methods that do not differ significantly from the best."""
    found = np.ones(count, dtype=bool)
    for pair, p in zip(pairs, adjusted, strict=True):
        if best in pair and p < 1 - level:
            found[sum(pair) - best] = False
    return found


def ranks(count: int, pairs: Sequence[tuple[int, int]], intervals: Sequence[Interval]) -> np.ndarray:
    """(M, 2) lowest and highest possible rank of every method, 1 the best.

    One more than the methods that are surely better, and all but those that are surely worse: with simultaneous
    intervals the ranks hold all at once (Mogstad, Romano, Shaikh and Wilhelm, Inference for Ranks; arXiv 2401.15205).
    """
    found = np.tile([1, count], (count, 1))
    for (i, j), interval in zip(pairs, intervals, strict=True):
        if interval.low > 0:
            found[j, 0] += 1
            found[i, 1] -= 1
        elif interval.high < 0:
            found[i, 0] += 1
            found[j, 1] -= 1
    return found
