"""Records written again with other fields, for what `small.add` holds fixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.records import EvaluationRecord, RecordFolder, SuiteRecord, TrainingRecord


def retell(
    folder: Path, kind: type[TrainingRecord] | type[EvaluationRecord], holding: str = "", **changes: Any
) -> None:
    """Change fields of all records of a kind whose id holds some text."""
    records = RecordFolder(folder)
    found = records.all(TrainingRecord) if kind is TrainingRecord else records.all(EvaluationRecord)
    for record in found:
        if holding in record.id:
            records.write(kind.model_validate(record.model_dump() | changes))


def on_other_episodes(folder: Path, evaluation_digest: str, **data: Any) -> None:
    """As if all of a folder had been tested on other episodes, or other recordings, of the suite `test`."""
    records = RecordFolder(folder)
    for record in records.all(EvaluationRecord):
        if record.suite == "test":
            records.write(record.model_copy(update={"evaluation_digest": evaluation_digest}))
    for training in records.all(TrainingRecord):
        records.write(training.model_copy(update={"data": training.data | data}))
    for suite in records.all(SuiteRecord):
        identity = SuiteRecord.identity(suite.suite, evaluation_digest)
        file, digest = records.write_episodes(identity, records.read_episodes(suite))
        told = {"id": identity, "evaluation_digest": evaluation_digest, "episodes": file, "episodes_digest": digest}
        records.write(suite.model_copy(update=told))
        records.remove(SuiteRecord, suite.id)
