"""From values to places on an axis, and the values that an axis names."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """An axis from ``low`` at ``start`` to ``high`` at ``end`` (units of the chart); with ``log`` both are above 0.

    Values beyond the axis are put on its end.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(each) if self.log else each for each in (self.low, self.high, value))
        part = (at - low) / (high - low) if high > low else 0.5
        return self.start + (self.end - self.start) * min(1.0, max(0.0, part))


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most so many round values from ``low`` to ``high``; a multiple of a power of ten by 1, 2, 2.5 or 5 apart.

    >>> ticks(-0.08, 0.13)
    [-0.05, 0.0, 0.05, 0.1]
    """
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    apart = next(step * power for step in STEPS if span / (step * power) <= most - 1 or step == STEPS[-1])
    first, last = math.ceil(low / apart - 1e-9), math.floor(high / apart + 1e-9)
    return [float(f"{number * apart:.6g}") for number in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten around two values above 0: the first at or below, the last at or above, at least two."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def around(values: list[float]) -> tuple[float, float]:
    """The finite values' least and greatest with a little air; 0 to 1 without any."""
    found = np.asarray([value for value in values if math.isfinite(value)])
    if not found.size:
        return 0.0, 1.0
    air = 0.04 * float(np.ptp(found)) or 0.01
    return float(found.min()) - air, float(found.max()) + air
