"""The release's own preparation of inputs, quirks included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.methods.mu_mae.released_inputs import frame_bounds, frame_indices, scaled_sensor, sensor_rows

VECTORS = Path(__file__).parents[2] / "parity" / "vectors" / "mu_mae_finetune.npz"


def test_a_constant_axis_and_a_single_row_become_nan() -> None:
    recording = np.stack([np.arange(20.0), np.full(20, 9.81), -np.arange(20.0)], axis=1)
    scaled = scaled_sensor(recording)
    assert scaled.shape == (128, 3)
    assert np.isnan(scaled).all(axis=0).tolist() == [False, True, False]
    assert not np.isnan(scaled[:, [0, 2]]).any()
    assert np.isnan(scaled_sensor(recording[:1])).all()


def test_a_short_recording_repeats_rows_in_place() -> None:
    rows = sensor_rows(7, 128)
    assert (rows[0], rows[-1]) == (0, 6)
    assert bool((np.diff(rows) >= 0).all())


def test_bounds_of_the_draws_are_those_of_the_original_code() -> None:
    with np.load(VECTORS) as file:
        cases = file["frame_sampling.cases"].astype(int)
    for frames, wanted, begin, end, *bounds in cases:
        first, last = frame_bounds(frames, wanted)
        if frames > wanted:
            assert [*first, *last] == bounds
        assert first[0] <= begin <= first[1]
        assert last[0] <= end <= last[1]


def test_frames_are_spread_from_the_first_to_the_last() -> None:
    assert frame_indices(3, 17, 8).tolist() == [3, 5, 7, 9, 11, 13, 15, 17]
    assert frame_indices(0, 7, 8).tolist() == list(range(8))
    with pytest.raises(ValueError, match="shorter"):
        frame_bounds(7, 8)
