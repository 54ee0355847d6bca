"""Methods and pre-trainings with values, at the sizes of some settings, and episodes of random clips. Without data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from mmact_oneshot.harness.api import Encoder, FewShotMethod, Pretraining, Setup, Targets
from mmact_oneshot.harness.benchmark.conformance.bench import SENSORS
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import MAIN, Row
from mmact_oneshot.harness.encoders.build import build_encoder, clip_shape, transformer_spec
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.batches import EpisodeBatch

EPISODES, WAY, QUERIES, BASE_CLASSES = 2, 5, 10, 11
CLIPS = EPISODES * (WAY + QUERIES)
PRETRAINED = ("mu_mae", "videomae")


def method_rows(settings: Settings) -> Iterator[Row]:
    """One row of each method of the table: on all modalities that it can use."""
    for row in settings.studies[MAIN].rows:
        if row.modalities == load_method(row.method).needs.modalities:
            yield row


def built_method(row: Row, settings: Settings) -> FewShotMethod:
    """The same values every time, on the CPU; encoders are trained with the head."""
    kind = load_method(row.method)
    with seeded("weights", row.method):
        encoders: dict[str, Encoder] = {}
        for name in row.modalities if kind.needs.outputs else ():
            encoders[name] = build_encoder(name, settings, SENSORS, 0)
        setup = _setup(settings, row.modalities, encoders)
        return kind(setup, **check_settings(kind, row.settings, where=row.method))


def built_pretraining(name: str, settings: Settings) -> Pretraining:
    """The same values every time, on the CPU."""
    kind = load_method(name)
    with seeded("weights", name):
        network = kind.pretraining(_setup(settings, kind.needs.modalities, {}))
    assert network is not None
    return network


def episodes(device: torch.device) -> EpisodeBatch:
    """Of ``CLIPS`` clips: the supports of all episodes, then their queries, two of each class."""
    label = torch.arange(QUERIES).repeat(EPISODES, 1) % WAY
    classes = torch.arange(WAY).repeat(EPISODES, 1) + torch.arange(EPISODES)[:, None]
    targets = Targets(*(each.to(device) for each in (label, classes, classes.gather(1, label))))
    return EpisodeBatch(np.arange(CLIPS), (EPISODES, WAY, 1), (EPISODES, QUERIES), targets)


def _setup(settings: Settings, modalities: tuple[str, ...], encoders: dict[str, Encoder]) -> Setup:
    shape, transformer = clip_shape(settings), transformer_spec(settings)
    return Setup(modalities, SENSORS, BASE_CLASSES, WAY, 1, encoders, shape, transformer)
