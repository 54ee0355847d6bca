"""Score a trained method once on a fixed suite and write what came out."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np

from harness.api import FewShotMethod
from harness.device import Device
from harness.evaluation.features import FeatureTable
from harness.evaluation.metrics import measure
from harness.evaluation.score import score_suite
from harness.protocol import evaluation_digest
from harness.provenance import provenance
from harness.records import EvaluationRecord, RecordFolder
from harness.statistics import episode_interval
from harness.task import Task


def evaluate_suite(
    method: FewShotMethod,
    embedded: FeatureTable,
    task: Task,
    suite_name: str,
    training_id: str,
    records: RecordFolder,
    device: Device,
    costs: dict[str, float],
) -> EvaluationRecord:
    """Predictions, record and an entry in the log of test accesses.

    Args:
        embedded: features of every usable clip of the suite, through the head's ``embed``.
        costs: seconds spent on encoding and embedding, for the record.
    """
    suite = task.suite(suite_name)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    records.log_test_access({"suite": suite_name, "suite_digest": suite.digest, "training": training_id, "date": now})
    started = time.perf_counter()
    predicted = score_suite(method, embedded, suite, task.rows(suite.clips), device)
    seconds = time.perf_counter() - started
    metrics = measure(predicted, suite.draws, len(suite.classes))
    interval = episode_interval(metrics.episode_accuracy)
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
        provenance=provenance(device.describe()),
        volatile={
            "date": now,
            "seconds": {**costs, "score": round(seconds, 4)},
            "episodes_per_second": round(metrics.scored / seconds) if seconds else None,
        },
    )
    records.write(record)
    return record
