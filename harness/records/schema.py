"""Records: what was trained, how, and what it scored. The only thing that reports are made from.

A *study record* says which trainings answer a question; a *training record* holds settings, conditions, provenance and
validations; an *evaluation record* refers to it and holds the figures of one suite, with the predictions beside it; a
*suite record* holds the episodes and the identities of their clips; a *pre-training record* holds what several
trainings may begin from, with a picture beside it; a *search record* holds the learning rates that were tried before a
row was trained, and what came of each; a *skipped record* says why a row has no figures. Whatever differs from one run
to the next on the same machine (times, dates, memory, resume counts) stands in ``volatile``; everything else is
reproducible.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from mmact_oneshot.harness.records.parts import (
    Ablation,
    Calibration,
    Count,
    EncoderNote,
    FileName,
    Operations,
    Origin,
    Provenance,
    Share,
    Trial,
    Volatile,
)

SCHEMA = 6  # a record of another version is refused


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[6] = 6
    id: str
    volatile: Volatile


class StudyRow(BaseModel):
    """A row of a study, and the trainings that it consists of: one for each seed and protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    source: str  # digest of a plugin file, "built-in" otherwise
    modalities: tuple[str, ...]
    training: Literal["end_to_end", "frozen", "none"]
    encoder: Literal["default", "transformer"]
    initialisation: str
    settings: dict[str, Any]  # of the method, as the row gives them
    changes: dict[str, Any]  # settings of the run that are others in this row
    trainings: tuple[str, ...]  # ids of training records, written or still to come


class StudyRecord(_Record):
    """A question and its rows; ``id`` is the study's name."""

    kind: Literal["study"] = "study"
    question: str
    varies: tuple[str, ...]  # settings in which rows may differ
    reference: dict[str, Any]  # fields of the row that the others are compared with
    preset: str
    rows: tuple[StudyRow, ...]


class TrainingRecord(_Record):
    """One method trained with one seed; with training "none" merely built."""

    kind: Literal["training"] = "training"
    method: str
    method_source: str  # digest of a plugin file, "built-in" otherwise
    bibtex: str  # of the method's paper
    modalities: tuple[str, ...]
    training: Literal["end_to_end", "frozen", "none", "external"]  # external: trained elsewhere
    protocol: Literal["headline", "paper"]
    transductive: bool
    unchecked: bool = False  # whether the conformance checks were left out, so that it gets no rank
    method_settings: dict[str, Any]
    seed: int
    preset: str
    settings: dict[str, Any]  # of the run, with the changes of the row
    changes: dict[str, Any]
    conditions_digest: str
    conditions: dict[str, Any]  # all that decides the training, but for the method and the seed
    learning_rate: float | None  # None: nothing was trained
    search: str | None  # id of the search record that the rate comes from; None: it was given
    tried: list[tuple[float, float | None]]  # (learning rate, best validation accuracy; None: diverged), as searched
    external_data: tuple[str, ...]  # weight files from elsewhere: name and SHA-256
    pretraining: str | None  # id of the pre-training record that the row begins from
    initialisation: str  # scratch, prolonged, the method that was pre-trained, or a file
    encoder: Literal["default", "transformer"]  # which shared encoders
    data: Origin  # layout, digests, split, completeness, generated
    parameters: dict[str, int]  # total, trained
    encoders: dict[str, EncoderNote]  # modality -> initial and trained state, validations
    validations: list[tuple[int, float]]  # (step, accuracy on the validation suite)
    best_step: int
    losses: list[tuple[int, dict[str, float]]]
    provenance: Provenance  # commit, versions, hardware


class SuiteRecord(_Record):
    """The episodes of a suite, and what is known of their clips: with it, reports need no data set."""

    kind: Literal["suite"] = "suite"
    suite: str
    suite_digest: str
    evaluation_digest: str
    classes: tuple[str, ...]
    subjects: tuple[str, ...]
    scenes: tuple[str, ...]
    cameras: tuple[str, ...]
    streams: tuple[str, ...]  # video and every sensor: what may be missing of a clip
    episodes: FileName  # beside the record
    episodes_digest: str

    @classmethod
    def identity(cls, suite: str, evaluation_digest: str) -> str:
        """Its id: there is one record of these episodes of these recordings."""
        return f"{suite}-{evaluation_digest[:8]}"

    @model_validator(mode="after")
    def _named(self) -> SuiteRecord:
        if self.id != self.identity(self.suite, self.evaluation_digest):
            raise ValueError(f"id: {self.id!r} is not made of suite and evaluation_digest")
        return self


