"""Whole training steps and evaluations on the stand-in accelerator, at the sizes of a preset.

As ``python -m tests.helpers.stand_in_steps full bfloat16``, in a process of its own: tensors without content must not
reach what modules keep. Prints a line of JSON for each row; see :class:`Found`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.benchmark.conformance.gap import described
from mmact_oneshot.harness.benchmark.cost.memory import step_bytes
from mmact_oneshot.harness.benchmark.cost.networks import feature_sum, pretraining_of
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.encoders.build import clips_like
from mmact_oneshot.harness.evaluation.features import FeatureTable, encode_clips
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.stand_in import READS_BACK, like, move, shapes_alone, stand_in
from mmact_oneshot.harness.training.loop import Stepper
from mmact_oneshot.harness.training.optimiser import build_pretraining_optimiser
from mmact_oneshot.harness.training.pretraining_loop import pretraining_step
from tests.helpers.live_bytes import LiveBytes
from tests.helpers.stand_in_evaluation import evaluate
from tests.helpers.stand_in_planted import PLANTED, planted_step
from tests.helpers.stand_in_rows import SENSORS, built, built_pretraining, episodes, loaded, parameters_of, rows, source


@dataclass
class Found:
    """What a row did.

    Attributes:
        failure: how it failed, if it did.
        clips: of the training step; 0 where there is nothing to train.
        terms: of its loss.
        copied: tensors that the step copied to main memory.
        peak: bytes alive on the device in the step, at most.
        estimate: bytes that the harness expects of it; 0 where it expects none: for heads on frozen features.
        evaluation: what was copied to main memory by the parts of an evaluation.
    """

    row: str
    failure: str = ""
    clips: int = 0
    terms: list[str] = field(default_factory=list)
    copied: int = 0
    peak: int = 0
    estimate: int = 0
    evaluation: dict[str, float] = field(default_factory=dict)


def main(preset: str, precision: str) -> None:
    for found, work in _works(load_settings(preset), Device(stand_in(), precision)):
        try:
            work(found)
        except READS_BACK as error:
            found.failure = f"reads a value back: {described(error)}"
        except Exception as error:
            found.failure = described(error)
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        sys.stdout.flush()


def _works(settings: Settings, device: Device) -> Iterator[tuple[Found, Callable[[Found], None]]]:
    for number, (name, row, own) in enumerate(rows(settings)):
        yield Found(name), partial(_row, row=row, settings=own, device=device, augment=number == 0)
    for name in ("mu_mae", "videomae"):
        row = Row(method=name, modalities=load_method(name).needs.modalities)
        yield Found(f"{name} pre-training"), partial(_pretraining, row=row, settings=settings, device=device)
    for kind in PLANTED:
        yield Found(f"planted {kind.__name__}"), partial(_planted, kind=kind, device=device)


def _row(found: Found, row: Row, settings: Settings, device: Device, augment: bool) -> None:
    """A step and, where the encoders are trained with the head, the scores of a suite."""
    method = built(row, settings)
    trained = any(parameter.requires_grad for parameter in method.parameters())
    budget, end_to_end = settings.budget(row.training), row.training == "end_to_end"
    if trained and end_to_end:
        each = budget.clips_per_step(settings.way, settings.shot)
        clips, at_once = clips_like(settings, row.modalities, SENSORS, 2), min(budget.micro_batch or each, each)
        found.estimate = step_bytes(method, feature_sum, clips, at_once, device, each)
    with shapes_alone() as border, LiveBytes() as live:
        move(method)
        if trained:
            batch = episodes(settings, budget)
            found.clips, stepper = len(batch.rows), Stepper.of(method, budget, device, 0)
            taken: Any = loaded(settings, row.modalities, found.clips, augment=augment)
            if not end_to_end:
                taken = _features(method, row, settings, device)
            found.terms = _measured(
                found, stepper.optimiser, live, border.copied, lambda: stepper.take(0, batch, taken)
            )
        if end_to_end:
            found.evaluation = evaluate(method, source(settings, row.modalities, 8), device, border.copied)


def _pretraining(found: Found, row: Row, settings: Settings, device: Device) -> None:
    network, budget = built_pretraining(row, settings), settings.pretraining
    loss = pretraining_of(settings, network.modalities, lambda: network, "", "").loss
    clips = clips_like(settings, network.modalities, SENSORS, 2)
    found.estimate, found.clips = step_bytes(network, loss, clips, budget.batch, device), budget.batch
    with shapes_alone() as border, LiveBytes() as live:
        move(network)
        optimiser, _ = build_pretraining_optimiser(network, budget, 10, device)
        batch = loaded(settings, network.modalities, budget.batch, augment=False)
        draws = torch.empty(budget.batch, network.draws)
        found.terms = _measured(
            found,
            optimiser,
            live,
            border.copied,
            lambda: pretraining_step(network, batch, draws, budget, device, optimiser),
        )


def _planted(found: Found, kind: type[FewShotMethod], device: Device) -> None:
    with shapes_alone() as border:
        found.terms = list(planted_step(kind, device))
    found.copied = len(border.copied)


def _measured(
    found: Found, optimiser: Optimizer, live: LiveBytes, copied: list[Any], step: Callable[[], dict[str, Any]]
) -> list[str]:
    """Take a step that is not the first: the optimiser has its averages. Names of the loss terms."""
    for parameter in parameters_of(optimiser):
        parameter.grad = like(parameter)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    live.peak, before = live.now, len(copied)
    terms = list(step())
    found.peak, found.copied = live.peak, len(copied) - before
    return terms


def _features(method: FewShotMethod, row: Row, settings: Settings, device: Device) -> FeatureTable:
    """Two clips through the frozen encoders."""
    return encode_clips(method.eval().encode, source(settings, row.modalities, 2), np.arange(2), device, 2)


if __name__ == "__main__":
    main(*sys.argv[1:])
