"""Whole training steps on the stand-in accelerator, at the sizes of a preset.

As ``python -m tests.helpers.stand_in_steps full float32``, in a process of its own: tensors without content must not
reach what modules keep. Prints a line of JSON for each row: what it did, and how it failed if it did.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from mmact_oneshot.harness.api import Encoder, FewShotMethod, NotApplicable, Setup, Targets
from mmact_oneshot.harness.benchmark.conformance.gap import described
from mmact_oneshot.harness.config.presets import load_settings, row_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.data.task.augmentation import Views
from mmact_oneshot.harness.data.task.clip_source import LoadedClips
from mmact_oneshot.harness.encoders.build import build_encoder, clip_shape, clips_like, transformer_spec
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.stand_in import READS_BACK, move, shapes_alone, stand_in
from mmact_oneshot.harness.training.batches import EpisodeBatch
from mmact_oneshot.harness.training.loop import Stepper
from mmact_oneshot.harness.training.optimiser import build_pretraining_optimiser
from mmact_oneshot.harness.training.pretraining_loop import pretraining_step

SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")
BASE_CLASSES = 18


def main(preset: str, precision: str) -> None:
    settings = load_settings(preset)
    device = Device(stand_in(), precision)
    for name, row, work in _works(settings, device):
        try:
            detail, failure = work(), ""
        except NotApplicable as reason:
            detail, failure = f"not applicable: {reason}", ""
        except READS_BACK as error:
            detail, failure = "", f"reads a value back: {described(error)}"
        except Exception as error:
            detail, failure = "", described(error)
        line = {"row": name, "modalities": "+".join(row.modalities), "detail": detail, "failure": failure}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _works(settings: Settings, device: Device) -> Iterator[tuple[str, Row, Callable[[], str]]]:
    """Rows of the studies on all modalities that a method can use, each once, and the pre-trainings."""
    seen: set[str] = set()
    for name in ("methods", "frozen"):
        for row in settings.studies[name].rows:
            title = f"{row.method} {row.training}"
            if row.modalities != load_method(row.method).needs.modalities or title in seen:
                continue
            seen.add(title)
            own = row_settings(settings, row)
            yield title, row, lambda row=row, own=own: _row_step(row, own, device)  # type: ignore[misc]
    for name in ("mu_mae", "videomae"):
        modalities = load_method(name).needs.modalities
        row = Row(method=name, modalities=modalities)
        yield f"{name} pre-training", row, lambda row=row: _pretraining(row, settings, device)  # type: ignore[misc]


def _row_step(row: Row, settings: Settings, device: Device) -> str:
    """Augmentation, encoders, head, loss, backward, clipping, update: once; and the scores of the episodes."""
    method = _built(row, settings)
    if not any(parameter.requires_grad for parameter in method.parameters()):
        return "nothing to train"
    with shapes_alone():
        move(method)
        return _step(method, row, settings, device)


def _step(method: FewShotMethod, row: Row, settings: Settings, device: Device) -> str:
    budget = settings.budget(row.training)
    shape = (budget.episodes_per_step, settings.way, settings.shot)
    queries = (budget.episodes_per_step, settings.way * budget.queries)
    count = int(np.prod(shape) + np.prod(queries))
    label = torch.zeros(queries, dtype=torch.long, device=device.torch)
    support_class = torch.zeros(shape[:2], dtype=torch.long, device=device.torch)
    batch = EpisodeBatch(np.arange(count), shape, queries, Targets(label, support_class, label))
    terms = Stepper.of(method, budget, device, 0).take(0, batch, _loaded(settings, row.modalities, count))
    if row.training == "frozen":
        return f"{count} clips, {', '.join(terms)}"
    method.eval()
    with torch.no_grad(), device.autocast():
        features = method.embed(method.encode(_loaded(settings, row.modalities, count).to(device.torch)))
    support, query = batch.split({name: value.float() if value.is_floating_point() else value
                                  for name, value in features.items()})  # fmt: skip
    with torch.set_grad_enabled(method.grad_at_test):
        scores = method.score(support, query)
    assert scores.device.type == device.torch.type
    return f"{count} clips, {', '.join(terms)}, scores {tuple(scores.shape)}"


def _pretraining(row: Row, settings: Settings, device: Device) -> str:
    kind = load_method(row.method)
    with torch.device("meta"):
        network = kind.pretraining(_bare(row, settings), **check_settings(kind, row.settings, where="stand-in"))
    assert network is not None
    budget = settings.pretraining
    with shapes_alone():
        move(network)
        optimiser, _ = build_pretraining_optimiser(network, budget, 10, device)
        clips, draws = _loaded(settings, network.modalities, budget.batch), torch.empty(budget.batch, network.draws)
        terms = pretraining_step(network, clips, draws, budget, device, optimiser)
    return f"{budget.batch} clips, {', '.join(terms)}"


def _built(row: Row, settings: Settings) -> FewShotMethod:
    """A method with its encoders, on the meta device; no memory is used, whatever the size."""
    kind = load_method(row.method)
    encoders: dict[str, Encoder] = {}
    with torch.device("meta"):
        for modality in row.modalities if kind.needs.outputs else ():
            encoders[modality] = build_encoder(modality, settings, SENSORS, 0)
            encoders[modality].requires_grad_(row.training == "end_to_end")
        setup = replace(_bare(row, settings), encoders=encoders)
        method = kind(setup, **check_settings(kind, row.settings, where="stand-in"))
    for network in method.own_encoders():
        network.requires_grad_(row.training == "end_to_end")
    return method


def _bare(row: Row, settings: Settings) -> Setup:
    shape, spec = clip_shape(settings), transformer_spec(settings)
    return Setup(row.modalities, SENSORS, BASE_CLASSES, settings.way, settings.shot, shape=shape, transformer=spec)


def _loaded(settings: Settings, modalities: tuple[str, ...], count: int) -> LoadedClips:
    """Clips as they come from the store, in main memory, with augmentations drawn for each."""
    clips = clips_like(settings, modalities, SENSORS, count)
    side, random = settings.store.short_side, np.random.default_rng(0)
    video = None if clips.video is None else torch.zeros(count, 3, settings.input.frames, side, side, dtype=torch.uint8)
    names = ("share", "x", "y", "rotation", "brightness", "contrast", "saturation", "hue")
    views = Views(mirror=random.random(count) < 0.5, **{name: random.random(count) for name in names})
    return LoadedClips(video, views, settings.input.size, clips.sensors, clips.sensor_mask, clips.present)


if __name__ == "__main__":
    main(*sys.argv[1:])
