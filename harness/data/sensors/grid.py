"""Resampling by time: the rows of a sensor at evenly spaced instants, and a mask of what was measured."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mmact_oneshot.harness.data.sensors.recording import LONGEST_GAP, SensorRecording, longest_gap


def to_grid(
    recording: SensorRecording,
    start: float,
    end: float,
    length: int,
    max_gap: float = LONGEST_GAP,
    angular: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Resample a recording onto ``length`` instants, the centres of as many equal bins of [start, end].

    Where the recording has no more rows within [start, end] than there are bins, the values are interpolated
    linearly at the centres. Where it has more, each is the mean over its bin of the line through the rows, so
    that nothing aliases. Outside the rows the first and the last value are held. Angles are unwrapped before
    and wrapped to [-pi, pi) after.

    Args:
        recording: the rows; without any, the values are 0 and nothing is measured.
        start, end: seconds, on the clock of ``recording.seconds``.
        length: number of instants.
        max_gap: seconds; never less than 2.5 periods of the nominal rate.
        angular: the values are angles in radians.

    Returns:
        values (length, 3), finite, and measured (length,): False at instants outside the recorded range and
        inside gaps longer than ``max_gap``.
    """
    if not recording.present:
        return np.zeros((length, 3), np.float32), np.zeros(length, bool)
    seconds = recording.seconds
    rows = recording.values.astype(np.float64)
    if angular:
        rows = np.unwrap(rows, axis=0)
    edges = start + (end - start) * np.arange(length + 1) / length
    centres = (edges[:-1] + edges[1:]) / 2
    within = int(np.searchsorted(seconds, end, "right") - np.searchsorted(seconds, start, "left"))
    if within > length:
        values = _bin_means(seconds, rows, edges)
    else:
        values = np.stack([np.interp(centres, seconds, column) for column in rows.T], axis=1)
    if angular:
        values = _wrap(values)
    return values.astype(np.float32), _measured(seconds, centres, longest_gap(recording.rate_hz, max_gap))


def _measured(seconds: NDArray[np.float64], instants: NDArray[np.float64], max_gap: float) -> NDArray[np.bool_]:
    """Whether each instant lies on a row or between two that are close enough."""
    slack = 1e-6  # the resolution of the stamps
    after = np.searchsorted(seconds, instants - slack, "left")  # the first row at the instant or later
    before = np.searchsorted(seconds, instants + slack, "right") - 1  # the last row at the instant or earlier
    inside = (before >= 0) & (after < len(seconds))
    last = len(seconds) - 1
    step = seconds[np.minimum(after, last)] - seconds[np.maximum(before, 0)]
    return np.asarray(inside & (step <= max_gap + slack))


def _bin_means(
    seconds: NDArray[np.float64], rows: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean over each bin (L, 3) of the line through the rows, held level on either side of them."""
    # Integrating differences from the first row keeps a constant exactly constant.
    lines = rows - rows[0]
    steps = np.diff(seconds)[:, None]
    areas = np.concatenate([np.zeros((1, 3)), np.cumsum((lines[1:] + lines[:-1]) / 2 * steps, axis=0)])
    clipped = np.clip(edges, seconds[0], seconds[-1])
    left = np.clip(np.searchsorted(seconds, clipped, "right") - 1, 0, len(seconds) - 2)
    into = (clipped - seconds[left])[:, None]
    slope = (lines[left + 1] - lines[left]) / steps[left]
    integral = areas[left] + lines[left] * into + slope * into**2 / 2
    integral += lines[-1] * np.maximum(edges - seconds[-1], 0)[:, None]  # before the first row the line is 0
    means = np.diff(integral, axis=0) / np.diff(edges)[:, None]
    return np.asarray(rows[0] + np.clip(means, lines.min(0), lines.max(0)))


def _wrap(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((angles + math.pi) % (2 * math.pi) - math.pi)
