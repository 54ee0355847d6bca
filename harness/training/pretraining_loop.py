"""The pre-training loop: single clips without labels, epoch after epoch, by AdamW under a cosine schedule."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from mmact_oneshot.harness.api import LossTerms, Pretraining
from mmact_oneshot.harness.config.budgets import PretrainingBudget
from mmact_oneshot.harness.data.task.clip_source import ClipSource, LoadedClips
from mmact_oneshot.harness.data.task.transfer import batches_ahead
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.errors import DivergedError
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.checkpoint import load_state, save_state
from mmact_oneshot.harness.training.compilation import compile_calls
from mmact_oneshot.harness.training.loop import validation_steps
from mmact_oneshot.harness.training.optimiser import build_pretraining_optimiser
from mmact_oneshot.harness.training.pretraining_draws import mask_draws, rows_of_step
from mmact_oneshot.harness.training.workspace import TrainingContext

ProbeFunction = Callable[[Pretraining], dict[str, float]]


@dataclass
class PretrainingProgress:
    """How far a pre-training is, and what it left behind in the end.

    Attributes:
        losses: at every checkpoint: its step, and the mean of each loss term over the steps since the one before.
        probes: at evenly spaced steps: the step, and the accuracy on the validation suite by modality.
        seconds: of training, those before it was cut off included.
        waited: seconds of them in which there was no clip to train on.
        clips: that went through the network.
        resumed: times that it was cut off and went on.
        steps: trained.
    """

    losses: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    probes: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    seconds: float = 0.0
    waited: float = 0.0
    clips: int = 0
    resumed: int = 0
    steps: int = 0

    @property
    def rate(self) -> float:
        """Clips per second."""
        return self.clips / self.seconds if self.seconds else 0.0

    @property
    def waiting(self) -> float:
        """Share of the time in which there was no clip to train on."""
        return self.waited / self.seconds if self.seconds else 0.0

    def note(self, steps: int) -> str:
        """Speed, share of the time spent waiting for data, and the time that is left of so many steps."""
        rate = f"{self.rate:,.{int(self.rate < 10)}f} clips/s"
        note = f"{rate}, {self.waiting * 100:.0f} % waiting for data"
        left = (steps - self.steps) * self.seconds / max(1, self.steps)
        return f"{note}, {_duration(left)} left" if self.steps < steps else note


@dataclass(frozen=True)
class PretrainingClips:
    """Clips to learn from.

    Attributes:
        source: what is read is augmented.
        rows: store rows, each once in every epoch.
    """

    source: ClipSource
    rows: np.ndarray


def pretrain(
    network: Pretraining,
    budget: PretrainingBudget,
    clips: PretrainingClips,
    context: TrainingContext,
    probe: ProbeFunction | None = None,
) -> PretrainingProgress:
    """Train ``network`` in place, and leave it on the device at its last state.

    The state is kept at every checkpoint, the last included, until whoever called has kept the network. Losses are read
    at checkpoints only, because reading them makes the CPU wait for the device.

    Args:
        probe: called before the first step and at ``budget.probes`` evenly spaced ones; its time does not count.

    Raises:
        DivergedError: a loss is not finite.
        OutOfMemory: a step's clips are too many. They are not taken in pieces: a loss may be a mean over some of them.
        OutOfTime: the time of the step of the run is over; the state is kept.
    """
    context.watcher.begin(context.title, budget.steps(len(clips.rows)))
    try:
        return _pretrain(network, budget, clips, context, probe)
    finally:
        context.watcher.end()


def _pretrain(
    network: Pretraining,
    budget: PretrainingBudget,
    clips: PretrainingClips,
    context: TrainingContext,
    probe: ProbeFunction | None,
) -> PretrainingProgress:
    device, steps = context.device, budget.steps(len(clips.rows))
    network.to(device.torch).train()
    compile_calls(network, device)
    optimiser, schedule = build_pretraining_optimiser(network, budget, steps, device)
    parts = {"network": network, "optimiser": optimiser, "schedule": schedule}
    identity = _identity(network, budget, clips.rows, context.seed)
    progress, kept = _resume(context.state_file, identity, parts)
    checkpoints = validation_steps(steps, budget.checkpoints)
    probed = validation_steps(steps, budget.probes)
    if probe is not None and probed and not progress.probes:
        _probe(probe, network, progress, context)  # what the untrained network says
    totals: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=device.torch))
    totals.update({name: total.to(device.torch) for name, total in kept.items()})
    own = ranks.share(budget.batch, "pretraining.batch")
    batches = batches_ahead(_batches(network, budget, clips, context.seed, range(progress.steps, steps), own), device)
    started = time.perf_counter() - progress.seconds

    for step in range(progress.steps, steps):
        waiting = time.perf_counter()
        loaded, draws = next(batches)
        progress.waited += time.perf_counter() - waiting

        rate = float(schedule.get_last_lr()[0])
        with seeded(context.seed, "pretraining", step, *ranks.stream()):
            terms = pretraining_step(network, loaded, draws, budget, device, optimiser)
        schedule.step()

        for name, term in terms.items():
            totals[name] += term.detach()
        progress.steps, progress.clips = step + 1, progress.clips + budget.batch
        means = _means(ranks.average(totals), progress) if progress.steps in checkpoints else {}
        progress.seconds = time.perf_counter() - started
        context.watcher.advance(progress.steps, note=progress.note(steps) if means else "")
        if means:
            totals.clear()
        if means and ranks.is_first():
            speed = {"clips per second": progress.rate, "waiting share": progress.waiting}
            context.log(progress.steps, means | {"learning rate": rate} | speed)
        if probe is not None and progress.steps in probed:
            _probe(probe, network, progress, context)
            started = time.perf_counter() - progress.seconds
        stopped = context.clock.reason_to_stop(progress.steps, steps)
        if (means or stopped) and ranks.is_first():
            save_state(context.state_file, _state(identity, parts, progress, totals))
        if stopped:
            raise stopped
    return progress


def pretraining_step(
    network: Pretraining,
    loaded: LoadedClips,
    draws: Tensor,
    budget: PretrainingBudget,
    device: Device,
    optimiser: Optimizer,
) -> LossTerms:
    """Forward, backward, clipping and update; the loss terms, on the device. Reads nothing back from it."""
    batch, draws = loaded.to(device.torch), draws.to(device.torch, non_blocking=True)
    with device.autocast():
        terms = {f"loss {name}": term.float() for name, term in network(batch, draws).items()}
    optimiser.zero_grad(set_to_none=True)
    torch.stack(list(terms.values())).sum().backward()
    ranks.average_gradients(network.parameters())
    if budget.clip:
        torch.nn.utils.clip_grad_norm_(network.parameters(), budget.clip)
    optimiser.step()
    return terms


def _probe(probe: ProbeFunction, network: Pretraining, progress: PretrainingProgress, context: TrainingContext) -> None:
    """Note what a probe finds at this step."""
    accuracies = ranks.from_first(lambda: probe(network))
    progress.probes.append((progress.steps, accuracies))
    if not ranks.is_first():
        return
    context.log(progress.steps, {f"probe {name}": share for name, share in accuracies.items()})
    shares = ", ".join(f"{name} {share:.1%}" for name, share in accuracies.items())
    context.watcher.advance(progress.steps, note=f"probe on validation classes: {shares}")


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _batches(
    network: Pretraining, budget: PretrainingBudget, clips: PretrainingClips, seed: int, steps: range, own: slice
) -> Iterator[tuple[LoadedClips, Tensor]]:
    """Everything that a step needs but the network; for the thread that prepares batches, which knows of no other
    ranks: ``own`` is this one's part of a step."""
    for step in steps:
        chosen = rows_of_step(clips.rows, budget.batch, seed, step)[own]
        yield clips.source.load(chosen, (seed, step)), mask_draws((budget.batch, network.draws), seed, step)[own]


