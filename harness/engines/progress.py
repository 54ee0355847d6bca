"""Progress of a graph of steps on the terminal: how many are done, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from mmact_oneshot.harness.benchmark.steps import Step
from mmact_oneshot.harness.engines.workload import size_of
from mmact_oneshot.harness.training.workspace import Workspace

ENOUGH = 0.01  # of all clips, before the time that is left is told: steps without training are done at once


class GraphProgress:
    """Tells the run's watcher what is done; the time left is in proportion to the clips that are still to pass."""

    def __init__(self, workspace: Workspace, steps: Sequence[Step]) -> None:
        self._watcher, self._count = workspace.watcher, len(steps)
        self._sizes = {step.id: size_of(workspace, step) for step in steps}
        self._done = 0.0
        self._finished = 0

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._watcher.begin(f"{self._count} steps", self._count)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._watcher.end()

    def done(self, step: Step) -> None:
        """A step is over, whatever became of it."""
        self._done += self._sizes[step.id]
        self._finished += 1
        share, note = self._done / sum(self._sizes.values()), f"{step.id} done"
        if share >= ENOUGH:
            left = (1 - share) / share * (time.monotonic() - self._started)
            note += f", about {left / 60:.0f} min left"
        self._watcher.advance(self._finished, note=note)

    def note(self, line: str) -> None:
        """A line worth keeping."""
        self._watcher.note(line)
