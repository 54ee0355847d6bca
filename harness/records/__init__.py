"""Records: what was trained, how, and what it scored. The only thing that reports are made from."""

from harness.records.episodes import Episodes
from harness.records.folder import RecordFolder, read_record
from harness.records.schema import (
    SCHEMA,
    Calibration,
    Cost,
    EvaluationRecord,
    PretrainingRecord,
    Removed,
    SearchRecord,
    SkippedRecord,
    SuiteRecord,
    TrainingRecord,
    Trial,
)

__all__ = [
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
