"""Score a trained method once on a fixed suite and write what came out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from harness.api import FewShotMethod
from harness.data.task.clip_source import ClipSource
from harness.data.task.task import Task
from harness.evaluation.ablation import wanted_without, without
from harness.evaluation.features import FeatureTable
from harness.evaluation.metrics import calibrate, measure
from harness.evaluation.operations import count_cost
from harness.evaluation.scoring import answer_suite
from harness.records import EvaluationRecord, RecordFolder
from harness.report.statistics import episode_interval
from harness.runtime.device import Device, peak_memory
from harness.runtime.provenance import provenance
from harness.training.conditions import evaluation_digest


@dataclass(frozen=True)
class Tested:
    """A trained method, ready for any suite.

    Attributes:
        training: id of its training record.
        source: of its clips.
        encoded: features of every usable clip of the novel classes, as from the encoders, with a modality or a sensor
            removed; by name.
        embedded: features of every usable clip, through the head's ``embed``.
        costs: seconds spent on encoding and embedding, for the record.
    """

    method: FewShotMethod
    training: str
    source: ClipSource
    encoded: Callable[[str], FeatureTable]
    embedded: FeatureTable
    costs: dict[str, float]


def evaluate_suite(
    tested: Tested, task: Task, suite_name: str, records: RecordFolder, device: Device
) -> EvaluationRecord:
    """An entry in the log of test accesses, before anything is scored; then predictions and record."""
    suite, method, training_id = task.suite(suite_name), tested.method, tested.training
    now = datetime.now(UTC).isoformat(timespec="seconds")
    records.log_test_access({"suite": suite_name, "suite_digest": suite.digest, "training": training_id, "date": now})
    rows = task.rows(suite.clips)
    started = time.perf_counter()
    answers = answer_suite(method, tested.embedded, suite, rows, device)
    seconds = time.perf_counter() - started
    predicted = answers.predicted
    metrics = measure(predicted, suite.draws, len(suite.classes))
    interval = episode_interval(metrics.episode_accuracy)
    names = wanted_without(suite_name, task.settings, tested.source.modalities, tuple(task.store.sensors))
    most = task.settings.removed_episodes
    robustness = without(method, tested.encoded, names, suite, rows, device, answers, most)
    identity = f"{training_id}.{suite_name}"
    file, file_digest = records.write_predictions(identity, predicted, suite.draws.label)
    record = EvaluationRecord(
        id=identity,
        training=training_id,
        suite=suite_name,
        suite_digest=suite.digest,
        evaluation_digest=evaluation_digest(task.data_digest, task.split.digest, suite.digest),
        way=suite.spec.way,
        shot=suite.spec.shot,
        episodes=suite.spec.episodes,
        scored=metrics.scored,
        queries_per_episode=suite.spec.queries_per_episode,
        accuracy=interval.mean,
        standard_error=interval.standard_error,
        interval=(interval.low, interval.high),
        classes=suite.classes,
        per_class=tuple(None if np.isnan(value) else float(value) for value in metrics.per_class),
        confusion=tuple(tuple(int(value) for value in row) for row in metrics.confusion),
        predictions=file,
        predictions_digest=file_digest,
        calibration=calibrate(predicted, answers.confidence, suite.draws.label),
        robustness=robustness,
        cost=count_cost(method, tested.source, tested.embedded, suite, rows, device),
        provenance=provenance(device.describe()),
        volatile={
            "date": now,
            "seconds": {**tested.costs, "score": round(seconds, 4)},
            "peak_memory_bytes": peak_memory(device),
            "episodes_per_second": round(metrics.scored / seconds) if seconds else None,
        },
    )
    records.write(record)
    return record
