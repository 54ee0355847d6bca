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
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mmact_oneshot.harness.api import FewShotMethod, LossTerms
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.data.episodes.sampling import EpisodeSampler
from mmact_oneshot.harness.data.task.clip_source import ClipSource, LoadedClips
from mmact_oneshot.harness.data.task.transfer import batches_ahead
from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.errors import DivergedError
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.batches import EpisodeBatch, episode_batch
from mmact_oneshot.harness.training.checkpoint import load_state, save_state
from mmact_oneshot.harness.training.gradients import backward, backward_through_head
from mmact_oneshot.harness.training.micro_batch import MicroBatch
from mmact_oneshot.harness.training.optimiser import build_optimiser
from mmact_oneshot.harness.training.workspace import TrainingContext

Source = ClipSource | FeatureTable
SAVING, FREE = 10, 0.2
"""A state is kept at a validation once training has gone on for ``SAVING`` times as long as keeping the last one took,
``FREE`` seconds of that aside: large states, which take seconds, less often than small ones."""


@dataclass
class Trained:
    """What a training left behind.

    Attributes:
        validations: (step, accuracy on the validation suite).
        losses: (step, loss terms) at every validation.
        best_step: highest validation accuracy, ties to the earliest; the last step where there is no validation.
        best: state of the method at that step.
        seconds: of training, those before it was cut off included.
        waited: seconds of them in which there was no batch to train on.
        clips: that passed forward and backward.
        resumed: times that it was cut off and went on.
        halvings: (step, clips encoded at a time from then on), for each time that memory ran out.
    """

    validations: list[tuple[int, float]] = field(default_factory=list)
    losses: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    best_step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    waited: float = 0.0
    clips: int = 0
    resumed: int = 0
    halvings: list[tuple[int, int]] = field(default_factory=list)

    @property
    def accuracy(self) -> float | None:
        """Validation accuracy of the state that was kept."""
        return dict(self.validations).get(self.best_step)

    @property
    def rate(self) -> float:
        """Training clips per second."""
        return self.clips / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class TrainingEpisodes:
    """Training episodes and where their clips come from.

    Attributes:
        sampler: draws episodes by their number.
        rows: store rows of the clips that the sampler indexes.
        source: clips (the encoders are trained too) or features of frozen encoders (only the head is trained).
    """

    sampler: EpisodeSampler
    rows: np.ndarray
    source: Source


@dataclass(frozen=True)
class Stepper:
    """One optimiser step after another. Nothing in a step reads a value back from the device."""

    method: FewShotMethod
    budget: Budget
    device: Device
    seed: int
    optimiser: Optimizer
    schedule: LambdaLR
    micro_batch: MicroBatch

    @classmethod
    def of(
        cls, method: FewShotMethod, budget: Budget, device: Device, seed: int, micro_batch: MicroBatch | None = None
    ) -> Stepper:
        """With a new optimiser over all parameters that are to be trained.

        Args:
            micro_batch: None for that of the budget.
        """
        networks = (method.encoders, *method.own_encoders())
        encoders = [parameter for network in networks for parameter in network.parameters()]
        parameters = [parameter for parameter in method.parameters() if parameter.requires_grad]
        ranks.synchronise_batchnorm(method)
        optimiser, schedule = build_optimiser(parameters, budget, device, encoders)
        micro_batch = micro_batch or MicroBatch(budget.micro_batch)
        return cls(method, budget, device, seed, optimiser, schedule, micro_batch)

    def take(self, step: int, batch: EpisodeBatch, clips: LoadedClips | Source) -> LossTerms:
        """Forward, backward, clipping and update; the loss terms, on the device. Ranks average their gradients.

        Args:
            clips: those of ``batch.rows``, or the features of all clips.

        Raises:
            OutOfMemory: see :meth:`mmact_oneshot.harness.training.micro_batch.MicroBatch.fitted`.
        """
        method, device, seed = self.method.train(), self.device, (self.seed, step)

        def gradients(micro_batch: int) -> LossTerms:
            self.optimiser.zero_grad(set_to_none=True)
            with seeded(self.seed, "dropout", step, *ranks.stream()):
                if isinstance(clips, LoadedClips):
                    return backward(method, clips.to(device.torch), batch, device, micro_batch, seed)
                assert isinstance(clips, FeatureTable)
                return backward_through_head(method, clips.gather(batch.rows, device.torch), batch, device)

        encoded = len(batch.rows) if isinstance(clips, LoadedClips) else 0
        terms = self.micro_batch.fitted(gradients, method, step, encoded)
        parameters = [each for group in self.optimiser.param_groups for each in group["params"]]
        ranks.average_gradients(parameters)
        if self.budget.clip:
            torch.nn.utils.clip_grad_norm_(parameters, self.budget.clip)
        self.optimiser.step()
        self.schedule.step()
        return terms


