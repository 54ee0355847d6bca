"""A folder of records: written atomically, validated when read."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from mmact_oneshot.harness.records.access import AccessLog
from mmact_oneshot.harness.records.episodes import Episodes
from mmact_oneshot.harness.records.reading import AGAIN, read_record, sealed
from mmact_oneshot.harness.records.schema import AnyRecord, EvaluationRecord, Record, SuiteRecord
from mmact_oneshot.harness.runtime.atomic import written
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.names import file_name

WRITTEN_ANEW = "Delete the record of the suite and start `oneshot run` again: it writes it anew."


class RecordFolder:
    """Records below one folder: ``study/``, ``training/``, ``evaluation/``, ``suite/``, ``skipped/``, ``search/``,
    ``pretraining/`` and ``predictions/``, and the log of test accesses, ``test_access.jsonl``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.test_accesses = AccessLog(folder / "test_access.jsonl")
        self.predictions = folder / "predictions"

    def path(self, record_type: type[BaseModel], identity: str) -> Path:
        """Where a record of a kind lies; ids come from other records, plugins and presets, and leave no folder."""
        kind = str(record_type.model_fields["kind"].default)
        return self.folder / kind / f"{file_name(identity, f'{kind} record')}.json"

    def write(self, record: AnyRecord) -> Path:
        """Write a record atomically: it is there complete or not at all."""
        path = self.path(type(record), record.id)
        content = sealed(record.model_dump(mode="json"))
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
        return self._write_arrays(self.predictions / f"{identity}.npz", predicted=predicted, label=label)

    def write_episodes(self, identity: str, episodes: Episodes) -> tuple[str, str]:
        """Write the episodes of a suite beside its record; returns the file name and its SHA-256."""
        return self._write_arrays(self.path(SuiteRecord, identity).with_suffix(".npz"), **episodes.arrays())

    def _write_arrays(self, path: Path, **arrays: np.ndarray) -> tuple[str, str]:
        content = _packed(arrays)
        _write_atomically(path, content)
        return path.name, _digest(content)

    def has_predictions(self, record: EvaluationRecord) -> bool:
        """Whether the predictions of an evaluation are there, and those that the record was written with."""
        path = self.predictions / record.predictions
        return path.is_file() and _digest(path.read_bytes()) == record.predictions_digest

    def read_predictions(self, record: EvaluationRecord) -> tuple[np.ndarray, np.ndarray]:
        """Predicted and true positions of an evaluation, both (N, Q) int8; predictions are -1 where not scored.

        Raises:
            HarnessError: missing, not those that the record was written with, or without labels.
        """
        path = self.predictions / record.predictions
        remedy = "Start `oneshot run` again: it scores the suite anew."
        arrays = _read_arrays(path, record.predictions_digest, "predictions", remedy)
        if not {"predicted", "label"} <= set(arrays):
            raise HarnessError("predictions have no labels beside them.", where=path, remedy=AGAIN)
        return arrays["predicted"], arrays["label"]

    def read_episodes(self, record: SuiteRecord) -> Episodes:
        """The episodes of a suite.

        Raises:
            HarnessError: missing, not those that the record was written with, or more kinds than it has names for.
        """
        where = self.path(SuiteRecord, record.id)
        path = where.with_name(record.episodes)
        arrays = _read_arrays(path, record.episodes_digest, "episodes", WRITTEN_ANEW)
        try:
            episodes = Episodes.of_arrays(arrays)
        except KeyError as missing:
            raise HarnessError(f"no array {missing}.", where=path, remedy=WRITTEN_ANEW) from missing
        kinds = {
            "classes": episodes.drawn.max() + 1,
            "subjects": episodes.subject.max() + 1,
            "scenes": episodes.scene.max() + 1,
            "cameras": episodes.camera.max() + 1,
            "streams": episodes.present.shape[1],
        }
        for field, count in kinds.items():
            names = len(getattr(record, field))
            if names < count:
                raise HarnessError(f"{field}: {names} names for {count}.", where=where, remedy=WRITTEN_ANEW)
        return episodes

    def log_test_access(self, entry: dict[str, Any]) -> None:
        """Append to the log of test accesses; nothing ever resets it."""
        self.test_accesses.append(entry)


def _read_arrays(path: Path, digest: str, what: str, remedy: str) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise HarnessError(f"{what} are missing.", where=path, remedy=remedy)
    content = path.read_bytes()
    if _digest(content) != digest:
        raise HarnessError(f"{what} do not match their record.", where=path, remedy=remedy)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (AttributeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise HarnessError(f"{what} are not an archive of arrays.", where=path, remedy=AGAIN) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _packed(arrays: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _write_atomically(path: Path, content: bytes) -> None:
    with written(path) as temporary:
        temporary.write_bytes(content)
