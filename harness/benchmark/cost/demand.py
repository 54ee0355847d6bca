"""What the trainings of a run demand of the device's memory, found before any of them starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.api import Clips, Encoder, NotApplicable
from harness.benchmark.cost.memory import SPARE, free_bytes, step_bytes
from harness.benchmark.plan import Job, build_method
from harness.config.settings import Settings
from harness.encoders.build import build_encoder, clips_like
from harness.runtime.errors import HarnessError
from harness.training.conditions import digest
from harness.training.initialisation import pretrains

if TYPE_CHECKING:
    from harness.benchmark.run import Benchmark
    from harness.config.budgets import Budget


@dataclass(frozen=True)
class Demand:
    """Memory that the encoders of a training need for a step, in bytes, and the setting that lowers it. Heads and
    losses come on top; beside encoders that are trained they are small."""

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
    settings, found = job.settings, dict[str, Callable[[], Demand]]()
    kinds = f"{settings.encoder} {settings.video_encoder!r} {settings.sensor_encoder!r} {settings.transformer!r}"
    for each in [job, *([job.search] if job.search else [])]:
        if each.start.network is not None and not benchmark.pretrainer.done(each.start, each.seed):
            found[f"pretraining {digest(each.start.protocol)}"] = partial(_pretraining, benchmark, each)
    if job.method.needs.outputs and settings.initialisation == "shared":
        for modality in job.row.modalities:
            name = benchmark.shared.name(settings, modality, job.seed, job.regimen, job.encoder_start)
            if not benchmark.shared.path(name).is_file():
                key = f"encoder {modality} {kinds} {settings.encoder_training!r} {settings.input!r}"
                found[key] = partial(_encoder, benchmark, settings, modality)
    if job.regime == "tuned":  # heads on shared encoders differ little in memory, and much in number
        own = f"{job.label} {job.method_settings}" if pretrains(job.method) or not job.method.needs.outputs else ""
        found[f"tuned {job.row.modalities} {kinds} {settings.tuning!r} {settings.input!r} {own}"] = partial(
            _tuned, benchmark, job
        )
    return found


def _pretraining(benchmark: Benchmark, job: Job) -> Demand:
    network, settings = job.start.network, job.settings
    assert network is not None
    batch = settings.pretraining.batch

    def forward(twin: Any, clips: Clips) -> Tensor:
        return torch.stack(list(twin(clips, torch.rand(len(clips), network.draws, device="meta")).values())).sum()

    needed = _step(benchmark, network, forward, settings, network.modalities, batch)
    return Demand(f"{job.start.name}'s pre-training", needed, f"Lower pretraining.batch, now {batch}.")


def _encoder(benchmark: Benchmark, settings: Settings, modality: str) -> Demand:
    encoder: Encoder = build_encoder(modality, settings, tuple(benchmark.task.store.sensors), 0)
    count = clips_at_a_time(settings, settings.encoder_training)
    needed = _step(
        benchmark,
        encoder,
        lambda twin, clips: twin(clips, ("vector",))["vector"].float().sum(),
        settings,
        (modality,),
        count,
    )
    return Demand(f"the shared {modality} encoder", needed, _lower("encoder_training", count))


def _tuned(benchmark: Benchmark, job: Job) -> Demand:
    settings, what = job.settings, f"row {job.title}"
    try:
        method = build_method(benchmark.task, job)
    except NotApplicable:
        return Demand(what, 0, "")

    def forward(twin: Any, clips: Clips) -> Tensor:
        leaves = [value.float().sum() for value in twin.encode(clips).values() if value.requires_grad]
        return torch.stack(leaves or [torch.zeros((), device="meta")]).sum()

    count = clips_at_a_time(settings, settings.tuning)
    return Demand(what, _step(benchmark, method, forward, settings, job.row.modalities, count), _lower("tuning", count))


def _step(
    benchmark: Benchmark,
    network: nn.Module,
    forward: Callable[[Any, Clips], Tensor],
    settings: Settings,
    modalities: tuple[str, ...],
    count: int,
) -> int:
    """Bytes; 0, which refuses nothing, for a plugin that cannot run on shapes alone because it looks at values."""
    clips = clips_like(settings, modalities, tuple(benchmark.task.store.sensors), 2)
    try:
        return step_bytes(network, forward, clips, count, benchmark.device)
    except Exception:
        return 0


def clips_at_a_time(settings: Settings, budget: Budget) -> int:
    """Clips whose activations are held at once in a step of episodes."""
    whole = budget.episodes_per_step * settings.way * (settings.shot + budget.queries)
    return min(budget.micro_batch, whole) if budget.micro_batch else whole


def _lower(budget: str, count: int) -> str:
    return f"Set {budget}.micro_batch below {count} clips: the gradients stay the same."
