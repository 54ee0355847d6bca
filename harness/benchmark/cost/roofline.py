"""A preset against the roofline: its stages on paper, and how fast the device at hand is beside that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmact_oneshot.harness.benchmark.cost import on_paper
from mmact_oneshot.harness.benchmark.cost.counting import count
from mmact_oneshot.harness.benchmark.cost.heads import head_stages
from mmact_oneshot.harness.benchmark.cost.networks import Network
from mmact_oneshot.harness.benchmark.cost.rates import Rates, measure_rates
from mmact_oneshot.harness.benchmark.cost.stage import (
    FLOAT,
    FORWARD,
    TRAINING,
    Stage,
    on_cuda,
    optimiser_bytes,
    parameters,
    scaled,
)
from mmact_oneshot.harness.config.budgets import Budget, PretrainingBudget
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.data.store import expected_bytes
from mmact_oneshot.harness.runtime.device import Device

CHANNELS, AXES = 3, 3


def stages(settings: Settings) -> list[Stage]:
    """All stages of a preset, group by group; from the very networks that a run builds, on the meta device."""
    found = list(_data(settings))
    for network in on_paper.encoders(settings):
        budget, way, shot = network.settings.warm_start, settings.way, settings.shot
        found += _of_network("encoders", network, budget, budget.clips_per_step(way, shot), budget.micro_batch)
    for network in on_paper.pretrainings(settings):
        pretraining = network.settings.pretraining
        found += _of_network("pre-training", network, pretraining, pretraining.batch, 0)
    found += head_stages(settings)
    groups = list(dict.fromkeys(stage.group for stage in found))
    return sorted(found, key=lambda stage: groups.index(stage.group))


def measured(found: Sequence[Stage], device: Device) -> list[float | None]:
    """Clips a second of each stage on a device, reading them not included; None for one that has no network."""
    rates: dict[str, Rates] = {}
    for stage in found:
        if stage.network is not None and stage.network.key not in rates:
            rates[stage.network.key] = measure_rates(stage.network, on_paper.SENSOR_NAMES, device)
    return [None if stage.network is None else rates[stage.network.key][0 if stage.trained else 1] for stage in found]


def _data(settings: Settings) -> Iterator[Stage]:
    """Reading, copying, augmenting a clip of video and sensors. Decoding is the CPU's and has no bound here."""
    clip, store = settings.input, settings.store
    square = CHANNELS * clip.frames * store.short_side**2
    view = FLOAT * CHANNELS * clip.frames * clip.size**2
    sensors = len(on_paper.SENSOR_NAMES) * clip.sensor_length * (AXES * FLOAT + 1)  # with a mask of what was measured
    read = expected_bytes(1, store.model_copy(update={"frames": clip.frames}))
    yield Stage("data", f"read from the store ({store.encoding})", store=read)
    yield Stage("data", "copy to the device", link=square + sensors)
    # the square is read, and written and read as float32; the view is written by the warp, read and written by each
    # change of its colours, by being put in its place, and by being held to 0..1
    changes = sum(share > 0 for share in (clip.brightness, clip.contrast, clip.saturation, clip.hue))
    yield Stage("data", "augmentation", memory=square * (1 + 2 * FLOAT) + view * (1 + 2 * (changes + 2)))


def _of_network(
    group: str, network: Network, budget: Budget | PretrainingBudget, step: int, micro_batch: int
) -> Iterator[Stage]:
    """Forward alone, where it is ever run alone; forward and backward; and the optimiser's step over its parameters.

    Args:
        step: clips of a step of the optimiser.
        micro_batch: clips that share a pass in training; 0 for those of a step.
    """
    built = on_paper.on_meta_device(network)
    clips = network.clips(on_paper.SENSOR_NAMES, 2).to("meta")
    found = count(lambda: network.loss(built, clips), built, clips=len(clips))
    kept, weights = scaled(found.activations, on_cuda(network.settings.precision)), FLOAT * parameters(built)
    if group == "encoders":
        memory = FORWARD * kept + weights / network.settings.batch
        yield Stage(group, f"{network.label}, forward", flops=found.forward, memory=memory, network=network)
    yield Stage(
        group,
        f"{network.label}, forward and backward",
        flops=found.forward + found.backward,
        memory=TRAINING * kept + 3 * weights / min(micro_batch or step, step),
        network=network,
        trained=True,
    )
    label, moved = f"{network.label}, optimiser", optimiser_bytes(parameters(built, trained=True), budget)
    yield Stage(group, label, "step", step, memory=moved)
