"""A pre-training and an end-to-end training, by one process or by several that share it, and what they leave.

As ``python -m tests.helpers.rank_trainings FILE [STEP]``, alone or under ``torchrun``: with a step the pre-training is
cut off there, and the next one goes on from the state that lies beside the file.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from mmact_oneshot.harness.api import Setup
from mmact_oneshot.harness.config.budgets import Budget, PretrainingBudget
from mmact_oneshot.harness.data.task.clip_source import ClipSource, LoadedClips
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import build_encoder
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.progress import Silent
from mmact_oneshot.harness.training.loop import TrainingEpisodes, train
from mmact_oneshot.harness.training.pretraining_loop import PretrainingClips, pretrain
from mmact_oneshot.harness.training.workspace import TrainingContext
from tests.helpers.pretrainings import BOTH, autoencoding
from tests.helpers.toys import CPU, toy_task

PRETRAINING = PretrainingBudget(epochs=2, batch=24, learning_rate=0.01, checkpoints=3)
BUDGET = Budget(steps=8, episodes_per_step=4, queries=1, validations=8, learning_rate=0.01)


class SlowlyRead(ClipSource):
    """Clips that are still being read when a validation begins."""

    def load(self, rows: np.ndarray, step: tuple[int, int] | None = None) -> LoadedClips:
        time.sleep(0.05)
        return super().load(rows, step)


class CutOff(Silent):
    """Ends the process after a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def advance(self, done: int, total: int | None = None, note: str = "") -> None:
        if done == self.at:
            raise SystemExit(0)


def main(file: str, cut_off: str = "0") -> None:
    torch.set_num_threads(1)
    task, state = toy_task(), Path(file).with_suffix(".state")
    with ranks.joined():
        found = pretrained(task, state, int(cut_off)) | trained(task, state)
        if ranks.is_first():
            save_file(found, file)


def pretrained(task: Task, state: Path, cut_off: int) -> dict[str, Tensor]:
    """Weights and losses of six steps, and how often they were resumed."""
    network = autoencoding(task, *BOTH)
    clips = PretrainingClips(ClipSource(task.store, task.settings.input, BOTH), task.role_rows("base"))
    progress = pretrain(network, PRETRAINING, clips, TrainingContext(CPU, 0, state, watcher=CutOff(cut_off)))
    state.unlink(missing_ok=True)
    losses = {f"{name}, {step}": torch.tensor(loss) for step, terms in progress.losses for name, loss in terms.items()}
    return {**network.state_dict(), **losses, "resumed": torch.tensor(progress.resumed)}


def trained(task: Task, state: Path) -> dict[str, Tensor]:
    """Losses and clips of a training whose next batches are prepared while the first process validates."""

    def validate() -> float:
        time.sleep(0.2)
        return 0.5

    sensors = tuple(task.store.sensors)
    encoders = {"sensors": build_encoder("sensors", task.settings, sensors, 0)}
    method = load_method("protonet")(Setup(("sensors",), sensors, 6, 5, 1, encoders))
    sampler, rows = task.training_sampler(0, BUDGET.queries, "base")
    episodes = TrainingEpisodes(sampler, rows, SlowlyRead(task.store, task.settings.input, ("sensors",)))
    done = train(method, BUDGET, episodes, TrainingContext(CPU, 0, state), validate)
    losses = {f"{name}, {step}": torch.tensor(loss) for step, terms in done.losses for name, loss in terms.items()}
    return {**losses, "clips": torch.tensor(done.clips)}


if __name__ == "__main__":
    main(*sys.argv[1:])
