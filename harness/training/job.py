"""A training job: one row with one seed under one protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mmact_oneshot.harness.api import Encoder, FewShotMethod, Setup
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.config.protocols import Protocol
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import build_encoder, clip_shape, transformer_spec
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.training.conditions import Conditions
from mmact_oneshot.harness.training.initialisation import Initialisation, Scratch
from mmact_oneshot.harness.training.warm_start import EncoderKey


@dataclass(frozen=True)
class TrainingJob:
    """One row with one seed under one protocol, and the suites that it is scored on.

    Attributes:
        settings: that hold for the row, its own changes included.
        label: of the method.
        trained: False for a method without parameters.
        method_settings: all of them, defaults included.
        method_source: tells one version of the method from another.
        conditions: all that decides the training, but for the method and the seed.
        initialisation: of the row's transformers.
        budget: of the training; None where no parameter is left to train once the encoders are.
        search: the job whose learning rates are tried, which is the row with the search seed under the headline
            protocol; None where the learning rate is given.
        unchecked: whether the method was not held to its contract; it is another training then.
    """

    row: Row
    settings: Settings
    seed: int
    protocol: Protocol
    suites: tuple[str, ...]
    label: str
    trained: bool
    method: type[FewShotMethod]
    method_settings: dict[str, Any]
    method_source: str
    conditions: Conditions
    initialisation: Initialisation
    budget: Budget | None = None
    search: TrainingJob | None = None
    unchecked: bool = False

    @property
    def training(self) -> str:
        """``end_to_end``, ``frozen`` or ``none``."""
        return self.row.training if self.trained else "none"

    @property
    def frozen(self) -> bool:
        return self.training == "frozen"

    @cached_property
    def id(self) -> str:
        """File name of its records; ends in a digest of everything that decides the result."""
        return f"{self._name}-{self.protocol.name}-s{self.seed}-{self._digest(self.seed)}"

    @cached_property
    def row_id(self) -> str:
        """The same for all its seeds and protocols."""
        return f"{self._name}-{self._digest()}"

    @property
    def name(self) -> str:
        """The method with the settings that its row gives."""
        given = ", ".join(f"{name} {value}" for name, value in self.row.settings.items())
        return f"{self.label} ({given})" if given else self.label

    @property
    def title(self) -> str:
        """For a reader who follows the run."""
        named = self.initialisation.conditions or self.settings.encoder == "transformer"
        initialisation = f", from {self.initialisation.name}" if named else ""
        return f"{self.name}, {self.row.modality_label}, {self.training}{initialisation}"

    @property
    def shared(self) -> bool:
        """Whether the method works on the shared encoders."""
        return bool(self.method.needs.outputs)

    def encoder_keys(self, common: Conditions) -> dict[str, EncoderKey]:
        """Modality -> shared encoder; none for a method that reads clips itself."""
        initialisation = self.initialisation if self.settings.encoder == "transformer" else Scratch()
        return {
            modality: EncoderKey(modality, self.settings, self.protocol, initialisation, self.seed, common)
            for modality in (self.row.modalities if self.shared else ())
        }

    @property
    def _name(self) -> str:
        return f"{self.label}-{self.row.modality_label}-{self.training}"

    def _digest(self, *more: object) -> str:
        known = [self.conditions, self.label, self.method_source, self.method_settings]
        return digest([*known, *(["unchecked"] if self.unchecked else []), *more])[:8]


def setup_of(task: Task, row: Row, settings: Settings, protocol: Protocol) -> Setup:
    """The setup of a row, without encoders and initial states."""
    return Setup(
        row.modalities,
        tuple(task.store.sensors),
        len(task.split.role(protocol.classes)),
        settings.way,
        settings.shot,
        shape=clip_shape(settings),
        transformer=transformer_spec(settings),
    )


def build_untrained(task: Task, job: TrainingJob) -> FewShotMethod:
    """A job's method on encoders as they begin, for finding out what it needs and costs.

    Raises:
        NotApplicable: the method cannot do what the row asks.
    """
    names = job.row.modalities if job.shared else ()
    sensors = tuple(task.store.sensors)
    encoders: dict[str, Encoder] = {name: build_encoder(name, job.settings, sensors, 0) for name in names}
    setup = replace(setup_of(task, job.row, job.settings, job.protocol), encoders=encoders)
    return job.method(setup, **job.method_settings)
