"""The episodic training loop: several episodes a step, selection on fixed validation episodes, best state kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.api import FewShotMethod
from harness.config.budgets import Budget
from harness.data.episodes.sampling import EpisodeSampler
from harness.data.task.clip_source import ClipSource, LoadedClips
from harness.encoders.build import seeded
from harness.evaluation.features import FeatureTable
from harness.runtime.device import Device
from harness.runtime.errors import DivergedError
from harness.training.batches import EpisodeBatch, episode_batch
from harness.training.checkpoint import load_state, save_state
from harness.training.gradients import backward, backward_through_head
from harness.training.optimiser import build_optimiser
from harness.training.prefetch import ahead


@dataclass
class Trained:
    """What a training left behind.

    Attributes:
        trace: (step, validation accuracy) of every look.
        losses: (step, loss terms) at every look.
        best_step: highest validation accuracy, ties to the earliest; the last step where there is no validation.
        best: state of the method at that step.
    """

    trace: list[tuple[int, float]] = field(default_factory=list)
    losses: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    best_step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    waited: float = 0.0
    clips: int = 0
    resumed: int = 0

    @property
    def rate(self) -> float:
        """Training clips per second."""
        return self.clips / self.seconds if self.seconds else 0.0


Report = Callable[[int, dict[str, float]], None]


def train(
    method: FewShotMethod,
    budget: Budget,
    sampler: EpisodeSampler,
    rows: np.ndarray,
    *,
    source: ClipSource | FeatureTable,
    validate: Callable[[], float] | None,
    device: Device,
    seed: int,
    state_file: Path,
    report: Report,
) -> Trained:
    """Train ``method`` in place and leave it at the selected state.

    Args:
        sampler, rows: training episodes and the store rows of their clips.
        source: clips (the encoders are trained too) or features of frozen encoders (only the head is trained).
        validate: accuracy on the validation suite, in evaluation mode; None keeps the last state (the paper suite).
        seed: of this training; draws, augmentation and dropout of a step depend on (seed, step) alone, so a run that
            was cut off continues from its last look to the same result.
        state_file: where the state at every look is kept until the training is complete.
        report: called with (step, scalars) at every look and every few steps.
    """
    parameters = [p for p in method.parameters() if p.requires_grad]
    optimiser, schedule = build_optimiser(parameters, budget, device)
    trained, first = _resume(method, optimiser, schedule, state_file)
    looks = _looks(budget)
    started = time.perf_counter()
    wait = _Stopwatch()

    def count_time() -> None:
        nonlocal started
        now = time.perf_counter()
        trained.seconds, started = trained.seconds + now - started, now
        trained.waited, wait.seconds = trained.waited + wait.seconds, 0.0

    for step, batch, clips in wait.over(ahead(_steps(sampler, rows, source, budget, seed, first, device))):
        method.train()
        optimiser.zero_grad(set_to_none=True)
        with seeded(seed, "dropout", step):
            if clips is not None:
                terms = backward(method, clips.to(device.torch), batch, device, budget.micro_batch, (seed, step))
            else:
                assert isinstance(source, FeatureTable)
                encoded = source.gather(batch.rows, device.torch)
                terms = backward_through_head(method, encoded, batch, device)
        if budget.clip:
            torch.nn.utils.clip_grad_norm_(parameters, budget.clip)
        optimiser.step()
        schedule.step()
        trained.clips += len(batch.rows)
        done = step + 1
        if done in looks:
            scalars = {f"loss {name}": float(term) for name, term in terms.items()}
            if not all(math.isfinite(value) for value in scalars.values()):
                raise DivergedError(
                    f"the loss is not finite at step {done}: {scalars}.", remedy="Lower the learning rate."
                )
            trained.losses.append((done, scalars))
            better = True
            if validate is not None:
                accuracy = validate()
                better = accuracy > max((value for _, value in trained.trace), default=-1.0)
                trained.trace.append((done, accuracy))
                scalars["validation accuracy"] = accuracy
            if better:
                trained.best_step = done
                trained.best = {name: value.detach().cpu().clone() for name, value in method.state_dict().items()}
            report(done, scalars)
            if done < budget.steps:
                count_time()
                _save(state_file, done, method, optimiser, schedule, trained)
        else:
            report(done, {})
    count_time()
    method.load_state_dict(trained.best)
    state_file.unlink(missing_ok=True)
    return trained


def _steps(
    sampler: EpisodeSampler,
    rows: np.ndarray,
    source: ClipSource | FeatureTable,
    budget: Budget,
    seed: int,
    first: int,
    device: Device,
) -> Iterator[tuple[int, EpisodeBatch, LoadedClips | None]]:
    """Everything a step needs but the model."""
    for step in range(first, budget.steps):
        batch = episode_batch(sampler, rows, step, budget.episodes_per_step, device.torch)
        yield step, batch, source.load(batch.rows, (seed, step)) if isinstance(source, ClipSource) else None


def _looks(budget: Budget) -> set[int]:
    """Steps after which validation is looked at, evenly spaced, the last included."""
    return {math.ceil(budget.steps * (i + 1) / budget.looks) for i in range(budget.looks)}


def _save(path: Path, step: int, method: FewShotMethod, optimiser: Any, schedule: Any, trained: Trained) -> None:
    save_state(
        path,
        {
            "step": step,
            "method": method.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
            "trained": vars(trained).copy(),
        },
    )


def _resume(method: FewShotMethod, optimiser: Any, schedule: Any, path: Path) -> tuple[Trained, int]:
    """Continue from the last look of a run that was cut off, unless it was another: its learning rate tells."""
    state = load_state(path)
    if state is None or state["schedule"]["base_lrs"] != schedule.base_lrs:
        return Trained(), 0
    method.load_state_dict(state["method"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    trained = Trained(**state["trained"])
    trained.trace = [(int(step), float(value)) for step, value in trained.trace]
    trained.resumed += 1
    return trained, int(state["step"])


class _Stopwatch:
    """Time spent waiting for an iterator."""

    seconds = 0.0

    def over(self, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            start = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            self.seconds += time.perf_counter() - start
            yield item
