"""What a run will cost, from its plan and a short measurement of the encoders on this device."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.api import Clips, Encoder
from harness.data.store import MANIFEST, expected_bytes
from harness.device import Device
from harness.encoders.build import build_encoder
from harness.protocol import Budget, Settings

if TYPE_CHECKING:
    from harness.benchmark import Benchmark

BATCH = 16


@dataclass(frozen=True)
class Cost:
    """Hours of training and encoding, clips that pass an encoder, bytes of the store, measured rates."""

    hours: float
    clips: int
    disk_bytes: int
    prepared: bool
    rates: str


def training_clips(settings: Settings, budget: Budget) -> int:
    """Clips that one training passes forward and backward."""
    return budget.steps * budget.episodes_per_step * settings.way * (settings.shot + budget.queries)


def estimate(benchmark: Benchmark) -> Cost:
    """Time each encoder on a small random batch and multiply; heads on frozen features count as nothing."""
    task, settings = benchmark.task, benchmark.settings
    todo = [job for job in benchmark.jobs if benchmark.todo(job)]
    seconds, clips, rates = 0.0, 0, []
    validation = len(task.role_rows("validation")) * settings.tuning.looks
    for modality in ("video", "sensors"):
        jobs = [job for job in todo if modality in job.row.modalities and job.method.needs.outputs]
        if not jobs:
            continue
        train_rate, encode_rate = measured_rates(modality, settings, tuple(task.store.sensors), benchmark.device)
        rates.append(f"{modality} {train_rate:.0f} clips/s")
        shared = {(job.seed, job.regimen.name) for job in jobs}
        tuned = [job for job in jobs if job.regime == "tuned"]
        trained = len(shared) * training_clips(settings, settings.encoder_training)
        trained += len(tuned) * training_clips(settings, settings.tuning)
        encoded = len(shared) * (len(task.clips) + validation) + len(tuned) * (
            validation + len(task.role_rows("novel"))
        )
        seconds += trained / train_rate + encoded / encode_rate
        clips += trained + encoded
    return Cost(
        seconds / 3600,
        clips,
        expected_bytes(len(task.store.clips), settings.store),
        (task.store.folder / MANIFEST).is_file(),
        ", ".join(rates) or "nothing",
    )


def measured_rates(modality: str, settings: Settings, sensors: tuple[str, ...], device: Device) -> tuple[float, float]:
    """Clips per second of one encoder: trained, and merely encoded."""
    encoder = build_encoder(modality, settings, sensors, 0).to(device.torch)
    spec = settings.input
    clips = Clips(
        torch.rand(BATCH, spec.frames, 3, spec.size, spec.size),
        {name: torch.rand(BATCH, spec.sensor_length, 3) for name in sensors},
        {name: torch.ones(BATCH, spec.sensor_length, dtype=torch.bool) for name in sensors},
        {name: torch.ones(BATCH, dtype=torch.bool) for name in ("video", "sensors")},
    ).to(device.torch)
    rates = []
    for train in (True, False):
        _pass(encoder, clips, device, train)  # the first pass pays for set-up
        started = time.perf_counter()
        _pass(encoder, clips, device, train)
        rates.append(BATCH / (time.perf_counter() - started))
    return rates[0], rates[1]


def _pass(encoder: Encoder, clips: Clips, device: Device, train: bool) -> None:
    with torch.set_grad_enabled(train), device.autocast():
        loss = encoder(clips, ("vector",))["vector"].float().square().mean()
    if train:
        loss.backward()
    if device.torch.type == "cuda":
        torch.cuda.synchronize()
