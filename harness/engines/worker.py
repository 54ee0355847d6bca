"""What a worker does: it opens the run as the driver did, and does steps of it by their ids."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from distributed import get_worker

from mmact_oneshot.harness.benchmark.request import Request
from mmact_oneshot.harness.benchmark.step_runner import StepRunner
from mmact_oneshot.harness.benchmark.steps import Step, all_steps
from mmact_oneshot.harness.engines.ending import BUSY
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.progress import Silent
from mmact_oneshot.harness.training.feature_cache import FeatureCache

TOPIC = "mmact-oneshot"
"""Of the events by which workers tell the driver what they do."""


@dataclass(frozen=True)
class Order:
    """A run as workers get it.

    Attributes:
        request: with an absolute folder for its results.
        folder: in which relative paths of the request are meant; the same on all machines.
        threads: of torch in a worker; 0 leaves it alone.
        cache_bytes: size of the cache of frozen encoders' features; 0: none.
        invocation: tells a start of the command from all others: a scheduler's workers outlive it, and what they hold
            of one may be set aside before the next.
    """

    request: Request
    folder: Path
    threads: int = 0
    cache_bytes: int = 0
    invocation: str = ""


def do_step(order: Order, step_id: str, reasons: tuple[str, ...]) -> str:
    """One step, as :meth:`mmact_oneshot.harness.benchmark.step_runner.StepRunner.do` does it.

    Raises:
        HarnessError: this machine plans another run: other files, or another precision.
    """
    with BUSY:
        return _done(order, step_id, reasons)


def _done(order: Order, step_id: str, reasons: tuple[str, ...]) -> str:
    runner, steps = _opened(order)
    if step_id not in steps:
        precision = runner.training.workspace.device.precision
        raise HarnessError(
            f"a worker on {platform.node()} has no step {step_id!r} in its plan; it computes in {precision}.",
            remedy="Files and versions must be the same on all machines; name the precision: --set precision=bfloat16.",
        )
    return runner.do(steps[step_id], reasons)


_RUNS: dict[str, tuple[StepRunner, dict[str, Step]]] = {}


def _opened(order: Order) -> tuple[StepRunner, dict[str, Step]]:
    """The run, opened once in a process; one at a time, because its data and features take memory."""
    if repr(order) not in _RUNS:
        import torch

        _RUNS.clear()
        os.chdir(order.folder)
        if order.threads:
            torch.set_num_threads(order.threads)
        workspace, plan = order.request.opened(Events())
        cache = FeatureCache(workspace.folder / "features", order.cache_bytes) if order.cache_bytes else None
        _RUNS[repr(order)] = StepRunner.of(workspace, plan, cache), all_steps(workspace, plan)
    return _RUNS[repr(order)]


class Events(Silent):
    """Tells the driver each piece of work as it ends, and each line that is worth keeping."""

    def __init__(self) -> None:
        self._title, self._note = "", ""

    def begin(self, title: str, total: int | None) -> None:
        self._title, self._note = title, ""

    def advance(self, done: int, total: int | None = None, note: str = "") -> None:
        self._note = note or self._note

    def end(self) -> None:
        self.note(f"  {self._title}{f', {self._note}' if self._note else ''}")

    def note(self, text: str) -> None:
        worker = get_worker()
        worker.log_event(TOPIC, f"  {worker.name}: {text.strip()}")
