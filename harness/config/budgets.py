"""Budgets of training: how many steps, with which optimiser and schedule."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mmact_oneshot.harness.config.specs import Frozen

Rate = Annotated[float, Field(gt=0)]


class Budget(Frozen):
    """Episodic training with selection on the validation suite."""

    steps: int = Field(75, ge=1)
    episodes_per_step: int = Field(4, ge=1)
    queries: int = Field(2, ge=1, description="per class, in training episodes")
    learning_rate: float = Field(1e-3, gt=0)
    encoder_rate: float = Field(
        1.0, gt=0, description="factor on the learning rate of encoders: shared ones, and a method's own"
    )
    search: tuple[Rate, ...] = Field(
        (), description="learning rates tried with one seed; the best on validation takes the place of learning_rate"
    )
    optimiser: Literal["adamw", "sgd"] = "adamw"
    momentum: float = Field(0.0, ge=0, lt=1, description="of sgd")
    nesterov: bool = Field(False, description="of sgd with momentum")
    weight_decay: float = Field(0.01, ge=0, description="decoupled in adamw, part of the gradient in sgd")
    clip: float = Field(1.0, ge=0, description="largest norm of a step's gradient; 0: no clipping")
    warmup: float = Field(0.1, ge=0, le=1, description="share of the steps in which the rate rises to its full value")
    schedule: Literal["cosine", "constant", "steps"] = Field("cosine", description="of the rate, after the warm-up")
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (), description="shares of the steps after which schedule 'steps' changes the rate"
    )
    decay: Rate | tuple[Rate, ...] = Field(
        0.1, description="factor on the rate in force, the same at every milestone or one for each"
    )
    validations: int = Field(5, ge=1, description="evenly spaced evaluations on the validation suite")
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

    def clips(self, way: int, shot: int) -> int:
        """Clips that all steps pass forward and backward."""
        return self.steps * self.clips_per_step(way, shot)

    def clips_per_step(self, way: int, shot: int) -> int:
        """Support and query clips of a step."""
        return self.episodes_per_step * way * (shot + self.queries)


class WarmStart(Budget):
    """Training of the shared encoders before any head."""

    objective: Literal["prototype", "classification", "none"] = Field(
        "prototype",
        description="prototype loss, or classification of the base classes, on the clips of the same episodes; none: "
        "each encoder as it is initialised, or with its weights",
    )

    @model_validator(mode="after")
    def _without_search(self) -> WarmStart:
        if self.search:
            raise ValueError("warm_start has no search: learning rates are searched for methods")
        return self


class PretrainingBudget(Frozen):
    """Self-supervised training on single clips: AdamW, cosine with warm-up (VideoMAE, Mu-MAE)."""

    epochs: int = Field(100, ge=1, description="passes over the clips of the training classes")
    batch: int = Field(64, ge=1, description="clips in a step")
    learning_rate: float = Field(
        1.5e-4, gt=0, description="for a batch of 256; that of a step is in proportion to its clips"
    )
    weight_decay: float = Field(0.05, ge=0, description="of matrices; biases and norms have none")
    betas: tuple[float, float] = Field((0.9, 0.95), description="of AdamW")
    warmup: float = Field(0.05, ge=0, le=1, description="share of the steps in which the rate rises to its full value")
    clip: float = Field(0.0, ge=0, description="largest norm of a step's gradient; 0: no clipping")
    checkpoints: int = Field(10, ge=1, description="evenly spaced steps at which state and losses are saved")
    probes: int = Field(
        0, ge=0, description="evenly spaced steps at which the frozen network is tried on the validation suite; 0: none"
    )
    seed: int | None = Field(None, description="one pre-training for all training seeds; none: one for each of them")
    picture: bool = Field(
        True,
        description="draw masked and reconstructed clips beside the record: frames of the recordings, so switch it "
        "off where records are published and recordings may not be",
    )

    def steps(self, clips: int) -> int:
        """Optimiser steps over a training set of so many clips; batches run on from one epoch into the next."""
        return max(1, self.epochs * clips // self.batch)

    def passes(self, clips: int) -> int:
        """Clips that go through the network in all steps."""
        return self.steps(clips) * self.batch
