"""The pre-training loop: single clips without labels, epoch after epoch, by AdamW under a cosine."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.api import Pretraining
from harness.config.budgets import PretrainingBudget
from harness.data.task.clip_source import ClipSource, LoadedClips
from harness.encoders.build import seeded
from harness.runtime.device import Device
from harness.runtime.errors import DivergedError
from harness.runtime.progress import Watcher
from harness.training.checkpoint import load_state, save_state
from harness.training.episodic import Curves
from harness.training.loop import Report
from harness.training.optimiser import build_pretraining_optimiser
from harness.training.prefetch import ahead
from harness.training.pretraining_draws import mask_draws, rows_of_step


@dataclass
class Pretrained:
    """What a pre-training left behind.

    Attributes:
        losses: at every look: its step, and the mean of each loss term over the steps since the look before.
        seconds: of training, those before it was cut off included.
        waited: seconds of them in which there was no clip to train on.
        clips: that went through the network.
        resumed: times that it was cut off and went on.
        steps: trained.
    """

    losses: list[tuple[int, dict[str, float]]] = field(default_factory=list)
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


def run_pretraining(
    network: Pretraining,
    budget: PretrainingBudget,
    source: ClipSource,
    rows: np.ndarray,
    *,
    device: Device,
    seed: int,
    state_file: Path,
    title: str,
    watcher: Watcher,
    curves: Curves,
) -> Pretrained:
    """Pre-train ``network`` as :func:`pretrain` does, with progress and curves."""
    steps = budget.steps(len(rows))
    so_far = Pretrained()
    watcher.begin(title, steps)

    def report(step: int, scalars: dict[str, float]) -> None:
        watcher.advance(step, note=progress_note(so_far, steps) if scalars else "")
        if scalars:
            curves(step, scalars | {"clips per second": so_far.rate, "waiting share": so_far.waiting})

    try:
        return pretrain(
            network, budget, source, rows,
            device=device, seed=seed, state_file=state_file, report=report, so_far=so_far,
        )  # fmt: skip
    finally:
        watcher.end()


def pretrain(
    network: Pretraining,
    budget: PretrainingBudget,
    source: ClipSource,
    rows: np.ndarray,
    *,
    device: Device,
    seed: int,
    state_file: Path,
    report: Report,
    so_far: Pretrained | None = None,
) -> Pretrained:
    """Train ``network`` in place, and leave it on the device at its last state.

    Args:
        source: of the clips; those that are read are augmented.
        rows: store rows of the clips that it may see, each once in every epoch.
        seed: clips, augmentation, masks and dropout of a step depend on (seed, step) alone, so a training that was cut
            off continues from its last look to the same result.
        state_file: where the state at every look is kept, the last included, until whoever called has kept the network.
        report: called with (step, scalars) after every step; there are scalars at looks only, because reading them
            makes the CPU wait for the device.
        so_far: is kept up to date, for who follows the training, and returned.

    Raises:
        DivergedError: a loss is not finite.
    """
    network.to(device.torch).train()
    steps = budget.steps(len(rows))
    optimiser, schedule = build_pretraining_optimiser(network, budget, steps, device)
    parts = {"network": network, "optimiser": optimiser, "schedule": schedule}
    identity = _identity(network, budget, rows, seed)
    trained = Pretrained() if so_far is None else so_far
    _resume(state_file, identity, parts, trained)
    looks = {math.ceil(steps * (i + 1) / budget.looks) for i in range(budget.looks)}
    totals: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=device.torch))
    batches = ahead(_batches(network, budget, source, rows, seed, range(trained.steps, steps)))
    started = time.perf_counter() - trained.seconds

    for step in range(trained.steps, steps):
        waiting = time.perf_counter()
        loaded, draws = next(batches)
        trained.waited += time.perf_counter() - waiting

        clips, draws = loaded.to(device.torch), draws.to(device.torch, non_blocking=True)
        with seeded(seed, "pretraining", step), device.autocast():
            terms = {f"loss {name}": term.float() for name, term in network(clips, draws).items()}
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        if budget.clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), budget.clip)
        learning_rate = float(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()

        for name, term in terms.items():
            totals[name] += term.detach()
        trained.steps, trained.clips = step + 1, trained.clips + budget.batch
        means = _means(totals, trained) if trained.steps in looks else {}
        trained.seconds = time.perf_counter() - started
        report(trained.steps, means | {"learning rate": learning_rate} if means else {})
        if means:
            save_state(state_file, _state(identity, parts, trained))
    return trained


def progress_note(pretrained: Pretrained, steps: int) -> str:
    """How fast it goes, whether reading holds it up, and how long it will take if it goes on so."""
    rate = f"{pretrained.rate:,.{int(pretrained.rate < 10)}f} clips/s"
    note = f"{rate}, {pretrained.waiting * 100:.0f} % waiting for data"
    left = (steps - pretrained.steps) * pretrained.seconds / max(1, pretrained.steps)
    return f"{note}, {_duration(left)} left" if pretrained.steps < steps else note


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _batches(
    network: Pretraining, budget: PretrainingBudget, source: ClipSource, rows: np.ndarray, seed: int, steps: range
) -> Iterator[tuple[LoadedClips, Tensor]]:
    """Everything that a step needs but the network."""
    for step in steps:
        chosen = rows_of_step(rows, budget.batch, seed, step)
        yield source.load(chosen, (seed, step)), mask_draws((budget.batch, network.draws), seed, step)


def _means(totals: dict[str, Tensor], trained: Pretrained) -> dict[str, float]:
    """Note the mean of each term since the last look, and begin anew; waits for the device."""
    since = trained.losses[-1][0] if trained.losses else 0
    means = {name: float(total) / (trained.steps - since) for name, total in totals.items()}
    if not all(math.isfinite(mean) for mean in means.values()):
        raise DivergedError(
            f"the loss of the pre-training is not finite between steps {since} and {trained.steps}: {means}.",
            remedy="Lower the learning rate of the pre-training, or cut its gradients (clip).",
        )
    trained.losses.append((trained.steps, means))
    totals.clear()
    return means


def _identity(network: Pretraining, budget: PretrainingBudget, rows: np.ndarray, seed: int) -> str:
    """What a state must agree in to be continued."""
    clips = hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
    return json.dumps([network.describe(), budget.model_dump(exclude={"seed", "picture"}), clips, seed], sort_keys=True)


def _state(identity: str, parts: dict[str, Any], trained: Pretrained) -> dict[str, Any]:
    return {"identity": identity, "trained": vars(trained), **{name: part.state_dict() for name, part in parts.items()}}


def _resume(path: Path, identity: str, parts: dict[str, Any], trained: Pretrained) -> None:
    """Continue from the last look of a pre-training that was cut off, unless it was another."""
    state = load_state(path)
    if state is None or state.get("identity") != identity:
        return
    for name, part in parts.items():
        part.load_state_dict(state[name])
    vars(trained).update(state["trained"])
    trained.resumed += 1
