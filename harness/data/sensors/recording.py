"""The rows of one sensor file, in order of time and in SI units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmact_oneshot.harness.data.clips import Defect, SensorSpec
from mmact_oneshot.harness.data.defects import defect

LONGEST_GAP = 0.1  # seconds
LONGEST_GAP_PERIODS = 2.5  # of the nominal rate: a slow sensor is not all gap

LARGEST = 1e30  # a greater number is no measurement


@dataclass(frozen=True)
class SensorRecording:
    """What one sensor measured.

    Attributes:
        seconds: (n,) float64, strictly increasing.
        values: (n, 3) float32, SI units, finite.
        start: when ``seconds`` was 0, in seconds since 1970 on the clock of the file; None without a clock.
        rate_hz: the nominal rate.
        defects: what was wrong with the file. n is 0 where nothing of it could be used.
    """

    seconds: NDArray[np.float64]
    values: NDArray[np.float32]
    start: float | None
    rate_hz: float
    defects: tuple[Defect, ...] = ()

    @property
    def present(self) -> bool:
        return len(self.seconds) > 0


def longest_gap(rate_hz: float, wanted: float = LONGEST_GAP) -> float:
    """Seconds between two rows above which the time between them counts as not measured."""
    return max(wanted, LONGEST_GAP_PERIODS / rate_hz)


def nothing(sensor: SensorSpec, *defects: Defect) -> SensorRecording:
    """The recording of a file of which nothing can be used."""
    return SensorRecording(np.empty(0), np.empty((0, 3), np.float32), None, sensor.rate_hz, defects)


def shape_defects(
    path: str,
    sensor: SensorSpec,
    seconds: NDArray[np.float64],
    values: NDArray[np.floating],
    rows: NDArray[np.int64] | None = None,
) -> list[Defect]:
    """Gaps and constant columns of rows that are in order; ``rows`` (n,) are their lines in a text file."""
    defects = []
    steps = np.diff(seconds)
    gaps = np.flatnonzero(steps > longest_gap(sensor.rate_hz) + 1e-6)
    if len(gaps):
        detail = f"{len(gaps)} gaps, the longest {steps.max():.2f} s, after {seconds[gaps[0]]:.2f} s"
        defects.append(defect("time-gap", path, detail, None if rows is None else int(rows[gaps[0] + 1])))
    if len(values) > 1:
        for axis, low, high in zip("xyz", values.min(0), values.max(0), strict=True):
            if low == high:
                defects.append(defect("constant-column", path, f"{axis} is {low:g} in all {len(values)} rows"))
    return defects
