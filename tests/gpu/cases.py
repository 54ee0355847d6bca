"""What is computed on two devices: a step and the scores of every method, and a step of both pre-trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.benchmark.conformance.bench import random_clips
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.encoders.build import clip_shape
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.training.gradients import backward
from tests.gpu.networks import CLIPS, PRETRAINED, built_method, built_pretraining, episodes, method_rows

Module = TypeVar("Module", bound=nn.Module)
SIZES = ("standard", ("input.frames=4", "input.size=48", "input.sensor_length=64"))
SMALL = (
    "quick",
    (
        "input.frames=4", "input.size=32", "input.sensor_length=32", "transformer.patch=8", "sensor_encoder.width=16",
        "video_encoder.arguments={channels=[8,16,24,32], stem_width=8}",
    ),
)  # fmt: skip
"""Presets whose networks are compared, with the sizes of the clips; ``SMALL`` for a CPU."""


@dataclass(frozen=True)
class Case:
    """Something to compute.

    Attributes:
        results: named tensors, on the CPU; from the same weights and clips whatever the device.
    """

    name: str
    results: Callable[[Device], dict[str, Tensor]]


def cases(small: bool) -> Iterator[Case]:
    """Every method of the table, end to end, on all modalities that it can use; then the pre-trainings.

    Args:
        small: with the networks of ``SMALL``.
    """
    settings = load_settings(*(SMALL if small else SIZES))
    for row in method_rows(settings):
        yield Case(row.method, partial(_of_method, row, settings))
    for name in PRETRAINED:
        yield Case(f"{name} pre-training", partial(_of_pretraining, name, settings))


def _of_method(row: Row, settings: Settings, device: Device) -> dict[str, Tensor]:
    """Scores before a step; loss and gradients of the step, where there is anything to train."""
    method = _without_dropout(built_method(row, settings).to(device.torch))
    clips = random_clips(CLIPS, row.modalities, clip_shape(settings)).to(device.torch)
    batch = episodes(device.torch)
    method.eval()
    with torch.no_grad(), device.autocast():
        embedded = method.embed(method.encode(clips))
    embedded = {name: value.float() if value.is_floating_point() else value for name, value in embedded.items()}
    with torch.set_grad_enabled(method.grad_at_test):
        found = {"scores": method.score(*batch.split(embedded))}
    if any(parameter.requires_grad for parameter in method.parameters()):
        terms = backward(method.train(), clips, batch, device, 0, "step")
        found |= {"loss": torch.stack([term.float() for term in terms.values()]).sum(), "gradients": _gradients(method)}
    return _on_cpu(found)


def _of_pretraining(name: str, settings: Settings, device: Device) -> dict[str, Tensor]:
    network = _without_dropout(built_pretraining(name, settings).to(device.torch)).train()
    clips = random_clips(CLIPS, network.modalities, clip_shape(settings)).to(device.torch)
    draws = torch.rand(CLIPS, network.draws, generator=torch.Generator().manual_seed(0)).to(device.torch)
    with device.autocast():
        terms = network(clips, draws)
    loss = torch.stack([term.float() for term in terms.values()]).sum()
    loss.backward()
    return _on_cpu({"loss": loss, "gradients": _gradients(network)})


def _without_dropout(module: Module) -> Module:
    """Devices draw other numbers."""
    for each in module.modules():
        if isinstance(each, nn.Dropout):
            each.p = 0.0
    return module


def _gradients(module: nn.Module) -> Tensor:
    """All in one vector; zero where a parameter has none."""
    parts = [torch.zeros_like(each) if each.grad is None else each.grad for each in module.parameters()]
    return torch.cat([part.float().flatten() for part in parts])


def _on_cpu(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().float().cpu() for name, value in found.items()}
