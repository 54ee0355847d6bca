"""What validation tells of a training: whether anything was learnt, and whether it had levelled off at the end.

A method that still rises, or never rose, has not been measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmact_oneshot.harness.records import TrainingRecord

STILL_RISING = 0.01
"""Rise from the middle to the last third of the validations, as a share, above which a row counts as still rising."""
FEWEST = 6
"""Validations of a training, below which nothing can be said."""

ABOVE_CHANCE = 0.1
"""Best validation minus chance, as a share, below which a row counts as not learnt."""


def not_learnt(trainings: Iterable[TrainingRecord], chance: float) -> bool:
    """Whether the best validation, mean over trainings, is hardly above chance; False without validations."""
    best = best_validation(trainings)
    return best is not None and best < chance + ABOVE_CHANCE


def best_validation(trainings: Iterable[TrainingRecord]) -> float | None:
    """The best validation, mean over trainings; None without validations."""
    best = [max(share for _, share in training.validations) for training in trainings if training.validations]
    return sum(best) / len(best) if best else None


def rise(trainings: Iterable[TrainingRecord]) -> float | None:
    """Mean accuracy over the last third of the validations minus that over the third before; mean over trainings.

    Returns:
        A share; None where a training has fewer than six validations.
    """
    rises = [rise_of([share for _, share in training.validations]) for training in trainings]
    known = [value for value in rises if value is not None]
    return sum(known) / len(known) if rises and len(known) == len(rises) else None


def still_rising(trainings: Iterable[TrainingRecord]) -> bool:
    """Whether a row is known to have been rising by more than a point."""
    value = rise(trainings)
    return value is not None and value > STILL_RISING


def rise_of(shares: Sequence[float]) -> float | None:
    """Of one training, from its validation accuracies in order."""
    third = len(shares) // 3
    if len(shares) < FEWEST:
        return None
    return (sum(shares[-third:]) - sum(shares[-2 * third : -third])) / third
