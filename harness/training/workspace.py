"""One run: its data, its device, its folder, and who follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mmact_oneshot.harness.api import Encoder
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.records.folder import RecordFolder
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.progress import Silent, Watcher
from mmact_oneshot.harness.runtime.step_clock import StepClock
from mmact_oneshot.harness.training.conditions import Conditions, common_conditions
from mmact_oneshot.harness.training.tensorboard_log import ScalarLog


@dataclass(frozen=True)
class Workspace:
    """What all steps of a run share.

    Attributes:
        task: the data.
        folder: of records, weights and learning curves.
        device: where to run.
        watcher: follows what goes on.
        clock: how long each step of the run may take.
    """

    task: Task
    folder: Path
    device: Device
    watcher: Watcher = field(default_factory=Silent)
    clock: StepClock = field(default_factory=StepClock)

    @cached_property
    def encoders(self) -> dict[str, tuple[Encoder, dict[str, Any]]]:
        """Encoders with their notes, by id, as ``training.warm_start`` holds them to copy them."""
        return {}

    @cached_property
    def records(self) -> RecordFolder:
        return RecordFolder(self.folder / "records")

    @cached_property
    def common(self) -> Conditions:
        """Conditions that all trainings share."""
        return common_conditions(self.task, self.device.precision, self.device.tf32)

    @property
    def sensors(self) -> tuple[str, ...]:
        return tuple(self.task.store.sensors)

    def weights(self, kind: str, identity: str) -> Path:
        """Where trained weights are kept; ``kind`` is "pretraining", "encoders" or "checkpoints"."""
        return self.folder / kind / f"{identity}.safetensors"

    def clips(self, settings: Settings, modalities: tuple[str, ...], without: str = "") -> ClipSource:
        """Clips of the store; see :class:`mmact_oneshot.harness.data.task.clip_source.ClipSource`."""
        return ClipSource(self.task.store, settings.input, modalities, without=without)


@dataclass(frozen=True)
class TrainingContext:
    """Where a training runs and who follows it: the same for episodic training and pre-training.

    Attributes:
        seed: draws, augmentation and dropout of a step depend on (seed, step) alone, so that a training that was cut
            off continues from its last saved state to the same result.
        state_file: where the state is kept until the training is complete.
        title: for the watcher.
        log: called with (step, scalars).
        budget: name of the setting that it follows, for messages.
        clock: says when to stop before it is done.
    """

    device: Device
    seed: int
    state_file: Path
    title: str = ""
    watcher: Watcher = field(default_factory=Silent)
    log: Callable[[int, dict[str, float]], None] = lambda step, scalars: None
    budget: str = "end_to_end"
    clock: StepClock = field(default_factory=StepClock)


@contextmanager
def training_context(
    workspace: Workspace, seed: int, weights: Path, *, title: str, name: str, budget: str
) -> Iterator[TrainingContext]:
    """The context of a training whose finished weights go to a file; its learning curves are closed at the end.

    Args:
        name: of its learning curves.
        budget: name of the setting that it follows.
    """
    with closing(ScalarLog(workspace.folder / "tensorboard" / name)) as log:
        yield TrainingContext(
            device=workspace.device,
            seed=seed,
            state_file=weights.with_suffix(".state"),
            title=title,
            watcher=workspace.watcher,
            log=log,
            budget=budget,
            clock=workspace.clock,
        )
