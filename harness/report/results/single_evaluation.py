"""One set of predictions measured by itself, before or without any record of it."""

from __future__ import annotations

import numpy as np

from mmact_oneshot.harness.records import Episodes, EvaluationRecord, SuiteRecord, TrainingRecord
from mmact_oneshot.harness.report.results.inference import infer
from mmact_oneshot.harness.report.results.load import Scored, Suite
from mmact_oneshot.harness.report.results.measured import Measured
from mmact_oneshot.harness.report.results.metric import known_metrics


def measured_single(
    training: TrainingRecord,
    evaluation: EvaluationRecord,
    predicted: np.ndarray,
    suite_record: SuiteRecord,
    episodes: Episodes,
) -> Measured:
    """The same figures as of a row of a report, for one seed.

    Args:
        predicted: (N, Q) positions among the support classes; negative where there is no prediction.
    """
    suite = Suite(suite_record, episodes)
    done = np.asarray((predicted >= 0).all(axis=1))
    group = (Scored(training, evaluation, predicted, np.asarray(predicted == episodes.label), done, None),)
    return Measured(suite, group, infer({training.id: group}, suite)[training.id], known_metrics())
