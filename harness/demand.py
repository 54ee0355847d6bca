"""What the trainings of a run demand of the device's memory, found before any of them starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.api import Clips, Encoder, NotApplicable
from harness.encoders.build import build_encoder
from harness.errors import HarnessError
from harness.jobs import Job, bare_setup
from harness.memory import SPARE, free_bytes, step_bytes, two_clips
from harness.protocol import Settings
from harness.starts import pretrains

if TYPE_CHECKING:
    from harness.benchmark import Benchmark
    from harness.budget import Budget


@dataclass(frozen=True)
class Demand:
    """Memory that one step of a training needs, in bytes, and the setting that lowers it."""

    what: str
    needed: int
    remedy: str


def demands(benchmark: Benchmark) -> list[Demand]:
    """Of every pre-training, shared encoder and tuned row that is still to be trained, each kind once and the largest
    first."""
    found: dict[str, Demand] = {}
    for job in benchmark.jobs:
        if benchmark.todo(job):
            for key, make in _of_job(benchmark, job).items():
                if key not in found:
                    found[key] = make()
    return sorted(found.values(), key=lambda demand: -demand.needed)


def require(demanded: list[Demand], benchmark: Benchmark) -> None:
    """Raises HarnessError where a step needs more than there is: at once, and not after hours of other work."""
    free = free_bytes(benchmark.device)
    for demand in demanded:
        if free is not None and demand.needed > SPARE * free:
            raise HarnessError(
                f"{demand.what} needs about {demand.needed / 1e9:.1f} GB of memory for a step; "
                f"{free / 1e9:.1f} GB are free on {benchmark.device.torch.type}.",
                remedy=demand.remedy,
            )


def _of_job(benchmark: Benchmark, job: Job) -> dict[str, Callable[[], Demand]]:
    settings, start = job.settings, job.start
    found: dict[str, Callable[[], Demand]] = {}
    if start.network is not None and not benchmark.pretrainer.done(start, job.seed):
        found[f"pretraining {start.id(0)}"] = lambda: _pretraining(benchmark, job)
    if job.method.needs.outputs and settings.initialisation == "shared":
        for modality in job.row.modalities:
            key = f"encoder {modality} {settings.encoder} {settings.encoder_training!r} {settings.input!r}"
            found[key] = lambda modality=modality: _encoder(benchmark, settings, modality)  # type: ignore[misc]
    if job.regime == "tuned":  # heads differ little in memory, and much in number
        own = f"{job.label} {job.method_settings}" if pretrains(job.method) else ""
        seen = f"{job.row.modalities} {settings.encoder} {settings.video_encoder!r} {settings.input!r}"
        found[f"tuned {seen} {settings.tuning!r} {own}"] = lambda: _tuned(benchmark, job)
    return found


def _pretraining(benchmark: Benchmark, job: Job) -> Demand:
    network, settings = job.start.network, job.settings
    assert network is not None
    batch = settings.pretraining.batch

    def forward(twin: Any, clips: Clips) -> Tensor:
        return torch.stack(list(twin(clips, torch.rand(len(clips), network.draws, device="meta")).values())).sum()

    needed = _step(benchmark, network, forward, settings, batch)
    return Demand(f"{job.start.name}'s pre-training", needed, f"Lower pretraining.batch, now {batch}.")


def _encoder(benchmark: Benchmark, settings: Settings, modality: str) -> Demand:
    encoder: Encoder = build_encoder(modality, settings, tuple(benchmark.task.store.sensors), 0)
    count = clips_at_a_time(settings, settings.encoder_training)
    needed = _step(
        benchmark, encoder, lambda twin, clips: twin(clips, ("vector",))["vector"].float().sum(), settings, count
    )
    return Demand(f"the shared {modality} encoder", needed, _lower("encoder_training", count))


def _tuned(benchmark: Benchmark, job: Job) -> Demand:
    settings, what = job.settings, f"row {job.title}"
    sensors = tuple(benchmark.task.store.sensors)
    encoders: dict[str, Encoder] = {name: build_encoder(name, settings, sensors, 0) for name in job.row.modalities}
    bare = bare_setup(benchmark.task, job.row, job.regimen)
    try:
        method = job.method(replace(bare, encoders=encoders if job.method.needs.outputs else {}), **job.method_settings)
    except NotApplicable:
        return Demand(what, 0, "")

    def forward(twin: Any, clips: Clips) -> Tensor:
        leaves = [value.float().sum() for value in twin.encode(clips).values() if value.requires_grad]
        return torch.stack(leaves or [torch.zeros((), device="meta")]).sum()

    count = clips_at_a_time(settings, settings.tuning)
    return Demand(what, _step(benchmark, method, forward, settings, count), _lower("tuning", count))


def _step(
    benchmark: Benchmark, network: nn.Module, forward: Callable[[Any, Clips], Tensor], settings: Settings, count: int
) -> int:
    clips = two_clips(settings, tuple(benchmark.task.store.sensors))
    return step_bytes(network, forward, clips, count, benchmark.device)


def clips_at_a_time(settings: Settings, budget: Budget) -> int:
    """Clips whose activations are held at once in a step of episodes."""
    whole = budget.episodes_per_step * settings.way * (settings.shot + budget.queries)
    return min(budget.micro_batch, whole) if budget.micro_batch else whole


def _lower(budget: str, count: int) -> str:
    return f"Set {budget}.micro_batch below {count} clips: the gradients stay the same."