class EvaluationRecord(_Record):
    """One trained method on one suite. Shares in 0..1."""

    kind: Literal["evaluation"] = "evaluation"

    @classmethod
    def identity(cls, training: str, suite: str, evaluation_digest: str) -> str:
        """Its id: a training has one on these episodes of these recordings."""
        return f"{training}.{SuiteRecord.identity(suite, evaluation_digest)}"

    training: str  # id of the training record
    suite: str
    suite_digest: str
    evaluation_digest: str
    way: Count
    shot: Count
    episodes: Count
    scored: Count
    queries_per_episode: Count
    accuracy: Share
    classes: tuple[str, ...]
    per_class: tuple[Share | None, ...]  # None: no query of the class was scored
    confusion: tuple[tuple[Count, ...], ...]  # (C, C), rows the true class
    predictions: FileName  # in the folder of predictions
    predictions_digest: str
    calibration: Calibration | None = None  # None: the predictions were made elsewhere
    ablations: tuple[Ablation, ...] = ()
    operations: Operations | None = None
    external: str = ""  # who says so, where the predictions were made elsewhere
    provenance: Provenance

    @field_validator("scored")
    @classmethod
    def _of_the_episodes(cls, scored: int, info: ValidationInfo) -> int:
        if scored > info.data.get("episodes", scored):
            raise ValueError(f"{scored} of {info.data['episodes']} episodes")
        return scored

    @field_validator("per_class", "confusion")
    @classmethod
    def _of_the_classes(cls, value: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        names = info.data.get("classes", value)
        rows = [value, *value] if info.field_name == "confusion" else [value]
        if any(len(row) != len(names) for row in rows):
            raise ValueError(f"not of the size of the {len(names)} classes")
        return value

    @model_validator(mode="after")
    def _of_the_confusion(self) -> EvaluationRecord:
        for place, (row, stated) in enumerate(zip(self.confusion, self.per_class, strict=True)):
            given = row[place] / sum(row) if any(row) else None
            if given != stated and (given is None or stated is None or abs(given - stated) > 1e-9):
                raise ValueError(f"per_class.{place}: it says {stated}, but confusion gives {given}")
        return self


class SkippedRecord(_Record):
    """A row that a method cannot fill, and why."""

    kind: Literal["skipped"] = "skipped"
    method: str
    modalities: tuple[str, ...]
    training: str
    reason: str


class PretrainingRecord(_Record):
    """One network trained on single clips without labels; trainings that begin from it name it.

    ``volatile`` holds date, seconds, clips_per_second, waited_for_data (seconds), resumed and peak_memory_bytes.
    """

    kind: Literal["pretraining"] = "pretraining"
    method: str  # the method whose network it is
    method_source: str
    modalities: tuple[str, ...]
    network: dict[str, Any]  # what the network says of itself
    seed: int
    conditions_digest: str
    conditions: dict[str, Any]  # all that decides its result, but for the seed
    classes: tuple[str, ...]  # whose clips it saw, without their labels
    clips: int  # different ones
    clips_seen: int  # passes of clips in all steps
    steps: int
    parameters: int
    losses: list[tuple[int, dict[str, float]]]  # (step, mean of each term since the checkpoint before)
    probes: list[tuple[int, dict[str, float]]]  # (step, accuracy on the validation suite by modality), a share
    state: str  # digest of the trained network
    picture: FileName | None  # beside the record: masked and reconstructed clips
    data: Origin
    provenance: Provenance


class SearchRecord(_Record):
    """Learning rates tried for a row, one after the other; it grows until all candidates are in it."""

    kind: Literal["search"] = "search"
    method: str
    method_source: str
    modalities: tuple[str, ...]
    training: str
    method_settings: dict[str, Any]
    seed: int
    conditions_digest: str
    candidates: tuple[float, ...]
    trials: list[Trial]
    provenance: Provenance

    @property
    def best(self) -> Trial | None:
        """The trial with the highest validation accuracy, ties to the earlier; None where all diverged."""
        return max(
            (trial for trial in self.trials if trial.accuracy is not None),
            key=lambda trial: trial.accuracy or 0.0,
            default=None,
        )


AnyRecord = (
    StudyRecord | TrainingRecord | EvaluationRecord | SkippedRecord | SearchRecord | PretrainingRecord | SuiteRecord
)
Record = TypeVar(
    "Record",
    StudyRecord,
    TrainingRecord,
    EvaluationRecord,
    SkippedRecord,
    SearchRecord,
    PretrainingRecord,
    SuiteRecord,
)
