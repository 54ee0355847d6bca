"""Score a trained method once on a fixed suite and write what came out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.evaluation.ablation import Ablations, wanted_ablations
from mmact_oneshot.harness.evaluation.alone import Fresh, require_alone
from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.evaluation.metrics import calibrate, measure
from mmact_oneshot.harness.evaluation.operations import count_operations
from mmact_oneshot.harness.evaluation.scoring import answer_suite
from mmact_oneshot.harness.evaluation.suite_record import tested_digest
from mmact_oneshot.harness.records import EvaluationRecord, Operations, RecordFolder
from mmact_oneshot.harness.runtime.device import Device, peak_memory
from mmact_oneshot.harness.runtime.provenance import provenance


@dataclass(frozen=True)
class TrainedMethod:
    """A trained method, ready for any suite.

    Attributes:
        training: id of its training record.
        source: of its clips.
        encoded_without: features of every usable clip of the novel classes, as from the encoders, with a modality or a
            sensor left out; by name.
        embedded: features of every usable clip, through the head's ``embed``.
        fresh: a copy of the method from before that.
        encoding_seconds: spent on the features, before ``embed``.
        operations: counted so far, by way, shot and queries of the episodes.
    """

    method: FewShotMethod
    training: str
    source: ClipSource
    encoded_without: Callable[[str], FeatureTable]
    embedded: FeatureTable
    fresh: Fresh
    encoding_seconds: float
    operations: dict[tuple[int, ...], Operations] = field(default_factory=dict)


def evaluate_suite(
    trained: TrainedMethod, task: Task, suite_name: str, records: RecordFolder, device: Device
) -> EvaluationRecord:
    """An entry in the log of test accesses, before anything is scored; then predictions and record."""
    suite, method, settings = task.suite(suite_name), trained.method, task.settings
    now = datetime.now(UTC).isoformat(timespec="seconds")
    records.log_test_access(
        {"suite": suite_name, "suite_digest": suite.digest, "training": trained.training, "date": now}
    )
    rows = task.rows(suite.clips)
    started = time.perf_counter()
    answers = answer_suite(method, trained.embedded, suite, rows, device)
    seconds = time.perf_counter() - started  # of scoring; the check is no part of it
    require_alone(method, trained.embedded, trained.fresh, suite, rows, device, answers)
    metrics = measure(answers.predicted, suite.draws, len(suite.classes))
    left_out = wanted_ablations(suite_name, settings, trained.source.modalities, tuple(task.store.sensors))
    ablations = Ablations(left_out, settings.ablation_episodes).run(
        method, trained.encoded_without, suite, rows, device, answers
    )
    tested = tested_digest(task, suite_name)
    identity = EvaluationRecord.identity(trained.training, suite_name, tested)
    file, file_digest = records.write_predictions(identity, answers.predicted, suite.draws.label)
    record = EvaluationRecord(
        id=identity,
        training=trained.training,
        suite=suite_name,
        suite_digest=suite.digest,
        evaluation_digest=tested,
        way=suite.spec.way,
        shot=suite.spec.shot,
        episodes=suite.spec.episodes,
        scored=metrics.scored,
        queries_per_episode=suite.spec.queries_per_episode,
        accuracy=metrics.accuracy,
        classes=suite.classes,
        per_class=tuple(None if np.isnan(value) else float(value) for value in metrics.per_class),
        confusion=tuple(tuple(int(value) for value in row) for row in metrics.confusion),
        predictions=file,
        predictions_digest=file_digest,
        calibration=calibrate(answers.predicted, answers.confidence, suite.draws.label),
        ablations=ablations,
        operations=_operations(trained, suite, rows, device),
        provenance=provenance(device.describe()),
        volatile={
            "date": now,
            "seconds": {
                "encode": round(trained.encoding_seconds, 3),
                "embed": round(trained.embedded.seconds, 3),
                "score": round(seconds, 4),
            },
            "peak_memory_bytes": peak_memory(device),
            "episodes_per_second": round(metrics.scored / seconds) if seconds else None,
        },
    )
    records.write(record)
    return record


def _operations(trained: TrainedMethod, suite: Suite, rows: np.ndarray, device: Device) -> Operations:
    """Counted once for all suites whose episodes have the same shape."""
    shape = (suite.spec.way, suite.spec.shot, suite.spec.queries_per_episode)
    if shape not in trained.operations:
        counted = count_operations(trained.method, trained.source, trained.embedded, suite, rows, device)
        trained.operations[shape] = counted
    return trained.operations[shape]
