"""A mean with what is known of its error, and the interval that follows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

SHARE = (0.0, 1.0)
DIFFERENCE = (-1.0, 1.0)


@dataclass(frozen=True)
class Interval:
    """A mean with its standard error and a two-sided interval, as shares; bounds are clipped to what is possible."""

    mean: float
    standard_error: float
    low: float
    high: float
    degrees_of_freedom: float


@dataclass(frozen=True)
class Estimate:
    """A mean whose error follows a t distribution. Where no error can be given it is NaN, and ``note`` says why.

    Attributes:
        mean, standard_error: shares, or differences of shares.
        note: what a reader must know, in words; empty where there is nothing.
    """

    mean: float
    standard_error: float
    degrees_of_freedom: float
    note: str = ""

    @property
    def available(self) -> bool:
        return math.isfinite(self.standard_error)

    def half_width(self, level: float) -> float:
        """Half the two-sided interval, before any clipping; 0 where the error is 0."""
        if self.standard_error == 0:
            return 0.0
        return float(stdtrit(self.degrees_of_freedom, 0.5 + level / 2)) * self.standard_error

    def interval(self, level: float = 0.95, bounds: tuple[float, float] = SHARE) -> Interval:
        if not self.available:
            return Interval(self.mean, math.nan, math.nan, math.nan, self.degrees_of_freedom)
        half = self.half_width(level)
        low, high = max(bounds[0], self.mean - half), min(bounds[1], self.mean + half)
        return Interval(self.mean, self.standard_error, low, high, self.degrees_of_freedom)

    @property
    def p_value(self) -> float:
        """Two-sided, of the mean being 0: below 1 - level exactly where the interval excludes 0."""
        if not self.available:
            return math.nan
        if self.standard_error == 0:
            return float(self.mean == 0)
        return 2 * float(stdtr(self.degrees_of_freedom, -abs(self.mean) / self.standard_error))


def unavailable(mean: float, reason: str) -> Estimate:
    return Estimate(mean, math.nan, 0.0, f"not available: {reason}")


def mean_of(values: np.ndarray) -> float:
    """The mean of any array; NaN of an empty one."""
    return float(values.mean()) if values.size else math.nan


def wider(estimates: Iterable[Estimate], level: float) -> Estimate:
    """Of estimates of one mean, the one with the widest interval at this level; the first of equals."""
    known = list(estimates)
    found = [estimate for estimate in known if estimate.available]
    return max(found, key=lambda estimate: estimate.half_width(level)) if found else known[0]
