"""How many clips a second pass a network on this device: short measurements on random clips."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from mmact_oneshot.harness.api import NotApplicable
from mmact_oneshot.harness.benchmark.cost.networks import Network
from mmact_oneshot.harness.encoders.placement import placed
from mmact_oneshot.harness.runtime.device import Device

BATCH = 16
PATIENCE = 0.5  # seconds
REPEATED = 0.2  # seconds of passes, whose median counts


class Rates(NamedTuple):
    """Clips per second, forward and backward, and forward alone; reading them is not included."""

    trained: float
    encoded: float


def measure_rates(network: Network, sensors: tuple[str, ...], device: Device) -> Rates:
    """Of a network; infinite where it does not apply."""
    try:
        built = placed(network.build(), device.torch)
    except NotApplicable:
        return Rates(float("inf"), float("inf"))
    clips = network.clips(sensors, BATCH, torch.rand).to(device.torch)

    def loss(count: int) -> Tensor:
        return network.loss(built, clips[:count])

    return Rates(_rate(loss, device, train=True), _rate(loss, device, train=False))


def _rate(loss: Callable[[int], Tensor], device: Device, train: bool) -> float:
    """Of passes of ``BATCH`` clips; of a single one where that alone takes long."""

    def seconds(count: int) -> float:
        started = time.perf_counter()
        with torch.set_grad_enabled(train), device.autocast():
            value = loss(count)
        if train:
            value.backward()
        if device.torch.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    seconds(1)  # the first pass of all pays for the device's set-up
    alone = seconds(1)
    if alone > PATIENCE:
        return 1 / alone
    seconds(BATCH)  # the first pass of a size pays for set-up
    taken = [seconds(BATCH)]
    while sum(taken) < REPEATED:
        taken.append(seconds(BATCH))
    return BATCH / median(taken)
