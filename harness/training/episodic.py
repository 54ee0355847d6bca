"""Train one method on a task: training episodes, validation suite, curves and progress around the loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.api import FewShotMethod
from harness.config.budgets import Budget
from harness.data.task.clip_source import ClipSource
from harness.data.task.task import Task
from harness.evaluation.features import FeatureTable, embed_clips, encode_clips
from harness.evaluation.metrics import measure
from harness.evaluation.scoring import score_suite
from harness.runtime.device import Device
from harness.runtime.progress import Watcher
from harness.training.conditions import HEADLINE_REGIMEN, Regimen
from harness.training.loop import Trained, train

Curves = Callable[[int, dict[str, float]], None]


def fit(
    method: FewShotMethod,
    task: Task,
    budget: Budget,
    regimen: Regimen,
    source: ClipSource | FeatureTable,
    *,
    device: Device,
    seed: int,
    state_file: Path,
    title: str,
    watcher: Watcher,
    curves: Curves,
) -> Trained:
    """Train ``method`` and leave it, on ``device``, at the state that the regimen selects.

    Args:
        source: clips, or features of frozen encoders of all training and validation classes.
    """
    method.to(device.torch)
    sampler, rows = task.training_sampler(seed, budget.queries, regimen.classes)
    validate = (lambda: validation_accuracy(method, task, source, device)) if regimen == HEADLINE_REGIMEN else None
    watcher.begin(title, budget.steps)

    def report(step: int, scalars: dict[str, float]) -> None:
        accuracy = scalars.get("validation accuracy")
        watcher.advance(step, note="" if accuracy is None else f"validation {accuracy:.1%}")
        if scalars:
            curves(step, scalars)

    try:
        return train(
            method, budget, sampler, rows,
            source=source, validate=validate, device=device, seed=seed, state_file=state_file, report=report,
        )  # fmt: skip
    finally:
        watcher.end()


def validation_accuracy(method: FewShotMethod, task: Task, source: ClipSource | FeatureTable, device: Device) -> float:
    """Mean accuracy on the validation suite."""
    suite = task.suite("val")
    rows = task.rows(suite.clips)
    there = np.unique(rows[rows >= 0])
    method.eval()
    if isinstance(source, FeatureTable):
        encoded = source
    else:
        encoded = encode_clips(method.encode, source, there, device, task.settings.batch)
    predicted = score_suite(method, embed_clips(method, encoded, device, there), suite, rows, device)
    return measure(predicted, suite.draws, len(suite.classes)).accuracy
