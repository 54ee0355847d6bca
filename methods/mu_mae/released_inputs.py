"""How the release prepares sensors and picks frames: for comparison with it, not for use.

The harness samples by time stamps, scales by the training set's statistics, and draws nothing at test time.
"""

from __future__ import annotations

import numpy as np


def sensor_rows(length: int, samples: int = 128) -> np.ndarray:
    """(samples,) rows of a recording of ``length`` rows, spread evenly and rounded down; a short one repeats rows."""
    return frame_indices(0, length - 1, samples)


def scaled_sensor(recording: np.ndarray, samples: int = 128) -> np.ndarray:
    """Bring each axis of a recording to 0..1 by its own extremes, then pick rows.

    The scale of the movement is lost, and an axis that is constant (or a recording of one row) becomes NaN.

    Args:
        recording: (L, 3).

    Returns:
        (samples, 3) float32.
    """
    values = np.asarray(recording, np.float64)
    low, high = values.min(axis=0), values.max(axis=0)
    with np.errstate(invalid="ignore"):  # 0 / 0, as released
        scaled = (values - low) / (high - low)
    picked: np.ndarray = scaled[sensor_rows(len(values), samples)].astype(np.float32)
    return picked


def frame_bounds(frames: int, wanted: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Smallest and largest first frame, and smallest and largest last frame, of the draw, at test time too.

    Raises:
        ValueError: fewer frames than wanted (the release drops such clips).
    """
    if frames < wanted:
        raise ValueError(f"a clip of {frames} frames is shorter than the {wanted} wanted.")
    pad = int(min(5, (frames - wanted) / 2))
    return (0, pad), (frames - 1 - pad, frames - 1)


def frame_indices(start: int, end: int, wanted: int) -> np.ndarray:
    """(wanted,) frames from ``start`` to ``end``, spread evenly and rounded down."""
    found: np.ndarray = start + np.arange(wanted) * (end - start) // max(wanted - 1, 1)
    return found
