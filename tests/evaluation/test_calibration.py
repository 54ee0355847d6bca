"""Confidence counted by tenths: boundaries, what is left out, and sums."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from mmact_oneshot.harness.evaluation.metrics import calibrate
from mmact_oneshot.harness.records import Calibration


def calibrated(predicted: object, confidence: object, label: object) -> Calibration:
    return calibrate(np.asarray(predicted, np.int8), np.asarray(confidence, np.float32), np.asarray(label, np.int8))


def test_by_hand() -> None:
    found = calibrated([[0, 1], [2, 2]], [[0.25, 0.875], [0.875, 0.875]], [[0, 0], [2, 2]])
    assert found.queries == (0, 0, 1, 0, 0, 0, 0, 0, 3, 0)
    assert list(found.confidence) == [0, 0, 0.25, 0, 0, 0, 0, 0, 2.625, 0]
    assert found.correct == (0, 0, 1, 0, 0, 0, 0, 0, 2, 0)


def test_a_boundary_belongs_to_the_part_above_and_certainty_to_the_last() -> None:
    exact = [0.0, 0.5, 1.0]  # the boundaries that binary fractions hit
    found = calibrated([[0, 0, 0]], [exact], [[0, 0, 0]])
    assert found.queries == (1, 0, 0, 0, 0, 1, 0, 0, 0, 1)
    below = float(np.nextafter(np.asarray(0.5, np.float32), 0))
    assert calibrated([[0]], [[below]], [[0]]).queries == (0, 0, 0, 0, 1, 0, 0, 0, 0, 0)


def test_every_tenth_is_where_its_value_lies() -> None:
    """A probability in float32 is a little above or below the tenth that it is printed as."""
    tenths = (np.arange(1, 10) / 10).astype(np.float32)
    found = calibrated(np.zeros((1, 9)), tenths[None], np.zeros((1, 9)))
    places = [int(np.floor(float(tenth) * 10)) for tenth in tenths]
    assert found.queries == tuple(np.bincount(places, minlength=10))


def test_what_was_not_scored_is_left_out() -> None:
    found = calibrated([[0, 1], [-1, -1]], [[0.95, 0.95], [np.nan, np.nan]], [[0, 0], [0, 1]])
    assert sum(found.queries) == 2
    assert sum(found.correct) == 1
    assert found.confidence[9] == pytest.approx(1.9)
    nothing = calibrated([[-1]], [[np.nan]], [[0]])
    assert sum(nothing.queries) == sum(nothing.correct) == sum(nothing.confidence) == 0


def test_sums_are_those_of_the_queries() -> None:
    random = np.random.default_rng(0)
    label, predicted = random.integers(0, 5, (2, 300, 5)).astype(np.int8)
    confidence = random.uniform(0.2, 1, (300, 5)).astype(np.float32)
    found = calibrate(predicted, confidence, label)
    assert sum(found.queries) == 1500
    assert sum(found.correct) == (predicted == label).sum()
    assert sum(found.confidence) == pytest.approx(confidence.astype(np.float64).sum(), abs=1e-5)
    assert found.queries[:2] == (0, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": (1,) * 9}, "queries"),
        ({"correct": (2, *(0,) * 9)}, r"correct\.0: 2 of 1 queries"),
        ({"confidence": (0.2, *(0.0,) * 9)}, r"confidence\.0: 0\.2 is not what 1 queries"),
        ({"confidence": (0.05, 0.15, *(0.0,) * 8)}, r"confidence\.1"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    whole = {"queries": (1, *(0,) * 9), "confidence": (0.05, *(0.0,) * 9), "correct": (1, *(0,) * 9)}
    Calibration.model_validate(whole)
    with pytest.raises(ValidationError, match=message):
        Calibration.model_validate(whole | change)
