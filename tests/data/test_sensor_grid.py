"""The grid of instants to which a recording is brought: interpolation, averages, gaps and angles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mmact_oneshot.harness.data.sensors.reader import to_grid
from mmact_oneshot.harness.data.sensors.recording import SensorRecording


def recorded(seconds: list[float], column: list[float], rate_hz: float = 100.0) -> SensorRecording:
    values = np.repeat(np.array(column, np.float32)[:, None], 3, axis=1)
    return SensorRecording(np.array(seconds, np.float64), values, 0.0, rate_hz)


def test_few_rows_are_interpolated_in_time_at_the_centres_of_the_bins() -> None:
    # Unevenly spaced rows on the line v = 10 t: interpolation by row number would bend it.
    recording = recorded([0.0, 0.01, 0.05, 0.08], [0.0, 0.1, 0.5, 0.8])
    values, measured = to_grid(recording, 0.0, 0.08, 8)
    assert_allclose(values[:, 0], 10 * (np.arange(8) + 0.5) * 0.01, rtol=1e-6)
    assert measured.all()
    assert (values.shape, values.dtype, measured.dtype) == ((8, 3), np.float32, np.bool_)


def test_many_rows_are_averaged_so_that_nothing_aliases() -> None:
    seconds = np.arange(1001) / 1000
    fast = np.where(np.arange(1001) % 2, 1.0, -1.0)  # at half the rate: any row alone is 1 or -1
    values, measured = to_grid(recorded(seconds.tolist(), fast.tolist(), 1000.0), 0.0, 1.0, 10)
    assert_allclose(values, 0.0, atol=1e-6)
    assert measured.all()
    line, _ = to_grid(recorded(seconds.tolist(), (3 * seconds).tolist(), 1000.0), 0.0, 1.0, 10)
    assert_allclose(line[:, 0], 3 * (np.arange(10) + 0.5) / 10, rtol=1e-5)


def test_uneven_rows_are_averaged_by_time() -> None:
    # 0 for 0.9 s in 3 rows, then 10 for 0.1 s in 11 rows: the mean over time is near 1, over rows near 8.
    recording = recorded([0.0, 0.5, 0.899, *(0.9 + np.arange(11) / 100)], [0.0] * 3 + [10.0] * 11)
    values, _ = to_grid(recording, 0.0, 1.0, 1)
    assert_allclose(values, 1.005, rtol=1e-6)


def test_outside_the_rows_values_are_held_and_not_measured() -> None:
    recording = recorded([0.4, 0.45, 0.5, 0.55], [1, 2, 3, 4])
    values, measured = to_grid(recording, 0.0, 1.0, 10)  # interpolated
    assert_allclose(values[:, 0], [1, 1, 1, 1, 2, 4, 4, 4, 4, 4], rtol=1e-5)
    assert np.flatnonzero(measured).tolist() == [4, 5]
    values, measured = to_grid(recording, 0.0, 1.0, 2)  # averaged
    assert_allclose(values[:, 0], [0.8 * 1 + 0.2 * 2, 0.1 * 3.5 + 0.9 * 4], rtol=1e-5)
    assert not measured.any()


def test_long_gaps_are_bridged_and_masked() -> None:
    recording = recorded([0.0, 0.1, 0.5, 0.6], [0, 1, 5, 6])
    values, measured = to_grid(recording, 0.0, 0.6, 6)
    assert_allclose(values[:, 0], [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], rtol=1e-6)
    assert measured.tolist() == [True, False, False, False, False, True]
    assert to_grid(recording, 0.0, 0.6, 6, max_gap=0.5)[1].all()
    assert to_grid(replace(recording, rate_hz=5.0), 0.0, 0.6, 6)[1].all()  # 2.5 periods are 0.5 s


def test_an_instant_on_a_row_beside_a_gap_is_measured() -> None:
    assert to_grid(recorded([0.0, 1.0, 2.0], [0, 1, 2]), 0.0, 2.0, 1)[1].tolist() == [True]


def test_angles_take_the_short_way_round() -> None:
    recording = recorded([0.0, 0.02, 0.04], np.radians([170.0, -170.0, -150.0]).tolist())
    values, _ = to_grid(recording, 0.0, 0.04, 4, angular=True)
    assert_allclose(np.degrees(values[:, 0]), [175, -175, -165, -155], atol=1e-3)
    level, _ = to_grid(recording, 0.0, 0.04, 4, angular=False)
    assert abs(level[0, 0]) < np.radians(90)  # what would be wrong: through 0


def test_nothing_recorded_is_nothing_measured() -> None:
    values, measured = to_grid(recorded([], []), 0.0, 1.0, 5)
    assert_array_equal(values, np.zeros((5, 3)))
    assert not measured.any()
    values, measured = to_grid(recorded([0.0], [7.0]), 0.0, 0.0, 3)  # a single row
    assert_array_equal(values, np.full((3, 3), 7.0))
    assert measured.all()
    values, measured = to_grid(recorded([0.0], [7.0]), 0.0, 3.0, 3)
    assert_array_equal(values, np.full((3, 3), 7.0))
    assert not measured.any()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1e-6, 3.0), st.floats(-1e6, 1e6, width=32)), min_size=1, max_size=40),
    st.integers(1, 64),
    st.floats(-2.0, 5.0),
    st.floats(0.0, 20.0),
)
def test_the_grid_is_finite_and_within_the_range_of_the_rows(
    rows: list[tuple[float, float]], length: int, start: float, duration: float
) -> None:
    steps, column = zip(*rows, strict=True)
    recording = recorded(np.cumsum(steps).tolist(), list(column))
    values, measured = to_grid(recording, start, start + duration, length)
    assert values.shape == (length, 3)
    assert measured.shape == (length,)
    assert values.min() >= min(column)
    assert values.max() <= max(column)
    angles, _ = to_grid(recording, start, start + duration, length, angular=True)
    assert (np.abs(angles) <= np.float32(np.pi)).all()
