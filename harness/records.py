"""Records: what was trained, how, and what it scored. The only thing that reports are made from.

A *training record* holds settings, digests, provenance and the selection trace; an *evaluation record* refers to it
and holds the figures of one suite, with the predictions beside it. Whatever differs from one run to the next on the
same machine (times, dates, memory, resume counts) stands in ``volatile``; everything else is reproducible.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import HarnessError


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    id: str
    volatile: dict[str, Any]


class TrainingRecord(_Record):
    """One method trained with one seed (or, where ``trained`` is false, merely built)."""

    kind: Literal["training"] = "training"
    method: str
    method_source: str  # digest of a plugin file, "built-in" otherwise
    modalities: tuple[str, ...]
    regime: Literal["frozen", "tuned", "untrained"]
    regimen: Literal["headline", "paper"]
    transductive: bool
    method_settings: dict[str, Any]
    seed: int
    preset: str
    recipe: str
    settings: dict[str, Any]
    training_digest: str
    training_protocol: dict[str, Any]
    data: dict[str, Any]  # layout, digests, split, completeness, generated
    parameters: dict[str, int]  # total, trained
    encoders: dict[str, dict[str, Any]]  # modality -> initial and trained state, selection
    selection: list[tuple[int, float]]  # (step, validation accuracy)
    best_step: int
    losses: list[tuple[int, dict[str, float]]]
    provenance: dict[str, Any]  # commit, versions, hardware


class EvaluationRecord(_Record):
    """One trained method on one suite. Shares in 0..1."""

    kind: Literal["evaluation"] = "evaluation"
    training: str  # id of the training record
    suite: str
    suite_digest: str
    evaluation_digest: str
    way: int
    shot: int
    episodes: int
    scored: int
    queries_per_episode: int
    accuracy: float
    standard_error: float
    interval: tuple[float, float]
    classes: tuple[str, ...]
    per_class: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    predictions: str  # file beside the record
    predictions_digest: str
    provenance: dict[str, Any]


class SkippedRecord(_Record):
    """A row that a method cannot fill, and why."""

    kind: Literal["skipped"] = "skipped"
    method: str
    modalities: tuple[str, ...]
    regime: str
    reason: str


Record = TypeVar("Record", TrainingRecord, EvaluationRecord, SkippedRecord)


class RecordFolder:
    """Records below one folder: ``training/``, ``evaluation/``, ``skipped/`` and ``predictions/``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, record_type: type[BaseModel], identity: str) -> Path:
        return self.folder / str(record_type.model_fields["kind"].default) / f"{identity}.json"

    def write(self, record: TrainingRecord | EvaluationRecord | SkippedRecord) -> Path:
        """Write a record atomically: it is there complete or not at all."""
        path = self.path(type(record), record.id)
        content = record.model_dump(mode="json")
        _write_atomically(path, (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())
        return path

    def has(self, record_type: type[Record], identity: str) -> bool:
        return self.path(record_type, identity).is_file()

    def read(self, record_type: type[Record], identity: str) -> Record:
        return read_record(self.path(record_type, identity), record_type)

    def all(self, record_type: type[Record]) -> list[Record]:
        """All records of a kind, by file name."""
        folder = self.path(record_type, "any").parent
        return [read_record(path, record_type) for path in sorted(folder.glob("*.json"))]

    def write_predictions(self, identity: str, predicted: np.ndarray, label: np.ndarray) -> tuple[str, str]:
        """Write predictions and true positions, both (N, Q) int8; returns the file name and its SHA-256.

        The labels stand beside the predictions so that reports need records alone, not the data set.
        """
        path = self.folder / "predictions" / f"{identity}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, predicted=predicted, label=label)
        content = temporary.read_bytes()
        temporary.replace(path)
        return path.name, hashlib.sha256(content).hexdigest()

    def read_predictions(self, record: EvaluationRecord) -> tuple[np.ndarray, np.ndarray]:
        """Predicted and true positions of an evaluation, both (N, Q) int8; predictions are -1 where not scored.

        Raises:
            HarnessError: missing, not those that the record was written with, or without labels.
        """
        path = self.folder / "predictions" / record.predictions
        if not path.is_file():
            raise HarnessError("predictions are missing.", where=path, remedy="Run the evaluation again with --force.")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != record.predictions_digest:
            raise HarnessError(
                "predictions do not match their record.",
                where=path,
                remedy="Run the evaluation again with --force.",
            )
        with np.load(io.BytesIO(content)) as arrays:
            if not {"predicted", "label"} <= set(arrays):
                raise HarnessError(
                    "predictions have no labels beside them (written by an older version).",
                    where=path,
                    remedy="Run the evaluation again with --force.",
                )
            return arrays["predicted"], arrays["label"]

    def log_test_access(self, entry: dict[str, Any]) -> None:
        """Append to the log of looks at test suites; nothing ever resets it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "test_access.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, sort_keys=True) + "\n")


def read_record(path: Path, record_type: type[Record]) -> Record:
    """Read and validate a record.

    Raises:
        HarnessError: broken or edited by hand; the file and the field are named.
    """
    try:
        return record_type.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise HarnessError(
            f"{field}: {first['msg']}.", where=path, remedy="Delete the record and run its row again."
        ) from error


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
