"""From a folder of records to records joined with the accuracy of every episode."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.records import (
    Episodes,
    EvaluationRecord,
    PretrainingRecord,
    RecordFolder,
    SkippedRecord,
    SuiteRecord,
    TrainingRecord,
)
from harness.statistics import Identities

RUN_AGAIN = "Delete the record and run its row again."


@dataclass(frozen=True)
class Scored:
    """One trained method on one suite.

    Attributes:
        correct: (N, Q) bool, whether each query was answered rightly.
        done: (N,) bool, whether an episode was scored.
        pretraining: what the training starts from; None where no pre-training is recorded for it.
    """

    training: TrainingRecord
    evaluation: EvaluationRecord
    correct: np.ndarray
    done: np.ndarray
    pretraining: PretrainingRecord | None

    @cached_property
    def episodes(self) -> np.ndarray:
        """(N,) accuracy of every episode, NaN where not scored."""
        return np.where(self.done, self.correct.mean(axis=1), np.nan)


@dataclass(frozen=True)
class Tested:
    """The episodes of a suite, and who is in them."""

    record: SuiteRecord
    episodes: Episodes

    @cached_property
    def identities(self) -> Identities:
        found = self.episodes
        drawn = np.zeros(len(found.performance), np.int64)  # a clip's class, as the episodes tell it
        drawn[found.support.reshape(len(found.support), -1)] = np.repeat(found.drawn, found.support.shape[2], axis=1)
        drawn[found.query] = np.take_along_axis(found.drawn, found.label.astype(np.int64), axis=1)
        return Identities.of_clips(found.support, found.query, drawn, found.performance, found.subject)


@dataclass(frozen=True)
class Loaded:
    """Everything a report is made from.

    Attributes:
        tested: the episodes that are recorded, by evaluation digest.
        looks: test accesses in the append-only log, by suite digest; None where there is no log.
    """

    trainings: tuple[TrainingRecord, ...]
    scored: tuple[Scored, ...]
    skipped: tuple[SkippedRecord, ...]
    pretrainings: tuple[PretrainingRecord, ...]
    tested: dict[str, Tested]
    looks: Counter[str] | None


def records_folder(folder: Path) -> Path:
    """The folder of records: ``folder`` itself or ``folder/records``.

    Raises:
        HarnessError: neither holds records.
    """
    for candidate in (folder / "records", folder):
        if any((candidate / kind).is_dir() for kind in ("evaluation", "training", "skipped", "pretraining")):
            return candidate
    raise HarnessError("no records here.", where=folder, remedy="`oneshot run` makes them; name the folder it wrote.")


def load(folder: Path) -> Loaded:
    """Read and check all records.

    Raises:
        HarnessError: no records, a broken one (file and field named), one that names a record that is not there, or
            figures that its predictions do not give.
    """
    records = RecordFolder(records_folder(folder))
    trainings = {record.id: record for record in records.all(TrainingRecord)}
    pretrainings = {record.id: record for record in records.all(PretrainingRecord)}
    for training in trainings.values():
        _require_start(records, training, pretrainings)
    skipped = tuple(records.all(SkippedRecord))
    tested = {
        record.evaluation_digest: Tested(record, records.read_episodes(record)) for record in records.all(SuiteRecord)
    }
    scored = tuple(
        _join(records, evaluation, trainings, pretrainings, tested) for evaluation in records.all(EvaluationRecord)
    )
    if not scored and not skipped:
        raise HarnessError(
            "no evaluation record here: nothing has been scored yet.",
            where=records.folder,
            remedy="`oneshot run` continues a run that was cut off.",
        )
    looks = _looks(records.folder / "test_access.jsonl")
    return Loaded(tuple(trainings.values()), scored, skipped, tuple(pretrainings.values()), tested, looks)


def _require_start(records: RecordFolder, training: TrainingRecord, pretrainings: dict[str, PretrainingRecord]) -> None:
    if training.pretraining is not None and training.pretraining not in pretrainings:
        raise HarnessError(
            f"pretraining: no pre-training record {training.pretraining!r}.",
            where=records.path(TrainingRecord, training.id),
            remedy=RUN_AGAIN,
        )


def _join(
    records: RecordFolder,
    evaluation: EvaluationRecord,
    trainings: dict[str, TrainingRecord],
    pretrainings: dict[str, PretrainingRecord],
    tested: dict[str, Tested],
) -> Scored:
    where = records.path(EvaluationRecord, evaluation.id)
    if evaluation.training not in trainings:
        raise HarnessError(f"training: no training record {evaluation.training!r}.", where=where, remedy=RUN_AGAIN)
    predicted, label = records.read_predictions(evaluation)
    shape = (evaluation.episodes, evaluation.queries_per_episode)
    if predicted.shape != shape or label.shape != shape:
        raise HarnessError(
            f"predictions: {predicted.shape} with labels {label.shape}, but the record says {shape}.",
            where=where,
            remedy=RUN_AGAIN,
        )
    episodes = tested.get(evaluation.evaluation_digest)
    if episodes is not None and not np.array_equal(episodes.episodes.label, label):
        raise HarnessError(
            f"predictions: their labels are not those of the episodes of {episodes.record.id!r}.",
            where=where,
            remedy=RUN_AGAIN,
        )
    done, correct = np.asarray((predicted >= 0).all(axis=1)), np.asarray(predicted == label)
    found = {"scored": float(done.sum()), "accuracy": float(correct[done].mean()) if done.any() else float("nan")}
    for field, value in found.items():
        stated = float(getattr(evaluation, field))
        if not np.isclose(stated, value, rtol=0, atol=1e-9, equal_nan=True):
            raise HarnessError(
                f"{field}: the record says {stated:g}, its predictions give {value:g}.", where=where, remedy=RUN_AGAIN
            )
    classes = len(evaluation.classes)
    if len(evaluation.per_class) != classes or np.shape(evaluation.confusion) != (classes, classes):
        raise HarnessError(
            f"per_class, confusion: not of the size of the {classes} classes.", where=where, remedy=RUN_AGAIN
        )
    training = trainings[evaluation.training]
    pretraining = None if training.pretraining is None else pretrainings[training.pretraining]
    return Scored(training, evaluation, correct, done, pretraining)


def _looks(path: Path) -> Counter[str] | None:
    if not path.is_file():
        return None
    looks: Counter[str] = Counter()
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            looks[str(json.loads(line)["suite_digest"])] += 1
        except (ValueError, KeyError, TypeError) as error:
            raise HarnessError(
                "not an entry of the log of test accesses.",
                where=path,
                row=number,
                remedy="The log is append-only: restore it from version control.",
            ) from error
    return looks
