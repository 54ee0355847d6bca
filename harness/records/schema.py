"""Records: what was trained, how, and what it scored. The only thing that reports are made from.

A *training record* holds settings, digests, provenance and the selection trace; an *evaluation record* refers to it
and holds the figures of one suite, with the predictions beside it; a *suite record* holds the
episodes and the identities of their clips; a *pre-training record* holds what several
trainings may start from, with a picture beside it; a *search record* holds the learning rates that were
tried before a row was trained, and what came of each. Whatever differs from one run to the next on the
same machine (times, dates, memory, resume counts) stands in ``volatile``; everything else is reproducible.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

SCHEMA = 3  # of the records that are written
READABLE = (2, 3)  # 2: evaluations without calibration, robustness and cost, suites without a record of their own


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[2, 3] = 3
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


class Calibration(BaseModel):
    """How sure a method is, and how often it is right: queries by the probability of the answer (softmax of scores).

    All are (10,) for equal parts of 0..1, a probability on a boundary belonging to the part above it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    queries: tuple[int, ...]
    confidence: tuple[float, ...]  # summed over the queries of a part
    correct: tuple[int, ...]


class Removed(BaseModel):
    """Accuracy without one modality or sensor, which the method was trained with: taken from all clips of a test."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modality: str  # "video", "sensors" or the name of one sensor
    episodes: int  # the first so many that were scored
    accuracy: float
    complete: float  # accuracy on the same episodes with everything there


class Cost(BaseModel):
    """Floating-point operations of matrix products, convolutions and attention; a multiplication with its addition
    counts as two. Deterministic, unlike time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip: int  # encoding and embedding one clip
    episode: int  # scoring one episode from embedded clips


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
    episodes: str  # file beside the record
    episodes_digest: str


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
    calibration: Calibration | None = None
    robustness: tuple[Removed, ...] = ()
    cost: Cost | None = None
    external: str = ""  # who says so, where the predictions were made elsewhere
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
