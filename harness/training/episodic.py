"""Train one method on a task: training episodes, the validation suite, and progress around the loop."""

from __future__ import annotations

import numpy as np

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.config.protocols import Protocol
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.placement import placed
from mmact_oneshot.harness.evaluation.features import FeatureTable, embed_clips, encode_clips
from mmact_oneshot.harness.evaluation.metrics import measure
from mmact_oneshot.harness.evaluation.scoring import answer_suite
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.progress import Watcher
from mmact_oneshot.harness.training.loop import Source, Trained, TrainingEpisodes, train
from mmact_oneshot.harness.training.workspace import TrainingContext


def train_on_task(
    method: FewShotMethod, task: Task, budget: Budget, protocol: Protocol, source: Source, context: TrainingContext
) -> Trained:
    """Train ``method`` and leave it, on the device, at the state that the protocol selects.

    Args:
        source: clips, or features of frozen encoders, of all training and validation classes.

    Raises:
        DivergedError: a loss or a score is not finite.
    """
    placed(method, context.device.torch)
    if isinstance(source, FeatureTable):
        source = source.held_near(context.device)
    sampler, rows = task.training_sampler(context.seed, budget.queries, protocol.classes)

    def validate() -> float:
        return validation_accuracy(method, task, source, context.device, context.watcher)

    context.watcher.begin(context.title, budget.steps)
    try:
        trained = train(
            method, budget, TrainingEpisodes(sampler, rows, source), context, validate if protocol.validates else None
        )
        kept = "" if trained.accuracy is None else f", validation {trained.accuracy:.1%}"
        context.watcher.advance(budget.steps, note=f"step {trained.best_step} kept{kept}")
        return trained
    finally:
        context.watcher.end()


def validation_accuracy(
    method: FewShotMethod, task: Task, source: Source, device: Device, watcher: Watcher | None = None
) -> float:
    """Mean accuracy on the validation suite."""
    suite = task.suite("val")
    rows = task.rows(suite.clips)
    known = np.unique(rows[rows >= 0])
    method.eval()
    if isinstance(source, FeatureTable):
        encoded = source
    else:
        encoded = encode_clips(method.encode, source, known, device, task.settings.batch, watcher=watcher)
    embedded = embed_clips(method, encoded, device, known).held_near(device)
    predicted = answer_suite(method, embedded, suite, rows, device).predicted
    return measure(predicted, suite.draws, len(suite.classes)).accuracy