def train(
    method: FewShotMethod,
    budget: Budget,
    episodes: TrainingEpisodes,
    context: TrainingContext,
    validate: Callable[[], float] | None,
) -> Trained:
    """Train ``method`` in place and leave it at the selected state. Its last saved state stays in the context's file,
    for the caller to delete once the weights are kept.

    Args:
        validate: accuracy on the validation suite, in evaluation mode; None keeps the last state (the paper protocol).

    Raises:
        DivergedError: a loss or a score is not finite.
        OutOfMemory: a single clip at a time is too much.
        OutOfTime: the time of the step of the run is over; the state is kept.
    """
    watcher, micro_batch = context.watcher, MicroBatch(budget.micro_batch, context.budget, context.watcher)
    stepper = Stepper.of(method, budget, context.device, context.seed, micro_batch)
    optimiser, schedule = stepper.optimiser, stepper.schedule
    trained, first = _resume(method, optimiser, schedule, context.state_file)
    micro_batch.go_on(trained.halvings)
    validated = validation_steps(budget.steps, budget.validations)
    wait = _Stopwatch()
    started = kept_at = time.perf_counter()
    saving = 0.0  # seconds that the last state took to keep

    own = ranks.share(budget.episodes_per_step, f"{context.budget}.episodes_per_step")
    steps = batches_ahead(_steps(episodes, budget, context, first, own), context.device)
    for step, batch, clips in wait.over(steps):
        terms = stepper.take(step, batch, episodes.source if clips is None else clips)
        trained.clips += len(batch.rows) * ranks.count()
        done, note = step + 1, ""
        stopped = context.clock.reason_to_stop(done, budget.steps)
        if done in validated:
            scalars = _losses(ranks.average(terms), done)
            trained.losses.append((done, scalars))
            better = True
            if validate is not None:
                accuracy = ranks.from_first(validate)
                better = accuracy > max((value for _, value in trained.validations), default=-1.0)
                trained.validations.append((done, accuracy))
                scalars = scalars | {"validation accuracy": accuracy}
                note = f"validation {accuracy:.1%}"
            if better:
                trained.best_step = done
                trained.best = {name: value.detach().cpu().clone() for name, value in method.state_dict().items()}
            if ranks.is_first():
                context.log(done, scalars)
        now = time.perf_counter()
        due = done in validated and now - kept_at >= SAVING * (saving - FREE)
        if (due or stopped) and done < budget.steps:
            trained.seconds, started = trained.seconds + now - started, now
            trained.waited, wait.seconds = trained.waited + wait.seconds, 0.0
            if ranks.is_first():
                _save(context.state_file, done, method, optimiser, schedule, trained)
            kept_at = time.perf_counter()
            saving = kept_at - now
        if stopped:
            raise stopped
        watcher.advance(done, note=note)
    trained.seconds += time.perf_counter() - started
    trained.waited += wait.seconds
    method.load_state_dict(trained.best)
    return trained


def validation_steps(steps: int, validations: int) -> set[int]:
    """Steps after which there is a validation, evenly spaced, the last included."""
    return {math.ceil(steps * (i + 1) / validations) for i in range(validations)}


def _losses(terms: dict[str, Tensor], step: int) -> dict[str, float]:
    """Loss terms as numbers; waits for the device.

    Raises:
        DivergedError: one is not finite.
    """
    scalars = {f"loss {name}": float(term) for name, term in terms.items()}
    if not all(math.isfinite(value) for value in scalars.values()):
        raise DivergedError(f"the loss is not finite at step {step}: {scalars}.", remedy="Lower the learning rate.")
    return scalars


def _steps(
    episodes: TrainingEpisodes, budget: Budget, context: TrainingContext, first: int, own: slice
) -> Iterator[tuple[int, EpisodeBatch, LoadedClips | None]]:
    """Everything a step needs but the model; for the thread that prepares batches, which knows of no other ranks."""
    source, count, device = episodes.source, budget.episodes_per_step, context.device.torch
    for step in range(first, budget.steps):
        batch = episode_batch(episodes.sampler, episodes.rows, step, count, device, own)
        yield step, batch, source.load(batch.rows, (context.seed, step)) if isinstance(source, ClipSource) else None


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
    """Continue from the last saved state of a training that was cut off, unless it was another: its rate tells."""
    state = load_state(path)
    if state is None or state.get("schedule", {}).get("base_lrs") != schedule.base_lrs:
        return Trained(), 0
    method.load_state_dict(state["method"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    trained = Trained(**state["trained"])
    trained.validations = [(int(step), float(value)) for step, value in trained.validations]
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
