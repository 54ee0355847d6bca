"""Records: what was trained, how, and what it scored. The only thing that reports are made from."""

from harness.records.episodes import Episodes
from harness.records.folder import RecordFolder
from harness.records.parts import PARTS, Calibration, Cost, Removed, Trial
from harness.records.reading import read_record
from harness.records.schema import (
    SCHEMA,
    EvaluationRecord,
    PretrainingRecord,
    SearchRecord,
    SkippedRecord,
    SuiteRecord,
    TrainingRecord,
)

__all__ = [
    "PARTS",
    "SCHEMA",
    "Calibration",
    "Cost",
    "Episodes",
    "EvaluationRecord",
    "PretrainingRecord",
    "RecordFolder",
    "Removed",
    "SearchRecord",
    "SkippedRecord",
    "SuiteRecord",
    "TrainingRecord",
    "Trial",
    "read_record",
]
