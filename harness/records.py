"""Records: what was trained, how, and what it scored. The only thing that reports are made from.

A *training record* holds settings, digests, provenance and the selection trace; an *evaluation record* refers to it
and holds the figures of one suite, with the predictions beside it; a *pre-training record* holds what several
trainings may start from, with a picture beside it; a *search record* holds the learning rates that were
tried before a row was trained, and what came of each. Whatever differs from one run to the next on the
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

SCHEMA = 2  # of the records that are written and read


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[2] = 2
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
    learning_rate: float | None  # None: nothing was trained
    search: str | None  # id of the search record that the rate comes from; None: it was given
    tried: list[tuple[float, float | None]]  # (learning rate, best validation accuracy; None: diverged), as searched
    external_data: tuple[str, ...]  # weight files from elsewhere: name and SHA-256
    pretraining: str | None = None  # id of the pre-training record that the row starts from
    initialisation: str = "scratch"  # what it starts from: scratch, longer, the method that was pre-trained, or a file
    encoder: Literal["default", "transformer"] = "default"  # which shared encoders
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


class PretrainingRecord(_Record):
    """One network trained on single clips without labels; rows that start from it name it.

    ``volatile`` holds date, seconds, clips_per_second, waited_for_data (seconds), resumed and peak_memory_bytes.
    """

    kind: Literal["pretraining"] = "pretraining"
    method: str  # the method whose network it is
    method_source: str
    modalities: tuple[str, ...]
    network: dict[str, Any]  # what the network says of itself
    seed: int
    digest: str  # of all that decides its result, but for the seed
    protocol: dict[str, Any]
    classes: tuple[str, ...]  # whose clips it saw, without their labels
    clips: int  # different ones
    clips_seen: int  # passes of clips in all steps
    steps: int
    parameters: int
    losses: list[tuple[int, dict[str, float]]]  # (step, mean of each term since the step before)
    state: str  # digest of the trained network
    picture: str | None  # file beside the record: what was hidden, and what the network makes of it
    data: dict[str, Any]
    provenance: dict[str, Any]


class Trial(BaseModel):
    """One learning rate of a search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_rate: float
    accuracy: float | None  # the best on validation; None: it diverged
    best_step: int | None
    trace: list[tuple[int, float]]  # (step, validation accuracy)
    failure: str | None  # why it diverged


class SearchRecord(_Record):
    """Learning rates tried for a row, one after the other; it grows until all candidates are in it."""

    kind: Literal["search"] = "search"
    method: str
    method_source: str
    modalities: tuple[str, ...]
    regime: str
    method_settings: dict[str, Any]
    seed: int
    training_digest: str
    candidates: tuple[float, ...]
    trials: list[Trial]
    provenance: dict[str, Any]

    @property
    def best(self) -> Trial | None:
        """The trial with the highest validation accuracy, ties to the earlier; None where all diverged."""
        return max(
            (trial for trial in self.trials if trial.accuracy is not None),
            key=lambda trial: trial.accuracy or 0.0,
            default=None,
        )


Record = TypeVar("Record", TrainingRecord, EvaluationRecord, SkippedRecord, SearchRecord, PretrainingRecord)


class RecordFolder:
    """Records below one folder: ``training/``, ``evaluation/``, ``skipped/``, ``search/``, ``pretraining/`` and
    ``predictions/``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, record_type: type[BaseModel], identity: str) -> Path:
        return self.folder / str(record_type.model_fields["kind"].default) / f"{identity}.json"

    def write(
        self, record: TrainingRecord | EvaluationRecord | SkippedRecord | SearchRecord | PretrainingRecord
    ) -> Path:
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
        HarnessError: broken, edited by hand or written by another version; the file and the field are named.
    """
    content = path.read_bytes()
    try:
        return record_type.model_validate_json(content)
    except ValidationError as error:
        version = _version(content)
        if version is not None and version != SCHEMA:
            age = "an older" if version < SCHEMA else "a newer"
            raise HarnessError(
                f"schema_version: {version}, written by {age} version; this one reads {SCHEMA}.",
                where=path,
                remedy="Delete the record and run its row again, or read it with the version that wrote it.",
            ) from error
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise HarnessError(
            f"{field}: {first['msg']}.", where=path, remedy="Delete the record and run its row again."
        ) from error


def _version(content: bytes) -> int | None:
    """The schema version that a record states, where it states one."""
    try:
        version = json.loads(content)["schema_version"]
    except (ValueError, TypeError, KeyError):
        return None
    return version if isinstance(version, int) else None


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
