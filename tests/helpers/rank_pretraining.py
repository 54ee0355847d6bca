"""A pre-training of six steps by one process or by several that share it, and its weights in a file.

As ``python -m tests.helpers.rank_pretraining FILE [STEP]``, alone or under ``torchrun``: with a step it is cut off
there, and the next one goes on from the state that lies beside the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from mmact_oneshot.harness.config.budgets import PretrainingBudget
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.progress import Silent
from mmact_oneshot.harness.training.pretraining_loop import PretrainingClips, pretrain
from mmact_oneshot.harness.training.workspace import TrainingContext
from tests.helpers.pretrainings import BOTH, autoencoding
from tests.helpers.toys import CPU, toy_task

BUDGET = PretrainingBudget(epochs=2, batch=24, learning_rate=0.01, checkpoints=3)


class CutOff(Silent):
    """Ends the process after a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def advance(self, done: int, total: int | None = None, note: str = "") -> None:
        if done == self.at:
            raise SystemExit(0)


def main(file: str, cut_off: str = "0") -> None:
    torch.set_num_threads(1)
    task = toy_task()
    with ranks.joined():
        network = autoencoding(task, *BOTH)
        clips = PretrainingClips(ClipSource(task.store, task.settings.input, BOTH), task.role_rows("base"))
        context = TrainingContext(CPU, 0, Path(file).with_suffix(".state"), watcher=CutOff(int(cut_off)))
        progress = pretrain(network, BUDGET, clips, context)
        if ranks.is_first():
            losses = {
                f"loss {step} {name}": torch.tensor(v) for step, terms in progress.losses for name, v in terms.items()
            }
            save_file({**network.state_dict(), **losses, "resumed": torch.tensor(progress.resumed)}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
