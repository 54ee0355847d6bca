"""What the switches of computing change: ``python -m tests.gpu.speed cuda full FILE [eager 0]``, sizes of a preset.

Each switch off and on, one after the other in one process, on the same random clips: channels last for encoders (also
with GroupNorm, where a run on CUDA has it off), TF32 for heads in float32, compiling for pre-trainings. `oneshot
roofline --measure` has clips a second beside the bounds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median

import torch

from mmact_oneshot.harness.api import Features, FewShotMethod, NotApplicable
from mmact_oneshot.harness.benchmark.conformance.bench import random_clips
from mmact_oneshot.harness.benchmark.conformance.gap import described
from mmact_oneshot.harness.benchmark.cost import on_paper
from mmact_oneshot.harness.benchmark.cost.networks import Network
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.encoders.build import clip_shape
from mmact_oneshot.harness.runtime.compute import ComputeSpec
from mmact_oneshot.harness.runtime.device import Device, choose_device
from mmact_oneshot.harness.training.compilation import compile_calls
from mmact_oneshot.harness.training.gradients import backward_through_head
from tests.gpu.networks import CLIPS, EPISODES, built_method, episodes, method_rows

Rate = Callable[[bool], float]  # with the switch off or on


@dataclass(frozen=True)
class Effect:
    """Of a switch on a stage, forward and backward.

    Attributes:
        off, on: how many a second; what, is in ``per``.
        failure: why there are no numbers.
    """

    switch: str
    stage: str
    per: str = "clip"
    off: float = 0.0
    on: float = 0.0
    failure: str = ""


@dataclass(frozen=True)
class Bench:
    """What is measured on, and how.

    Attributes:
        device: its name.
        backend: of torch.compile.
        patience: seconds of repetitions.
    """

    device: str
    settings: Settings
    backend: str
    patience: float


def effects(bench: Bench) -> Iterator[Effect]:
    """Switch by switch; one that raises does not stop the others. Compiling, which takes most time, is last."""
    for stage, per, switch, rate in _pairs(bench):
        try:
            yield Effect(switch, stage, per, rate(False), rate(True))
        except NotApplicable:
            continue
        except Exception as error:
            yield Effect(switch, stage, per, failure=described(error))


def _pairs(bench: Bench) -> Iterator[tuple[str, str, str, Rate]]:
    """Stage, of what its rate is, switch, and what measures it."""
    for network in on_paper.encoders(bench.settings):
        if network.modalities == ("video",):
            yield network.label, "clip", "channels_last", partial(_channels_last, bench, network)
    for row in method_rows(bench.settings):
        yield f"{row.method}, head", "episode", "tf32", _tf32(bench, row)
    for network in on_paper.pretrainings(bench.settings):
        yield network.label, "clip", "compile", partial(_compiled, bench, network)


def _channels_last(bench: Bench, network: Network, on: bool) -> float:
    settings = bench.settings
    compute = settings.compute.model_copy(update={"channels_last": on})
    others = on_paper.encoders(settings.model_copy(update={"compute": compute}))
    (same,) = [other for other in others if other.label == network.label]
    return _of_network(same, choose_device(bench.device, settings.precision, compute), bench)


def _compiled(bench: Bench, network: Network, on: bool) -> float:
    device = choose_device(bench.device, network.settings.precision, ComputeSpec(compile_pretraining=on))
    return _of_network(network, device, bench)


def _of_network(network: Network, device: Device, bench: Bench) -> float:
    built = network.build().to(device.torch).train()
    compile_calls(built, device, bench.backend)
    clips = network.clips(on_paper.SENSOR_NAMES, CLIPS, torch.rand).to(device.torch)

    def work() -> None:
        with device.autocast():
            loss = network.loss(built, clips)
        loss.backward()

    return rate(work, CLIPS, device, bench.patience)


def _tf32(bench: Bench, row: Row) -> Rate:
    """Of a head alone, in float32, on features that are there, laid out as a FeatureTable keeps them."""

    @cache  # values for hundreds of millions of parameters take seconds
    def made() -> tuple[FewShotMethod, Features]:
        place = choose_device(bench.device, "float32").torch
        method = built_method(row, bench.settings)
        encoders = {id(each) for network in (method.encoders, *method.own_encoders()) for each in network.parameters()}
        if not any(id(parameter) not in encoders for parameter in method.parameters()):
            raise NotApplicable("its head has no parameters")
        method.to(place).eval()
        clips = random_clips(CLIPS, row.modalities, clip_shape(bench.settings))
        with torch.no_grad():
            encoded = {name: value.contiguous() for name, value in method.encode(clips.to(place)).items()}
        return method.train(), encoded

    def measured(on: bool) -> float:
        method, encoded = made()
        device = choose_device(bench.device, "float32", ComputeSpec(tf32=on))
        batch = episodes(device.torch)
        return rate(lambda: backward_through_head(method, encoded, batch, device), EPISODES, device, bench.patience)

    return measured


def rate(work: Callable[[], object], items: int, device: Device, patience: float) -> float:
    """How many of so many items a second; the median of repetitions, after two that pay for set-up."""

    def seconds() -> float:
        started = time.perf_counter()
        work()
        if device.torch.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    for _ in range(2):
        seconds()
    until, taken = time.perf_counter() + patience, [seconds()]
    while time.perf_counter() < until:
        taken.append(seconds())
    return items / median(taken)


def main(device: str, preset: str, file: str, backend: str = "inductor", patience: str = "1") -> None:
    """Write what was found so far after every switch: the time may run out."""
    found: list[dict[str, object]] = []
    for effect in effects(Bench(device, load_settings(preset), backend, float(patience))):
        found.append(asdict(effect))
        Path(file).write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
