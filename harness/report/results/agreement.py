"""Whether an evaluation record says what its predictions and its episodes give: a figure edited by hand is found."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mmact_oneshot.harness.records import Episodes, EvaluationRecord, SuiteRecord

CLOSE = 1e-9


def disagreements(
    record: EvaluationRecord, predicted: np.ndarray, label: np.ndarray, suite: SuiteRecord, episodes: Episodes
) -> Iterator[str]:
    """What is wrong, field by field: ``accuracy: the record says 0.9, its predictions give 0.5``.

    Args:
        predicted, label: (N, Q) as recorded beside it; -1 where not scored.
    """
    shape = (record.episodes, record.queries_per_episode)
    if predicted.shape != shape or label.shape != shape:
        yield f"predictions: {predicted.shape} with labels {label.shape}, but the record says {shape}"
        return
    done = np.asarray((predicted >= 0).all(axis=1))
    correct = (predicted == label)[done]
    figures: dict[str, tuple[float, float]] = {"scored": (record.scored, len(correct))}
    if len(correct):
        figures["accuracy"] = (record.accuracy, float(correct.mean(axis=1).mean()))
    for ablation in record.ablations:
        figures[f"ablations.{ablation.without}.complete"] = (
            ablation.complete,
            float(correct[: ablation.episodes].mean()) if len(correct) else float("nan"),
        )
    if record.calibration is not None:
        figures["calibration.queries"] = (sum(record.calibration.queries), correct.size)
        figures["calibration.correct"] = (sum(record.calibration.correct), int(correct.sum()))
    for field, (stated, found) in figures.items():
        if abs(stated - found) > CLOSE or math.isnan(stated) != math.isnan(found):
            yield f"{field}: the record says {stated:g}, its predictions give {found:g}"
    yield from _of_suite(record, predicted, label, done, suite, episodes)


def _of_suite(
    record: EvaluationRecord,
    predicted: np.ndarray,
    label: np.ndarray,
    done: np.ndarray,
    suite: SuiteRecord,
    episodes: Episodes,
) -> Iterator[str]:
    for field in ("suite", "suite_digest", "classes"):
        if getattr(record, field) != getattr(suite, field):
            yield f"{field}: not that of the suite's record {suite.id!r}"
    if (record.way, record.shot) != episodes.support.shape[1:]:
        way, shot = episodes.support.shape[1:]
        yield f"way, shot: {record.way}, {record.shot}, but the episodes of {suite.id!r} have {way}, {shot}"
        return
    if not np.array_equal(episodes.label, label):
        yield f"predictions: their labels are not those of the episodes of {suite.id!r}"
        return
    first = np.arange(len(label))[:, None] * record.way
    drawn, count = episodes.drawn.ravel(), len(record.classes)
    scored = slice(None) if done.all() else done
    true, answered = drawn[(first + label)[scored]], drawn[(first + predicted)[scored]]
    confusion = np.bincount((true * count + answered).ravel(), minlength=count * count).reshape(count, count)
    if not np.array_equal(confusion, np.asarray(record.confusion)):
        yield "confusion: not what the predictions give"
    asked = confusion.sum(axis=1)
    shares = [int(right) / int(all_) if all_ else None for right, all_ in zip(confusion.diagonal(), asked, strict=True)]
    for place, (stated, found) in enumerate(zip(record.per_class, shares, strict=True)):
        if (stated is None) != (found is None) or abs((stated or 0) - (found or 0)) > CLOSE:
            yield f"per_class.{place}: not what the predictions give"
