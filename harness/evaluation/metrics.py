"""From predictions to figures: pure functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmact_oneshot.harness.data.episodes.sampling import Draws
from mmact_oneshot.harness.records import PARTS, Calibration
from mmact_oneshot.harness.runtime.digests import digest


def evaluation_digest(data: str, split: str, suite: str) -> str:
    """Digest of what a row was tested on; a suite's digest covers way, shot, queries and every drawn clip."""
    return digest({"data": data, "split": split, "suite": suite})


@dataclass(frozen=True)
class Metrics:
    """Figures of one set of predictions, as shares in 0..1.

    Attributes:
        scored: episodes that were scored.
        episode_accuracy: (scored,) accuracy of every scored episode.
        per_class: (C,) accuracy on queries of every class, NaN for a class that was never asked for.
        confusion: (C, C) int, rows the true class, columns the predicted one.
    """

    scored: int
    episode_accuracy: np.ndarray
    per_class: np.ndarray
    confusion: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(self.episode_accuracy.mean()) if self.scored else float("nan")


def calibrate(predicted: np.ndarray, confidence: np.ndarray, label: np.ndarray) -> Calibration:
    """Queries by confidence, all (N, Q); those that were not scored are left out."""
    scored = predicted >= 0
    sure = confidence[scored].astype(np.float64)
    part = np.minimum((sure * PARTS).astype(np.int64), PARTS - 1)
    right = (predicted == label)[scored]
    return Calibration(
        queries=tuple(np.bincount(part, minlength=PARTS).tolist()),
        confidence=tuple(round(total, 6) for total in np.bincount(part, sure, PARTS).tolist()),
        correct=tuple(np.bincount(part[right], minlength=PARTS).tolist()),
    )


def measure(predicted: np.ndarray, draws: Draws, classes: int) -> Metrics:
    """Compare predictions (N, Q), -1 where not scored, with the labels of the episodes."""
    scored = (predicted >= 0).all(axis=1)
    guess, label = predicted[scored].astype(np.int64), draws.label[scored].astype(np.int64)
    names = draws.classes[scored]
    true = np.take_along_axis(names, label, axis=1)
    confused = np.take_along_axis(names, guess, axis=1)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (true.ravel(), confused.ravel()), 1)
    asked = confusion.sum(axis=1)
    per_class = np.where(asked > 0, confusion.diagonal() / np.maximum(asked, 1), np.nan)
    return Metrics(int(scored.sum()), (guess == label).mean(axis=1), per_class, confusion)
