"""From a folder of records to records joined with the answers to every query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmact_oneshot.harness.records import (
    Episodes,
    EvaluationRecord,
    PretrainingRecord,
    RecordFolder,
    SkippedRecord,
    StudyRecord,
    SuiteRecord,
    TrainingRecord,
)
from mmact_oneshot.harness.report.results.agreement import disagreements
from mmact_oneshot.harness.report.statistics import Identities
from mmact_oneshot.harness.runtime.errors import HarnessError

RUN_AGAIN = "Delete the record and run its row again."


@dataclass(frozen=True, eq=False)
class Suite:
    """A suite: its record, its episodes, and who is in them."""

    record: SuiteRecord
    episodes: Episodes

    @property
    def name(self) -> str:
        return self.record.suite

    @property
    def way(self) -> int:
        return int(self.episodes.support.shape[1])

    @property
    def shot(self) -> int:
        return int(self.episodes.support.shape[2])

    @property
    def queries(self) -> int:
        """Queries of an episode."""
        return int(self.episodes.label.shape[1])

    def __len__(self) -> int:
        return len(self.episodes.label)

    @property
    def chance(self) -> float:
        return 1 / self.way

    @cached_property
    def identities(self) -> Identities:
        found = self.episodes
        drawn = np.zeros(len(found.performance), np.int64)  # a clip's class, as the episodes tell it
        drawn[found.support.reshape(len(found.support), -1)] = np.repeat(found.drawn, found.support.shape[2], axis=1)
        drawn[found.query] = np.take_along_axis(found.drawn, found.label.astype(np.int64), axis=1)
        return Identities.of_clips(found.support, found.query, drawn, found.performance, found.subject)


@dataclass(frozen=True, eq=False)
class Scored:
    """One trained method on one suite.

    Attributes:
        predicted: (N, Q) positions among the support classes; negative where there is no answer.
        correct: (N, Q) bool, whether each query was answered rightly.
        done: (N,) bool, whether an episode was scored.
        pretraining: what the training began from; None where it began from scratch or from a file.
    """

    training: TrainingRecord
    evaluation: EvaluationRecord
    predicted: np.ndarray
    correct: np.ndarray
    done: np.ndarray
    pretraining: PretrainingRecord | None

    @cached_property
    def episodes(self) -> np.ndarray:
        """(N,) accuracy of every episode, NaN where not scored."""
        return np.where(self.done, self.correct.mean(axis=1), np.nan)


@dataclass(frozen=True)
class TestAccesses:
    """The log of test accesses, by suite digest: how many, and of how many trainings."""

    count: Counter[str]
    trainings: Counter[str]

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, object]]) -> TestAccesses:
        """From the entries of the log."""
        found = [(str(entry["suite_digest"]), str(entry["training"])) for entry in entries]
        return cls(Counter(digest for digest, _ in found), Counter(digest for digest, _ in set(found)))


@dataclass(frozen=True)
class Loaded:
    """Everything a report is made from.

    Attributes:
        trainings, skipped, pretrainings: by id.
        scored: by id of the training and evaluation digest.
        suites: by evaluation digest.
        accesses: test accesses in the append-only log; None where there is no log.
    """

    studies: tuple[StudyRecord, ...]
    trainings: dict[str, TrainingRecord]
    scored: dict[tuple[str, str], Scored]
    skipped: dict[str, SkippedRecord]
    pretrainings: dict[str, PretrainingRecord]
    suites: dict[str, Suite]
    accesses: TestAccesses | None


def records_folder(folder: Path) -> Path:
    """The folder of records: ``folder`` itself or ``folder/records``.

    Raises:
        HarnessError: neither holds records.
    """
    for candidate in (folder / "records", folder):
        if any((candidate / kind).is_dir() for kind in ("study", "evaluation", "training", "skipped", "pretraining")):
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
        if training.pretraining is not None and training.pretraining not in pretrainings:
            raise HarnessError(
                f"pretraining: no pre-training record {training.pretraining!r}.",
                where=records.path(TrainingRecord, training.id),
                remedy=RUN_AGAIN,
            )
    suites = {
        record.evaluation_digest: Suite(record, records.read_episodes(record)) for record in records.all(SuiteRecord)
    }
    scored = [
        _join(records, evaluation, trainings, pretrainings, suites) for evaluation in records.all(EvaluationRecord)
    ]
    skipped = {record.id: record for record in records.all(SkippedRecord)}
    if not scored and not skipped:
        raise HarnessError(
            "no evaluation record here: nothing has been scored yet.",
            where=records.folder,
            remedy="`oneshot run` continues a run that was cut off.",
        )
    entries = records.test_accesses.read()
    _require_logged(records, scored, entries)
    return Loaded(
        studies=tuple(records.all(StudyRecord)),
        trainings=trainings,
        scored={(each.training.id, each.evaluation.evaluation_digest): each for each in scored},
        skipped=skipped,
        pretrainings=pretrainings,
        suites=suites,
        accesses=None if entries is None else TestAccesses.of(entries),
    )


def _require_logged(records: RecordFolder, scored: Iterable[Scored], entries: list[dict[str, Any]] | None) -> None:
    """Every scoring was logged before it took place: where there is a log, a missing entry was lost."""
    if entries is None:
        return
    logged = {(entry["training"], entry["suite_digest"]) for entry in entries}
    for each in scored:
        if (each.training.id, each.evaluation.suite_digest) not in logged:
            raise HarnessError(
                f"no entry of {each.training.id} on {each.evaluation.suite}, which was scored.",
                where=records.test_accesses.path,
                remedy="The log is append-only: restore it from version control.",
            )


def _join(
    records: RecordFolder,
    evaluation: EvaluationRecord,
    trainings: Mapping[str, TrainingRecord],
    pretrainings: Mapping[str, PretrainingRecord],
    suites: Mapping[str, Suite],
) -> Scored:
    where = records.path(EvaluationRecord, evaluation.id)
    if evaluation.training not in trainings:
        raise HarnessError(f"training: no training record {evaluation.training!r}.", where=where, remedy=RUN_AGAIN)
    suite = suites.get(evaluation.evaluation_digest)
    if suite is None:
        raise HarnessError(
            f"evaluation_digest: no suite record {evaluation.evaluation_digest[:8]!r}.",
            where=where,
            remedy="Start `oneshot run` again: it writes the suite's record anew.",
        )
    predicted, label = records.read_predictions(evaluation)
    for wrong in disagreements(evaluation, predicted, label, suite.record, suite.episodes):
        raise HarnessError(f"{wrong}.", where=where, remedy=RUN_AGAIN)
    done, correct = np.asarray((predicted >= 0).all(axis=1)), np.asarray(predicted == label)
    training = trainings[evaluation.training]
    pretraining = None if training.pretraining is None else pretrainings[training.pretraining]
    return Scored(training, evaluation, predicted, correct, done, pretraining)
