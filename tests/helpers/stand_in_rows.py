"""What a training step of a row needs, at the sizes of a preset: networks without values, clips without content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from mmact_oneshot.harness.api import Clips, Encoder, FewShotMethod, Pretraining, Setup, Targets
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.config.presets import row_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.data.task.augmentation import Views
from mmact_oneshot.harness.data.task.clip_source import ClipSource, LoadedClips
from mmact_oneshot.harness.encoders.build import build_encoder, clip_shape, clips_like, transformer_spec
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.stand_in import stand_in
from mmact_oneshot.harness.training.batches import EpisodeBatch

SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")
BASE_CLASSES = 18


def rows(settings: Settings) -> Iterator[tuple[str, Row, Settings]]:
    """Rows of two studies on all modalities that a method can use: the first of each method and training."""
    seen: set[str] = set()
    for study in ("methods", "frozen"):
        for row in settings.studies[study].rows:
            title = f"{row.method} {row.training}"
            if row.modalities == load_method(row.method).needs.modalities and title not in seen:
                seen.add(title)
                yield title, row, row_settings(settings, row)


def built(row: Row, settings: Settings) -> FewShotMethod:
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


def built_pretraining(row: Row, settings: Settings) -> Pretraining:
    """A network that is pre-trained, on the meta device."""
    kind = load_method(row.method)
    with torch.device("meta"):
        network = kind.pretraining(_bare(row, settings), **check_settings(kind, row.settings, where="stand-in"))
    assert network is not None
    return network


def episodes(settings: Settings, budget: Budget) -> EpisodeBatch:
    """The episodes of a step, all of two clips, with targets on the device."""
    device = stand_in()
    shape = (budget.episodes_per_step, settings.way, settings.shot)
    queries = (budget.episodes_per_step, settings.way * budget.queries)
    label = torch.zeros(queries, dtype=torch.long, device=device)
    support_class = torch.zeros(shape[:2], dtype=torch.long, device=device)
    clips = np.arange(np.prod(shape) + np.prod(queries)) % 2
    return EpisodeBatch(clips, shape, queries, Targets(label, support_class, label))


def loaded(settings: Settings, modalities: tuple[str, ...], count: int, *, augment: bool = True) -> LoadedClips:
    """Clips as they come from the store, in main memory.

    Args:
        augment: with every augmentation drawn, which is the same for all methods; otherwise their views are there as
            soon as the frames are.
    """
    clips = clips_like(settings, modalities, SENSORS, count, torch.empty)
    side, random = settings.store.short_side, np.random.default_rng(0)
    shape = (count, 3, settings.input.frames, side, side)
    video = None if clips.video is None else torch.empty(shape, dtype=torch.uint8)
    names = ("share", "x", "y", "rotation", "brightness", "contrast", "saturation", "hue")
    views = Views(mirror=random.random(count) < 0.5, **{name: random.random(count) for name in names})
    kind = LoadedClips if augment else _WithoutViews
    return kind(video, views, settings.input.size, clips.sensors, clips.sensor_mask, clips.present)


def source(settings: Settings, modalities: tuple[str, ...], count: int) -> ClipSource:
    """Of a store with so many clips."""

    def load(rows: np.ndarray, step: object = None) -> LoadedClips:
        return loaded(settings, modalities, len(rows), augment=False)

    return cast(ClipSource, SimpleNamespace(store=SimpleNamespace(clips=range(count)), load=load))


@dataclass(frozen=True)
class _WithoutViews(LoadedClips):
    def to(self, device: torch.device | str) -> Clips:
        clips = Clips(self.squares, self.sensors, self.sensor_mask, self.present).to(device)
        if clips.video is None:
            return clips
        count, colours, frames = clips.video.shape[:3]
        return replace(clips, video=torch.empty(count, frames, colours, self.size, self.size, device=device))


def _bare(row: Row, settings: Settings) -> Setup:
    shape, spec = clip_shape(settings), transformer_spec(settings)
    return Setup(row.modalities, SENSORS, BASE_CLASSES, settings.way, settings.shot, shape=shape, transformer=spec)


def parameters_of(optimiser: Any) -> list[torch.nn.Parameter]:
    """All that an optimiser trains."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