def _means(totals: dict[str, Tensor], progress: PretrainingProgress) -> dict[str, float]:
    """Note the mean of each term since the last checkpoint; waits for the device."""
    since = progress.losses[-1][0] if progress.losses else 0
    means = {name: float(total) / (progress.steps - since) for name, total in totals.items()}
    if not all(math.isfinite(mean) for mean in means.values()):
        raise DivergedError(
            f"the loss of the pre-training is not finite between steps {since} and {progress.steps}: {means}.",
            remedy="Lower the learning rate of the pre-training, or clip its gradients.",
        )
    progress.losses.append((progress.steps, means))
    return means


def _identity(network: Pretraining, budget: PretrainingBudget, rows: np.ndarray, seed: int) -> str:
    """What a state must agree in to be continued."""
    clips = hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
    return json.dumps(
        [network.describe(), budget.model_dump(exclude={"seed", "picture", "probes"}), clips, seed], sort_keys=True
    )


def _state(
    identity: str, parts: dict[str, Any], progress: PretrainingProgress, totals: dict[str, Tensor]
) -> dict[str, Any]:
    states = {name: part.state_dict() for name, part in parts.items()}
    return {"identity": identity, "progress": vars(progress), "totals": dict(totals), **states}


def _resume(path: Path, identity: str, parts: dict[str, Any]) -> tuple[PretrainingProgress, dict[str, Tensor]]:
    """Continue from the last state of a pre-training that was cut off, unless it was another; with the sums of its
    losses since the last checkpoint."""
    state = load_state(path)
    if state is None or state.get("identity") != identity:
        return PretrainingProgress(), {}
    for name, part in parts.items():
        part.load_state_dict(state[name])
    progress = PretrainingProgress(**state["progress"])
    progress.resumed += 1
    return progress, state.get("totals", {})
