"""How many clips a second pass the networks of a run on this device: short measurements on random clips."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from harness.api import Clips, NotApplicable
from harness.benchmark.plan import Job, build_method
from harness.config.settings import Settings
from harness.data.task.task import Task
from harness.encoders.build import build_encoder, clips_like
from harness.runtime.device import Device

BATCH = 16
PATIENCE = 0.5  # seconds


def encoder_rates(modality: str, settings: Settings, sensors: tuple[str, ...], device: Device) -> tuple[float, float]:
    """Clips per second of one encoder: trained, and merely encoded."""
    encoder = build_encoder(modality, settings, sensors, 0).to(device.torch)
    clips = clips_like(settings, (modality,), sensors, BATCH, torch.rand).to(device.torch)

    def loss(count: int) -> Tensor:
        features: dict[str, Tensor] = encoder(clips[:count], ("vector",))
        return features["vector"].float().square().mean()

    return _settled(loss, device, train=True), _settled(loss, device, train=False)


def own_rates(task: Task, job: Job, device: Device) -> tuple[float, float]:
    """Clips per second of the networks that are a method's own: trained, and merely encoded."""
    try:
        method = build_method(task, job).to(device.torch)
    except NotApplicable:
        return float("inf"), float("inf")
    clips = _clips(task, job, job.row.modalities, device)

    def loss(count: int) -> Tensor:
        leaves = method.encode_own(clips[:count]).values()
        return torch.stack([leaf.float().sum() for leaf in leaves if leaf.is_floating_point()]).sum()

    return _settled(loss, device, train=True), _settled(loss, device, train=False)


def pretraining_rate(task: Task, job: Job, device: Device) -> float:
    """Clips per second of the steps of a pre-training."""
    assert job.start.make is not None
    method, settings, setup = job.start.make
    network = method.pretraining(setup, **settings)
    assert network is not None
    network = network.to(device.torch)
    clips = _clips(task, job, network.modalities, device)
    draws = torch.rand(BATCH, network.draws, device=device.torch)

    def loss(count: int) -> Tensor:
        return torch.stack([term.float() for term in network(clips[:count], draws[:count]).values()]).sum()

    return _settled(loss, device, train=True)


def _clips(task: Task, job: Job, modalities: tuple[str, ...], device: Device) -> Clips:
    return clips_like(job.settings, modalities, tuple(task.store.sensors), BATCH, torch.rand).to(device.torch)


def _settled(loss: Callable[[int], Tensor], device: Device, train: bool) -> float:
    """Clips per second of work on so many clips, reading them not included; from a single one where that alone takes
    long."""

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
    return BATCH / seconds(BATCH)
