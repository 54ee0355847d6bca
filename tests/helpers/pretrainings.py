"""Networks to pre-train in tests, and the toy clips that they learn from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, LossTerms, Pretraining, Reconstruction, Setup, TransformerSpec
from mmact_oneshot.harness.config.budgets import PretrainingBudget
from mmact_oneshot.harness.data.task.clip_source import ClipSource, LoadedClips
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import clip_shape
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.progress import Silent, Watcher
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.pretraining_loop import (
    PretrainingClips,
    PretrainingProgress,
    ProbeFunction,
    pretrain,
)
from mmact_oneshot.harness.training.workspace import TrainingContext
from mmact_oneshot.methods.mu_mae.pretraining import MaskedAutoencoding
from tests.helpers.toys import CPU

SAMPLES = 16  # of a sensor, in the toy settings
BOTH = ("video", "sensors")
BUDGET = PretrainingBudget(epochs=2, batch=24, learning_rate=0.05, checkpoints=3)  # six steps with 72 clips
Log = Callable[[int, dict[str, float]], None]


class Guessing(Pretraining):
    """Guesses about a half of a sensor's samples from the others. With dropout, so that a training which was cut off
    needs the right random numbers to go on."""

    modalities: tuple[str, ...] = ("sensors",)
    draws = SAMPLES

    def __init__(self, sensor: str = "acc", dropout: float = 0.1) -> None:
        super().__init__()
        self.sensor, self.dropout = sensor, dropout
        with seeded("guessing"):
            self.hidden = nn.Linear(3 * SAMPLES, 32)
            self.norm = nn.LayerNorm(32)
            self.out = nn.Linear(32, 3 * SAMPLES)

    def describe(self) -> dict[str, Any]:
        return {"sensor": self.sensor, "dropout": self.dropout}

    def guess(self, clips: Clips, draws: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What was measured (B, L, 3), what of it is hidden (B, L, 1), and the guess (B, L, 3)."""
        values, hidden = clips.sensors[self.sensor], (draws < 0.5)[..., None]
        found = F.relu(self.norm(self.hidden(values.where(~hidden, 0).flatten(1))))
        return values, hidden, self.out(F.dropout(found, self.dropout, self.training)).view_as(values)

    def forward(self, clips: Clips, draws: Tensor) -> LossTerms:
        values, hidden, guess = self.guess(clips, draws)
        return {"guess": (hidden * (guess - values)).square().mean(), "size": 1e-4 * guess.square().mean()}

    def reconstruct(self, clips: Clips, draws: Tensor) -> dict[str, Reconstruction]:
        values, hidden, guess = self.guess(clips, draws)
        return {self.sensor: Reconstruction(values, values.where(~hidden, torch.nan), guess.where(hidden, values))}


def autoencoding(task: Task, *modalities: str) -> Pretraining:
    """Mu-MAE's network for the toy clips."""
    spec = TransformerSpec(size="micro", patch=6, tubelet=2, sensor_tokens=4)
    setup = Setup(
        modalities, tuple(task.store.sensors), 0, 5, 1, shape=clip_shape(task.settings), transformer=spec
    )  # fmt: skip
    with seeded("autoencoding"):
        return MaskedAutoencoding(setup, video_ratio=0.75, sensor_ratio=0.5)


def source_of(task: Task, *modalities: str) -> ClipSource:
    """All clips of a task."""
    return ClipSource(task.store, task.settings.input, modalities)


class Recording(ClipSource):
    """Remembers what it was asked for, and may refuse."""

    def __init__(self, task: Task, modalities: tuple[str, ...] = ("sensors",), fails_at: int = -1) -> None:
        super().__init__(task.store, task.settings.input, modalities)
        self.asked: list[tuple[np.ndarray, tuple[int, int] | None]] = []
        self.fails_at = fails_at

    def load(self, rows: np.ndarray, step: tuple[int, int] | None = None) -> LoadedClips:
        if len(self.asked) == self.fails_at:
            raise OSError("the disk is gone")
        self.asked.append((rows, step))
        return super().load(rows, step)


class Steps(Silent):
    """Notes the steps that are done; Ctrl-C after one of them."""

    def __init__(self, interrupted_after: int = -1) -> None:
        self.done: list[int] = []
        self.interrupted_after = interrupted_after

    def advance(self, done: int, total: int | None = None, note: str = "") -> None:
        self.done.append(done)
        if done == self.interrupted_after:
            raise KeyboardInterrupt


def pretrained(
    task: Task,
    network: Pretraining,
    state: Path,
    *,
    budget: PretrainingBudget = BUDGET,
    source: ClipSource | None = None,
    rows: np.ndarray | None = None,
    seed: int = 0,
    watcher: Watcher | None = None,
    title: str = "",
    log: Log = lambda *_: None,
    probe: ProbeFunction | None = None,
    device: Device = CPU,
) -> PretrainingProgress:
    """Pre-train a network on clips of the base classes."""
    source = source or source_of(task, *network.modalities)
    clips = PretrainingClips(source, task.role_rows("base") if rows is None else rows)
    context = TrainingContext(device, seed, state, title=title, watcher=watcher or Silent(), log=log)
    return pretrain(network, budget, clips, context, probe)
