"""Parts of records: what stands in them below the top level, and what a reader may rely on there."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema, model_validator
from typing_extensions import TypedDict

PARTS = 10  # of 0..1, in which confidence is counted
ROUNDED = 1e-5  # sums of confidences are kept to six decimals

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
FileName = Annotated[str, Field(pattern=r"^[^/\\]+$")]
PerPart = Field(min_length=PARTS, max_length=PARTS)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Calibration(_Part):
    """How sure a method is, and how often it is right: queries by the probability of the answer (softmax of scores).

    All are (10,) for equal parts of 0..1, a probability on a boundary belonging to the part above it.
    """

    queries: Annotated[tuple[Count, ...], PerPart]
    confidence: Annotated[tuple[float, ...], PerPart]  # summed over the queries of a part
    correct: Annotated[tuple[Count, ...], PerPart]

    @model_validator(mode="after")
    def _agree(self) -> Calibration:
        for part, (asked, sure, right) in enumerate(zip(self.queries, self.confidence, self.correct, strict=True)):
            if right > asked:
                raise ValueError(f"correct.{part}: {right} of {asked} queries")
            if not asked * part / PARTS - ROUNDED <= sure <= asked * (part + 1) / PARTS + ROUNDED:
                raise ValueError(f"confidence.{part}: {sure:g} is not what {asked} queries of that part can have")
        return self


class Ablation(_Part):
    """Accuracy without one modality or sensor, which the method was trained with: left out of all test clips."""

    without: str  # "video", "sensors" or the name of one sensor
    episodes: Count  # the first so many that were scored
    accuracy: Share
    complete: Share  # accuracy on the same episodes with everything


class Operations(_Part):
    """Floating-point operations of matrix products, convolutions and attention; a multiplication with its addition
    counts as two. Deterministic, unlike time."""

    clip: Count  # encoding and embedding one clip
    episode: Count  # scoring one episode from embedded clips


class Trial(_Part):
    """One learning rate of a search."""

    learning_rate: float
    accuracy: Share | None  # the best on validation; None: it diverged
    best_step: Count | None
    validations: list[tuple[int, float]]  # (step, validation accuracy)
    failure: str | None  # why it diverged


class _Origin(TypedDict):
    layout: str
    digest: str
    split: str
    split_digest: str
    generated: dict[str, Any] | None
    streams: list[str]
    clips_listed: int
    clips_usable: int
    performances_without_sensor: dict[str, int]
    problems: int
    complete: bool


class _Partial(TypedDict, total=False):
    """What is there is of these types; some of it may be missing."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]


class _Provenance(_Partial, total=False):
    version: str
    commit: str | None
    changed: bool | None
    python: str
    system: str
    versions: dict[str, str]
    hardware: dict[str, Any]


class _EncoderNote(_Partial, total=False):
    initial_state: str
    state: str
    objective: str | None
    validations: list[tuple[int, float]]
    best_step: int


class _Volatile(_Partial, total=False):
    encoders: dict[str, dict[str, Any]]


def _like(shape: type[Any]) -> GetPydanticSchema:
    """A dict that is checked like ``shape``."""
    return GetPydanticSchema(lambda _, handler: handler.generate_schema(shape))


Origin = Annotated[dict[str, Any], _like(_Origin)]
"""The recordings and their split: :meth:`mmact_oneshot.harness.data.task.task.Task.origin`."""
Provenance = Annotated[dict[str, Any], _like(_Provenance)]
"""Code, versions and hardware: :func:`mmact_oneshot.harness.runtime.provenance.provenance`."""
EncoderNote = Annotated[dict[str, Any], _like(_EncoderNote)]
"""What is known of a shared encoder: :func:`mmact_oneshot.harness.training.warm_start.warm_started_encoder`."""
Volatile = Annotated[dict[str, Any], _like(_Volatile)]
"""What differs from one run to the next: times, dates, memory, resume counts."""
