"""When a step of a run stops before it is done: its time is up, or its process is to end. Asked between two steps of an
optimiser, where a training can keep its state."""

from __future__ import annotations

import threading
import time

from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.errors import Ending, HarnessError, OutOfTime

ENDING = threading.Event()
"""Set where this process is to end; for steps that run in a thread, which no signal reaches."""


class StepClock:
    """The time that each step of a run has, by the wall clock.

    Args:
        minutes: None for as long as it takes.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.minutes = minutes
        self._started = time.monotonic()

    def start(self) -> None:
        """A step of the run begins."""
        self._started = time.monotonic()

    def reason_to_stop(self, done: int, steps: int) -> HarnessError | None:
        """Why a training stops now; None where it goes on, or is done. The same on all ranks, by the first one's clock.

        Args:
            done: steps of the optimiser.
            steps: in all.
        """
        if done >= steps:
            return None
        if ENDING.is_set():
            return Ending(f"stopped after step {done} of {steps}: the process was told to end.")
        if self.minutes is None or not ranks.from_first(self._over):
            return None
        return OutOfTime(
            f"out of time after {self.minutes:g} min, at step {done} of {steps} of the training.",
            remedy="Its state is kept: the same command goes on from there, with as much time again; --time-limit "
            "gives more.",
        )

    def _over(self) -> bool:
        return self.minutes is not None and time.monotonic() - self._started >= 60 * self.minutes
