"""All settings of a run, frozen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from mmact_oneshot.harness.config.budgets import Budget, PretrainingBudget, WarmStart
from mmact_oneshot.harness.config.specs import (
    Frozen,
    InputSpec,
    SensorEncoderSpec,
    StoreSpec,
    TransformerSettings,
    VideoEncoderSpec,
)
from mmact_oneshot.harness.config.studies import EncoderKind, Study, Training
from mmact_oneshot.harness.runtime.compute import ComputeSpec
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.names import file_name

CHANGEABLE = (
    "input",
    "video_encoder",
    "sensor_encoder",
    "transformer",
    "pretraining",
    "warm_start",
    "frozen",
    "end_to_end",
)
"""Settings of the run that a row may change, where its study varies them."""


class Settings(Frozen):
    """All settings of a run."""

    preset: str
    overrides: tuple[str, ...] = Field((), description="that were applied to the preset: dotted.name=value")
    way: int = Field(5, ge=2)
    shot: int = Field(1, ge=1)
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    suites: tuple[str, ...] = ("test", "test-cross-subject")
    episodes: int | None = Field(None, ge=2, description="use only the first so many episodes of each suite")
    validation_episodes: int | None = Field(
        None, ge=2, description="use only the first so many episodes of the validation suite; none: as for `episodes`"
    )
    ablation_episodes: int = Field(
        1_000, ge=0, description="episodes of the headline suite that are scored without a modality; 0: none"
    )
    ablate: Literal["modalities", "sensors"] = Field(
        "sensors", description="what is left out in turn: video and all sensors; or every single sensor as well"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 on CUDA, float32 on CPU"
    )
    compute: ComputeSpec = Field(ComputeSpec(), description="how torch computes, on a GPU above all")
    batch: int = Field(64, ge=1, description="clips encoded at a time outside training")
    encoder: EncoderKind = Field("default", description="shared encoders of the row; set by the row")
    store: StoreSpec = StoreSpec()
    input: InputSpec = InputSpec()
    video_encoder: VideoEncoderSpec = VideoEncoderSpec()
    sensor_encoder: SensorEncoderSpec = SensorEncoderSpec()
    transformer: TransformerSettings = TransformerSettings()
    pretraining: PretrainingBudget = Field(PretrainingBudget(), description="of every network that is pre-trained")
    warm_start: WarmStart = Field(WarmStart(), description="of the shared encoders, before any head")
    frozen: Budget = Field(Budget(), description="of a head on frozen encoders")
    end_to_end: Budget = Field(Budget(), description="of a head together with its encoders")
    studies: dict[str, Study] = Field(default_factory=dict)

    @field_validator("studies")
    @classmethod
    def _named(cls, studies: dict[str, Study]) -> dict[str, Study]:
        """A study's record is a file of its name."""
        for name in studies:
            try:
                file_name(name, "study")
            except HarnessError as error:
                raise ValueError(str(error).rstrip(".")) from error
        return studies

    @model_validator(mode="after")
    def _fitting(self) -> Settings:
        """Refuse an input that the store cannot give or that is too short to pool, and encoders that learn nothing."""
        if self.store.frames < self.input.frames or self.store.short_side < self.input.size:
            raise ValueError(
                "the store keeps fewer frames or pixels than the input wants: raise store.frames, store.short_side"
            )
        if self.video_encoder.segments > self.input.frames:
            raise ValueError("video_encoder.segments exceeds input.frames")
        if self.video_encoder.pooling == "dynamics" and self.video_encoder.segments == 1:
            raise ValueError(
                "video_encoder.pooling = dynamics subtracts the mean over the clip, so that a single segment has a "
                "mean of zero: raise video_encoder.segments"
            )
        if self.video_encoder.background == "apart" and self.video_encoder.pooling != "both":
            raise ValueError(
                "video_encoder.background = apart shows the mean frame on its own, which is read with "
                "video_encoder.pooling = both alone"
            )
        if self.video_encoder.norm == "frozen-batch" and not self.video_encoder.weights:
            raise ValueError(
                "video_encoder.norm = frozen-batch normalises by the statistics of released weights: name a file in "
                "video_encoder.weights, or choose group"
            )
        if self.sensor_encoder.segments > self.input.sensor_length >> self.sensor_encoder.blocks:
            raise ValueError("sensor_encoder.segments exceeds the length that its blocks leave of input.sensor_length")
        return self

    def budget(self, training: Training) -> Budget:
        """The budget of a row's training."""
        return self.end_to_end if training == "end_to_end" else self.frozen
