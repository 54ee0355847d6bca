"""A folder of records: written atomically, validated when read."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from harness.errors import HarnessError
from harness.records.episodes import Episodes
from harness.records.schema import (
    READABLE,
    EvaluationRecord,
    PretrainingRecord,
    SearchRecord,
    SkippedRecord,
    SuiteRecord,
    TrainingRecord,
)

AnyRecord = TrainingRecord | EvaluationRecord | SkippedRecord | SearchRecord | PretrainingRecord | SuiteRecord
Record = TypeVar(
    "Record", TrainingRecord, EvaluationRecord, SkippedRecord, SearchRecord, PretrainingRecord, SuiteRecord
)


class RecordFolder:
    """Records below one folder: ``training/``, ``evaluation/``, ``suite/``, ``skipped/``, ``search/``, ``pretraining/``
    and ``predictions/``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, record_type: type[BaseModel], identity: str) -> Path:
        return self.folder / str(record_type.model_fields["kind"].default) / f"{identity}.json"

    def write(self, record: AnyRecord) -> Path:
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

        The labels stand beside the predictions so that a file of predictions can be understood alone.
        """
        return self._write_arrays(self.folder / "predictions" / f"{identity}.npz", predicted=predicted, label=label)

    def write_episodes(self, identity: str, episodes: Episodes) -> tuple[str, str]:
        """Write the episodes of a suite beside its record; returns the file name and its SHA-256."""
        return self._write_arrays(self.path(SuiteRecord, identity).with_suffix(".npz"), **episodes.arrays())

    def _write_arrays(self, path: Path, **arrays: np.ndarray) -> tuple[str, str]:
        content = _packed(arrays)
        _write_atomically(path, content)
        return path.name, hashlib.sha256(content).hexdigest()

    def read_predictions(self, record: EvaluationRecord) -> tuple[np.ndarray, np.ndarray]:
        """Predicted and true positions of an evaluation, both (N, Q) int8; predictions are -1 where not scored.

        Raises:
            HarnessError: missing, not those that the record was written with, or without labels.
        """
        path = self.folder / "predictions" / record.predictions
        remedy = "Run the evaluation again with --force."
        arrays = _read_arrays(path, record.predictions_digest, "predictions", remedy)
        if not {"predicted", "label"} <= set(arrays):
            raise HarnessError(
                "predictions have no labels beside them (written by an older version).", where=path, remedy=remedy
            )
        return arrays["predicted"], arrays["label"]

    def read_episodes(self, record: SuiteRecord) -> Episodes:
        """Raises HarnessError where they are missing or not those that the record was written with."""
        path = self.path(SuiteRecord, record.id).parent / record.episodes
        remedy = "Delete the record of the suite and start `oneshot run` again: it writes it anew."
        arrays = _read_arrays(path, record.episodes_digest, "episodes", remedy)
        try:
            return Episodes.of_arrays(arrays)
        except KeyError as missing:
            raise HarnessError(f"no array {missing}.", where=path, remedy=remedy) from missing

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
        if version is not None and version not in READABLE:
            age = "an older" if version < READABLE[0] else "a newer"
            known = " and ".join(map(str, READABLE))
            raise HarnessError(
                f"schema_version: {version}, written by {age} version; this one reads {known}.",
                where=path,
                remedy="Delete the record and run its row again, or read it with the version that wrote it.",
            ) from error
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise HarnessError(
            f"{field}: {first['msg']}.", where=path, remedy="Delete the record and run its row again."
        ) from error


def _read_arrays(path: Path, digest: str, what: str, remedy: str) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise HarnessError(f"{what} are missing.", where=path, remedy=remedy)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise HarnessError(f"{what} do not match their record.", where=path, remedy=remedy)
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _packed(arrays: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


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
