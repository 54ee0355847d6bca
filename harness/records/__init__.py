"""Records: what was trained, how, and what it scored. The only thing that reports are made from."""

from harness.records.episodes import Episodes
from harness.records.folder import RecordFolder
from harness.records.parts import PARTS, Ablation, Calibration, Operations, Trial
from harness.records.reading import read_record
from harness.records.schema import (
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
