"""From a folder of records to records joined with the accuracy of every episode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.records import (
    Episodes,
    EvaluationRecord,
    PretrainingRecord,
    RecordFolder,
    SkippedRecord,
    SuiteRecord,
    TrainingRecord,
)
from harness.report.agreement import disagreements
from harness.report.statistics import Identities
from harness.runtime.errors import HarnessError

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
class Looks:
    """The log of looks at test suites, by suite digest: how many, and of how many trainings."""

    count: Counter[str]
    trainings: Counter[str]

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, object]] | None) -> Looks | None:
        """From the entries of the log; None where there is none."""
        if entries is None:
            return None
        looks = [(str(entry["suite_digest"]), str(entry["training"])) for entry in entries]
        return cls(Counter(digest for digest, _ in looks), Counter(digest for digest, _ in set(looks)))


@dataclass(frozen=True)
class Loaded:
    """Everything a report is made from.

    Attributes:
        tested: the episodes that are recorded, by evaluation digest.
        looks: test accesses in the append-only log; None where there is no log.
    """

    trainings: tuple[TrainingRecord, ...]
    scored: tuple[Scored, ...]
    skipped: tuple[SkippedRecord, ...]
    pretrainings: tuple[PretrainingRecord, ...]
    tested: dict[str, Tested]
    looks: Looks | None


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
    looks = Looks.of(records.looks.read())
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
    suite = tested.get(evaluation.evaluation_digest)
    recorded = None if suite is None else (suite.record, suite.episodes)
    for wrong in disagreements(evaluation, predicted, label, recorded):
        raise HarnessError(f"{wrong}.", where=where, remedy=RUN_AGAIN)
    done, correct = np.asarray((predicted >= 0).all(axis=1)), np.asarray(predicted == label)
    training = trainings[evaluation.training]
    pretraining = None if training.pretraining is None else pretrainings[training.pretraining]
    return Scored(training, evaluation, correct, done, pretraining)
