"""The micro-batch of a training: what its budget says, and half of it from a step on that runs out of memory.

The step is done again as if it had not been tried. Gradients are those of the whole step whatever the micro-batch
(:mod:`mmact_oneshot.harness.training.gradients`), but for the draws of dropout in the encoders, so that the sizes are
written beside the times of a record and not among its conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import nn

from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.errors import OutOfMemory
from mmact_oneshot.harness.runtime.memory import first_line, halved, ran_out_of_memory
from mmact_oneshot.harness.runtime.progress import Silent, Watcher

T = TypeVar("T")


@dataclass
class MicroBatch:
    """Clips that are encoded at a time in training.

    Attributes:
        size: 0 for all of a step.
        budget: name of the setting that it belongs to, for messages.
        watcher: is told where it is halved.
        halvings: (step, clips at a time from then on), one for each time that memory ran out; appended to.
    """

    size: int
    budget: str = "end_to_end"
    watcher: Watcher = field(default_factory=Silent)
    halvings: list[tuple[int, int]] = field(default_factory=list)

    def go_on(self, halvings: list[tuple[int, int]]) -> None:
        """Add to these, which a training had before it was cut off, from the size that it had by then."""
        self.halvings = halvings
        if halvings:
            self.size = halvings[-1][1]

    def fitted(self, work: Callable[[int], T], method: nn.Module, step: int, clips: int) -> T:
        """What ``work`` gives with the largest micro-batch, of the size in force or less, that fits into memory.

        Args:
            work: forward and backward passes, from a micro-batch; leaves nothing behind but gradients, which it
                removes when it begins, and buffers of the method.
            clips: of the step; 0 where it has none to encode, and so nothing to halve.

        Raises:
            OutOfMemory: a single clip is too much; or memory ran out where several processes share the step, which
                would have to try again together.
        """
        while True:
            at_once = min(self.size or clips, clips)
            single = " with one clip encoded at a time" if at_once else ""
            try:
                with buffers_kept(method):
                    return work(self.size)
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error):
                    raise
                if ranks.count() > 1:
                    raise OutOfMemory(
                        f"out of memory at step {step}: {first_line(error)}.",
                        remedy=f"Several processes share the training: --set {self.budget}.micro_batch="
                        f"{max(1, at_once // 2)} for all of them.",
                    ) from error
                if at_once <= 1:
                    raise OutOfMemory(
                        f"out of memory at step {step}{single}: {first_line(error)}.",
                        remedy=f"Lower {self.budget}.episodes_per_step or {self.budget}.queries, which changes the "
                        "training, or use a device with more memory.",
                    ) from error
                self.size = halved(error, at_once, "clips", self.watcher)
                self.halvings.append((step, self.size))


@contextmanager
def buffers_kept(module: nn.Module) -> Iterator[None]:
    """Put buffers (statistics of BatchNorm, say) back where what follows fails."""
    before = {name: value.clone() for name, value in module.named_buffers()}
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for name, value in module.named_buffers():
                value.copy_(before[name])
        raise
