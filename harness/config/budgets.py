"""The budget of a training: how much of it, and by which optimiser and schedule."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Budget(BaseModel):
    """Episodic optimisation with selection on the validation suite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(75, ge=1)
    episodes_per_step: int = Field(4, ge=1)
    queries: int = Field(2, ge=1, description="per class, in training episodes")
    learning_rate: float = Field(1e-3, gt=0)
    search: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (), description="learning rates tried with one seed; the best on validation takes the place of learning_rate"
    )
    optimiser: Literal["adamw", "sgd"] = "adamw"
    momentum: float = Field(0.0, ge=0, lt=1, description="of sgd")
    nesterov: bool = Field(False, description="of sgd with momentum")
    weight_decay: float = Field(0.01, ge=0, description="decoupled in adamw, part of the gradient in sgd")
    clip: float = Field(1.0, ge=0, description="norm to which the gradient of a step is cut; 0: never")
    warmup: float = Field(0.1, ge=0, le=1, description="share of the steps in which the rate rises to its full value")
    schedule: Literal["cosine", "constant", "steps"] = Field("cosine", description="of the rate, after the warm-up")
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (), description="shares of the steps after which schedule 'steps' changes the rate"
    )
    decay: Annotated[float, Field(gt=0)] | tuple[Annotated[float, Field(gt=0)], ...] = Field(
        0.1, description="factor on the rate in force, the same at every milestone or one for each"
    )
    looks: int = Field(5, ge=1, description="evenly spaced evaluations on validation episodes")
    micro_batch: int = Field(0, ge=0, description="clips encoded at a time in training; 0: all. Same gradients")

    @model_validator(mode="after")
    def _consistent(self) -> Budget:
        if self.optimiser != "sgd" and (self.momentum or self.nesterov):
            raise ValueError("momentum and nesterov belong to optimiser 'sgd'")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum")
        if (self.schedule == "steps") != bool(self.milestones):
            raise ValueError("schedule 'steps' needs milestones, and no other schedule has any")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must increase")
        if isinstance(self.decay, tuple) and len(self.decay) != len(self.milestones):
            raise ValueError("decay needs one factor for each milestone, or a single one")
        if len(self.search) != len(set(self.search)):
            raise ValueError("search names a learning rate twice")
        return self

    def at(self, learning_rate: float) -> Budget:
        """The same budget with the learning rate fixed."""
        return self.model_copy(update={"learning_rate": learning_rate, "search": ()})


class PretrainingBudget(BaseModel):
    """Self-supervised optimisation over single clips: AdamW, a cosine with warm-up (VideoMAE, Mu-MAE)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(100, ge=1, description="passes over the clips of the training classes")
    batch: int = Field(64, ge=1, description="clips in a step")
    learning_rate: float = Field(
        1.5e-4, gt=0, description="for a batch of 256; that of a step is in proportion to its clips"
    )
    weight_decay: float = Field(0.05, ge=0, description="of matrices; biases and norms have none")
    betas: tuple[float, float] = Field((0.9, 0.95), description="of AdamW")
    warmup: float = Field(0.05, ge=0, le=1, description="share of the steps in which the rate rises to its full value")
    clip: float = Field(0.0, ge=0, description="norm to which the gradient of a step is cut; 0: never")
    looks: int = Field(10, ge=1, description="times that the state is saved and the losses are read")
    seed: int | None = Field(None, description="one pre-training for all training seeds; none: one for each of them")
    picture: bool = Field(
        True,
        description="draw some clips as hidden and restored, beside the record: frames of the recordings, so switch it "
        "off where records are published and recordings may not be",
    )

    def steps(self, clips: int) -> int:
        """Optimiser steps over a training set of so many clips; batches run on from one epoch into the next."""
        return max(1, self.epochs * clips // self.batch)

    def passes(self, clips: int) -> int:
        """Clips that go through the network in all steps."""
        return self.steps(clips) * self.batch
