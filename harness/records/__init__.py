"""Records: what was trained, how, and what it scored. The only thing that reports are made from."""

from mmact_oneshot.harness.records.episodes import Episodes
from mmact_oneshot.harness.records.folder import RecordFolder
from mmact_oneshot.harness.records.parts import PARTS, Ablation, Calibration, Operations, Trial
from mmact_oneshot.harness.records.reading import read_record
from mmact_oneshot.harness.records.schema import (
    SCHEMA,
    EvaluationRecord,
    PretrainingRecord,
    SearchRecord,
    SkippedRecord,
    StudyRecord,
    StudyRow,
    SuiteRecord,
    TrainingRecord,
)

__all__ = [
    "PARTS",
    "SCHEMA",
    "Ablation",
    "Calibration",
    "Episodes",
    "EvaluationRecord",
    "PretrainingRecord",
    "Operations",
    "RecordFolder",
    "SearchRecord",
    "SkippedRecord",
    "StudyRecord",
    "StudyRow",
    "SuiteRecord",
    "TrainingRecord",
    "Trial",
    "read_record",
]
