"""One step of every method at the size at which its paper works: real networks and frames, as few clips as it takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.api import Clips, Encoder, FewShotMethod, Setup, Targets
from harness.config.plugins.registry import check_settings, load_method
from harness.config.studies import Row
from harness.config.settings import Settings
from harness.config.presets import load_settings
from harness.encoders.build import build_encoder, clips_like, transformer_spec
from harness.runtime.seeding import seeded
from harness.training.batches import EpisodeBatch
from harness.training.gradients import backward
from harness.training.initialisation import clip_shape, pretrains
from tests.helpers.toys import CPU

SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")
WAY, BASE_CLASSES = 2, 18
ROWS = [row for row in load_settings("published").rows if row.method != "random"]


@pytest.fixture(autouse=True)
def every_core() -> Iterator[None]:
    """These networks are large, unlike those of the other tests (conftest.py)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(threads)


def clips_of(row: Row, settings: Settings, count: int) -> Clips:
    """Noise of the row's shapes."""
    return clips_like(settings, row.modalities, SENSORS, count, torch.rand)


def bare(row: Row, settings: Settings) -> Setup:
    shape, spec = clip_shape(settings), transformer_spec(settings)
    return Setup(row.modalities, SENSORS, BASE_CLASSES, WAY, 1, shape=shape, transformer=spec)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method}{row.settings or ''}")
def test_a_step_of_every_published_recipe(row: Row) -> None:
    settings = load_settings("published").for_row(row)
    kind = load_method(row.method)
    with seeded("published size"):
        encoders: dict[str, Encoder] = {}
        for modality in row.modalities if kind.needs.outputs else ():
            encoders[modality] = build_encoder(modality, settings, SENSORS, 0).requires_grad_(row.regime == "tuned")
        own = check_settings(kind, row.settings, where="published")
        method: FewShotMethod = kind(replace(bare(row, settings), encoders=encoders), **own).train()
        label = torch.arange(WAY)[None]
        batch = EpisodeBatch(np.arange(2 * WAY), (1, WAY, 1), (1, WAY), Targets(label, label, label))
        terms = backward(method, clips_of(row, settings, 2 * WAY), batch, CPU, 1, "published size")  # clip by clip
    assert all(term.isfinite() for term in terms.values())
    gradients = [value.grad for value in method.parameters() if value.requires_grad]
    assert gradients
    assert all(each is not None and each.isfinite().all() for each in gradients)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.initialisation != "scratch"], ids=lambda row: str(row.method)
)
def test_a_step_of_every_published_pretraining(row: Row) -> None:
    settings = load_settings("published").for_row(row)
    kind = load_method(row.method)
    assert pretrains(kind)
    with seeded("published size"):
        network = kind.pretraining(bare(row, settings), **check_settings(kind, row.settings, where="published"))
        assert network is not None
        terms = network(clips_of(row, settings, 1), torch.rand(1, network.draws))
        torch.stack(list(terms.values())).sum().backward()
    assert sum(value.numel() for value in network.parameters()) > 90e6, "ViT-B and its decoders"
    assert all(value.grad is not None and value.grad.isfinite().all() for value in network.parameters())
